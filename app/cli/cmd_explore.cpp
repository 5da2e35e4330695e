#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "app/cli/command.h"
#include "engine/scenario/explore.h"

namespace hmmscope::app {
namespace {

constexpr uintmax_t largest_file = 64u << 20;

std::atomic<bool> interrupted = false;
static_assert(std::atomic<bool>::is_always_lock_free, "set by a signal handler");

/// The first Ctrl+C ends the exploration, which then says what it has found; the second ends the program.
void interrupt(int signal) {
  interrupted = true;
  std::signal(signal, SIG_DFL);
}

/// `hmmscope explore`: all interleavings of a scenario's tasks, and how they end; exit code 1 when one of them does not
/// hold what the scenario expects.
class ExploreCommand : public Command {
 public:
  std::string_view name() const override { return "explore"; }
  std::string_view summary() const override { return "Run all interleavings of a scenario's tasks"; }

  void declare(Arguments& arguments) override {
    arguments.option("SCENARIO", file_, "Scenario file (JSON) whose operations name tasks").required();
    arguments.option("--kernel", kernel_, "Run under this kernel model instead of the scenario's own").type_name("MODEL");
    arguments.option("--granularity", granularity_, "Tasks change at locks, or before every rule; otherwise as the scenario says")
        .one_of({"lock", "rule"});
    arguments.flag("--full", full_, "Try every choice, also where the order of independent steps makes no difference");
    arguments.option("--max", max_, "At most so many runs, the last fifth by random schedules when they are not enough for all").type_name("N").positive().show_default();
  }

  int run(const Output& output) override {
    std::error_code error;
    const uintmax_t size = std::filesystem::file_size(file_, error);
    if (error) return output.bad_input(Error{"cannot be read: " + error.message(), file_, 0, 0, false});
    if (size > largest_file) return output.bad_input(Error{"is too large for a scenario", file_, 0, 0, false});
    std::ifstream in(file_, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    if (!in.good() && !in.eof()) return output.bad_input(Error{"cannot be read", file_, 0, 0, false});
    const auto parsed = scenario::parse(text, file_);
    if (!parsed) return output.bad_input(parsed.error());
    scenario::ExploreOptions options;
    options.kernel = kernel_;
    options.max_runs = max_;
    options.reduce = !full_;
    if (!granularity_.empty()) options.granularity = granularity_ == "rule" ? schedule::Granularity::rule : schedule::Granularity::lock;
    options.proceed = [&](uint64_t runs) {
      if (runs % 100 == 0 && ::isatty(::fileno(output.err)) != 0) fmt::print(output.err, "\r{} of at most {} runs", runs, max_);
      return !interrupted;
    };
    interrupted = false;
    std::signal(SIGINT, interrupt);
    std::signal(SIGTERM, interrupt);
    const auto found = scenario::explore(*parsed, options);
    std::signal(SIGINT, SIG_DFL);
    std::signal(SIGTERM, SIG_DFL);
    if (::isatty(::fileno(output.err)) != 0) fmt::print(output.err, "\r\x1b[K");
    if (!found) return output.bad_input(found.error());
    output.json ? print_json(output, *found) : print_text(output, *found);
    for (const scenario::ExploredOutcome& outcome : found->outcomes) {
      if (!outcome.failures.empty()) return exit_check_failed;
    }
    return exit_ok;
  }

 private:
  void print_text(const Output& output, const scenario::Exploration& found) const {
    output.print(fmt::format("granularity {}: runs {}, of them cut off in a state seen before {}; states {}, passes {}; {}\n",
                             name_of(found.granularity), found.runs, found.known_states, found.states, found.passes,
                             end_of(found)));
    size_t number = 0;
    for (const scenario::ExploredOutcome& outcome : found.outcomes) {
      output.print(fmt::format("\noutcome {}: {}{}{} ({} schedules)\n  run --schedule \"{}\"\n", ++number, outcome.end,
                               outcome.text.empty() ? "" : ": ", outcome.text, outcome.schedules, outcome.schedule));
      for (const std::string& result : outcome.results) output.print("  line " + result.substr(result.find_first_not_of(' ')) + "\n");
      for (const std::string& finding : outcome.findings) output.print("  found " + finding + "\n");
      for (const std::string& failure : outcome.failures) output.print("  FAILED line " + failure + "\n");
    }
  }

  static std::string end_of(const scenario::Exploration& found) {
    if (found.complete) return found.reduced ? "all interleavings explored" : "all interleavings explored, each order of independent steps too";
    return fmt::format("NOT all interleavings explored ({}): there may be other outcomes",
                       interrupted ? "interrupted" : fmt::format("the maximum was reached; {} of the runs went by random schedules", found.random_runs));
  }

  static void print_json(const Output& output, const scenario::Exploration& found) {
    auto outcomes = nlohmann::ordered_json::array();
    for (const scenario::ExploredOutcome& outcome : found.outcomes) {
      outcomes.push_back({{"end", outcome.end}, {"text", outcome.text}, {"results", outcome.results},
                          {"failures", outcome.failures}, {"findings", outcome.findings}, {"schedule", outcome.schedule}, {"schedules", outcome.schedules}});
    }
    output.print(nlohmann::ordered_json{{"granularity", name_of(found.granularity)}, {"runs", found.runs}, {"known_states", found.known_states},
                                        {"states", found.states}, {"passes", found.passes}, {"complete", found.complete}, {"reduced", found.reduced}, {"random_runs", found.random_runs},
                                        {"outcomes", std::move(outcomes)}}.dump(2) + "\n");
  }

  static std::string_view name_of(schedule::Granularity granularity) {
    return granularity == schedule::Granularity::rule ? "rule" : "lock";
  }

  std::string file_, kernel_, granularity_;
  bool full_ = false;
  uint64_t max_ = scenario::ExploreOptions().max_runs;
};

}  // namespace

std::unique_ptr<Command> make_explore_command() { return std::make_unique<ExploreCommand>(); }

}  // namespace hmmscope::app
