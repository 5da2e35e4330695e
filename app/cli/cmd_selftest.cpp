#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "app/cli/command.h"
#include "engine/selftest/selftest.h"

namespace hmmscope::app {
namespace {

using selftest::Verdict;

std::string_view selftest_verdict(Verdict verdict) {
  switch (verdict) {
    case Verdict::passed: return "ok";
    case Verdict::failed_as_documented: return "documented";
    case Verdict::not_there: return "absent";
    case Verdict::failed: break;
  }
  return "FAIL";
}

/// `hmmscope selftest`: the kernel's HMM selftests as scenarios, one line each; exit code 1 when one fails.
class SelftestCommand : public Command {
 public:
  std::string_view name() const override { return "selftest"; }
  std::string_view summary() const override { return "Run the kernel's HMM selftests as scenarios"; }

  void declare(Arguments& arguments) override {
    arguments.option("NAME", names_, "Only these tests (default: all)");
    arguments.option("--kernel", kernel_, "Kernel model, or 'all' for every built-in one").type_name("MODEL").show_default();
    arguments.flag("--show", show_, "Print the tests' scenarios instead of running them");
  }

  int run(const Output& output) override {
    std::vector<const selftest::Source*> chosen;
    for (const std::string& wanted : names_) {
      const selftest::Source* source = selftest::find_source(wanted);
      if (source == nullptr) return output.bad_input(unknown(wanted));
      chosen.push_back(source);
    }
    if (names_.empty()) {
      for (const selftest::Source& source : selftest::sources()) chosen.push_back(&source);
    }
    if (show_) {
      for (const selftest::Source* source : chosen) output.print(source->text);
      return exit_ok;
    }
    std::vector<std::string> kernels{kernel_};
    if (kernel_ == "all") {
      kernels.clear();
      for (const KernelModel& model : kernel_models()) kernels.push_back(model.id);
    }
    return run_all(output, chosen, kernels);
  }

 private:
  static Error unknown(const std::string& wanted) {
    std::string known;
    for (const selftest::Source& source : selftest::sources()) known += (known.empty() ? "" : ", ") + std::string(source.name);
    return Error{fmt::format("no selftest is called '{}'; known: {}", wanted, known), {}, 0, 0, false};
  }

  int run_all(const Output& output, const std::vector<const selftest::Source*>& chosen, const std::vector<std::string>& kernels) {
    size_t counts[4] = {};
    auto list = nlohmann::ordered_json::array();
    for (const std::string& kernel : kernels) {
      for (const selftest::Source* source : chosen) {
        const auto results = selftest::run(*source, kernel);
        if (!results) return output.bad_input(results.error());
        for (const selftest::Result& result : *results) {
          ++counts[static_cast<size_t>(result.verdict)];
          if (output.json) list.push_back(as_json(result));
          else output.print(as_line(result));
        }
      }
    }
    const size_t failed = counts[static_cast<size_t>(Verdict::failed)];
    if (output.json) {
      output.print(nlohmann::ordered_json{{"passed", counts[0]}, {"failed_as_documented", counts[1]}, {"absent", counts[2]},
                                          {"failed", failed}, {"tests", std::move(list)}}.dump(2) + "\n");
    } else {
      output.print(fmt::format("passed {}, failed as documented {}, absent {}, failed {}\n", counts[0], counts[1], counts[2], failed));
    }
    return failed == 0 ? exit_ok : exit_check_failed;
  }

  static std::string as_line(const selftest::Result& result) {
    return fmt::format("{:<10}  {:<8}  {:<9}  {:<28}  {:>5} expectations{}{}\n", selftest_verdict(result.verdict), result.kernel, result.variant,
                       result.name, result.expectations, result.text.empty() ? "" : "  ", result.text);
  }
  static nlohmann::ordered_json as_json(const selftest::Result& result) {
    return {{"name", result.name}, {"variant", result.variant}, {"kernel", result.kernel}, {"verdict", selftest_verdict(result.verdict)},
            {"expectations", result.expectations}, {"steps", result.steps}, {"text", result.text}};
  }

  std::vector<std::string> names_;
  std::string kernel_ = "7.3";
  bool show_ = false;
};

}  // namespace

std::unique_ptr<Command> make_selftest_command() { return std::make_unique<SelftestCommand>(); }

}  // namespace hmmscope::app
