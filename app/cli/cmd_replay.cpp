#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "app/cli/command.h"
#include "app/cli/facts_text.h"
#include "app/cli/step_text.h"
#include "traces/check/summary.h"
#include "traces/document.h"

namespace hmmscope::app {
namespace {

/// `hmmscope replay`: a trace, recording or scenario as steps.
class ReplayCommand : public Command {
 public:
  std::string_view name() const override { return "replay"; }
  std::string_view summary() const override { return "Turn a kernel trace into steps and show them"; }

  void declare(Arguments& arguments) override {
    arguments.option("FILE", file_, "A kernel trace, a recording or a scenario").required();
    arguments.flag("--steps", steps_, "Print every step");
    arguments.option("--at", at_, "Show the moment after this many steps").type_name("N");
    arguments.flag("--facts", facts_,
                 "List what is known at that moment (the end, without --at), by which rule, and what is unknown "
                 "with the probe that would tell");
    arguments.option("--kernel", kernel_, "Read FILE as of this kernel model, whatever it says of itself")
        .type_name("MODEL");
  }

  int run(const Output& output) override {
    traces::OpenOptions options;
    options.kernel = kernel_;
    const auto opened = traces::open_document(file_, options);
    if (!opened) return output.bad_input(opened.error());
    const traces::Document& document = **opened;
    const StepIndex steps = document.recording->steps();
    if (at_ && *at_ > steps)
      return output.bad_input(
          Error{fmt::format("--at {}: the recording has {} steps", *at_, steps), file_, 0, 0, false});
    if (facts_) {
      const StepIndex at = at_.value_or(steps);
      output.print(output.json ? facts_json(document, at).dump(2) + "\n" : facts_text(document, at));
      return exit_ok;
    }
    output.json ? print_json(output, document) : print_text(output, document);
    return exit_ok;
  }

 private:
  void print_text(const Output& output, const traces::Document& document) const {
    if (at_) return output.print(moment_text(document, *at_));
    output.print(summary_text(document));
    output.print(fmt::format("  {:<10} {}\n", "events", document.recording->events().size()));
    for (StepIndex step = 0; steps_ && step < document.recording->steps(); ++step)
      output.print(step_text(document, step));
    const traces::CheckCounts counts = traces::count_checks(*document.recording);
    const traces::CheckCounts migrated = traces::count_migrate_checks(*document.recording);
    if (migrated.calls != 0) output.print("migrate " + traces::counts_text(migrated) + "\n");
    if (counts.calls != 0) output.print(traces::counts_text(counts) + "\n");
  }

  void print_json(const Output& output, const traces::Document& document) const {
    const auto text = [](const nlohmann::json& value) {
      return value.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    };
    if (at_) return output.print(text(moment_json(document, *at_)));
    nlohmann::json result = summary_json(document);
    result["events"] = document.recording->events().size();
    const traces::CheckCounts counts = traces::count_checks(*document.recording);
    result["check"] = {{"calls", counts.calls},
                       {"agreed", counts.agreed},
                       {"diverged", counts.diverged},
                       {"unknown", counts.unknown}};
    if (steps_) {
      result["trace"] = nlohmann::json::array();
      for (StepIndex step = 0; step < document.recording->steps(); ++step)
        result["trace"].push_back(step_json(document, step));
    }
    output.print(text(result));
  }

  std::string file_, kernel_;
  std::optional<StepIndex> at_;
  bool steps_ = false, facts_ = false;
};

}  // namespace

std::unique_ptr<Command> make_replay_command() { return std::make_unique<ReplayCommand>(); }

}  // namespace hmmscope::app
