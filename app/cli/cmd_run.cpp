#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "app/cli/command.h"
#include "app/cli/compare_kernels.h"
#include "app/cli/step_text.h"
#include "engine/base/output_file.h"
#include "engine/recording/recording_file.h"
#include "traces/document.h"

namespace hmmscope::app {
namespace {

/// `hmmscope run`: runs a scenario; exit code 1 when one of its expectations does not hold.
class RunCommand : public Command {
 public:
  std::string_view name() const override { return "run"; }
  std::string_view summary() const override { return "Run a scenario and check its expectations"; }

  void declare(Arguments& arguments) override {
    arguments.option("SCENARIO", file_, "Scenario file (JSON)").required();
    arguments.option("--kernel", kernel_,
                   "Run under this kernel model instead of the scenario's own; a list (6.12-v9,6.16) or `all` runs it "
                   "under each and compares")
        .type_name("MODEL");
    arguments.option("--schedule", schedule_, "Interleave the tasks so: \"TASK:POINTS TASK:POINTS ...\"").type_name("TEXT");
    arguments.option("--seed", seed_, "Interleave the tasks at random, decided by this number").type_name("NUMBER");
    arguments.flag("--steps", steps_, "Print every step");
    arguments.option("--save", save_, "Save the recording").type_name("FILE");
  }

  int run(const Output& output) override {
    const std::vector<std::string> kernels = kernel_list(kernel_);
    if (kernels.size() > 1) return compare_kernels(output, file_, kernels);
    if (!save_.empty()) {
      if (const auto other = check_not_input(save_, file_); !other) return output.bad_input(other.error());
    }
    traces::OpenOptions options;
    options.kernel = kernel_;
    options.schedule = schedule_;
    options.seed = seed_;
    const auto opened = traces::open_document(file_, options);
    if (!opened) return output.bad_input(opened.error());
    const traces::Document& document = **opened;
    if (document.kind != traces::SourceKind::scenario) {
      return output.bad_input(Error{"not a scenario; use `hmmscope replay` for traces and recordings", file_, 0, 0, false});
    }
    if (!save_.empty()) {
      if (const auto saved = RecordingFile::save(*document.recording, save_); !saved) return output.bad_input(saved.error());
    }
    output.json ? print_json(output, document) : print_text(output, document);
    return document.failures.empty() ? exit_ok : exit_check_failed;
  }

 private:
  void print_text(const Output& output, const traces::Document& document) const {
    output.print(summary_text(document));
    for (StepIndex step = 0; steps_ && step < document.recording->steps(); ++step) output.print(step_text(document, step));
    if (!document.schedule_end.empty()) {
      output.print(fmt::format("tasks: {}{}{}\nschedule: {}\n", document.schedule_end, document.schedule_text.empty() ? "" : ": ",
                               document.schedule_text, document.schedule));
    }
    for (const auto& later : document.postponed) {
      output.print(fmt::format("{}:{}: at step {}: {}\n", file_, later.line, later.step + 1, later.text));
    }
    for (const auto& failure : document.failures) {
      output.print(fmt::format("{}:{}: at step {}: {}\n", file_, failure.line, failure.step + 1, failure.text));
    }
    output.print(fmt::format("expectations {}, held {}, failed {}\n", document.expectations,
                             document.expectations - document.failures.size(), document.failures.size()));
  }

  void print_json(const Output& output, const traces::Document& document) const {
    nlohmann::json result = summary_json(document);
    result["expectations"] = document.expectations;
    if (!document.schedule_end.empty()) {
      result["tasks"] = {{"end", document.schedule_end}, {"text", document.schedule_text}, {"schedule", document.schedule}};
    }
    const auto list = [](const std::vector<scenario::Failure>& said) {
      nlohmann::json array = nlohmann::json::array();
      for (const auto& one : said) array.push_back({{"line", one.line}, {"step", one.step + 1}, {"text", one.text}});
      return array;
    };
    result["failures"] = list(document.failures);
    if (!document.postponed.empty()) result["postponed"] = list(document.postponed);
    if (steps_) {
      result["trace"] = nlohmann::json::array();
      for (StepIndex step = 0; step < document.recording->steps(); ++step) result["trace"].push_back(step_json(document, step));
    }
    output.print(result.dump(2) + "\n");
  }

  std::string file_, kernel_, save_, schedule_;
  std::optional<uint64_t> seed_;
  bool steps_ = false;
};

}  // namespace

std::unique_ptr<Command> make_run_command() { return std::make_unique<RunCommand>(); }

}  // namespace hmmscope::app
