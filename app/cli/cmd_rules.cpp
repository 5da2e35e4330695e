#include <fmt/format.h>

#include <iterator>
#include <nlohmann/json.hpp>
#include <vector>

#include "app/cli/command.h"
#include "app/cli/rule_coverage.h"
#include "engine/rules/rule.h"

namespace hmmscope::app {
namespace {

/// `hmmscope rules`: the decision rules by function, in the order in which each function decides.
class RulesCommand : public Command {
 public:
  std::string_view name() const override { return "rules"; }
  std::string_view summary() const override { return "List the decision rules by kernel function"; }

  void declare(CLI::App& app) override {
    app.add_option("--function", function_, "Only the rules of this function")->type_name("NAME");
    app.add_flag("--coverage", coverage_, "How many of the program's own scenarios and captures fire each rule");
  }

  int run(const Output& output) override {
    std::vector<Function> functions;
    if (function_.empty()) {
      for (uint16_t f = 0; f < static_cast<uint16_t>(Function::count_); ++f) {
        if (!rules_of(static_cast<Function>(f)).empty()) functions.push_back(static_cast<Function>(f));
      }
    } else {
      Function function{};
      if (!function_named(function_, function)) return output.bad_input(unknown_function());
      functions.push_back(function);
    }
    std::vector<RuleCoverage> counts;
    if (coverage_) {
      auto counted = count_rule_coverage();
      if (!counted) return output.bad_input(counted.error());
      counts = std::move(*counted);
    }
    output.print(output.json ? as_json(functions, counts) : as_text(functions, counts));
    return exit_ok;
  }

 private:
  Error unknown_function() const {
    std::string known;
    for (uint16_t f = 0; f < static_cast<uint16_t>(Function::count_); ++f) {
      const auto function = static_cast<Function>(f);
      if (rules_of(function).empty()) continue;
      if (!known.empty()) known += ", ";
      known += function_name(function);
    }
    return Error{fmt::format("no function '{}' has rules; functions with rules: {}", function_, known),
                 {},
                 0,
                 0,
                 false};
  }

  /// One line a rule: how many tests and captures fired it.
  static std::string coverage_text(const std::vector<Function>& functions, const std::vector<RuleCoverage>& counts) {
    std::string text = fmt::format("{:>6} {:>8}  {:<40} {:<12} {}\n", "tests", "captures", "rule", "versions", "function");
    size_t all = 0, by_tests = 0, by_captures = 0;
    for (const Function function : functions) {
      for (const RuleId id : rules_of(function)) {
        const Rule& r = rule(id);
        const RuleCoverage& count = counts[static_cast<size_t>(id)];
        ++all;
        by_tests += count.tests != 0 ? 1 : 0;
        by_captures += count.captures != 0 ? 1 : 0;
        fmt::format_to(std::back_inserter(text), "{:>6} {:>8}  {:<40} {:<12} {}\n", count.tests, count.captures, r.id, r.versions,
                       function_name(function));
      }
    }
    return text + fmt::format("rules {}, fired by tests {}, by captures {}\n", all, by_tests, by_captures);
  }

  static std::string as_text(const std::vector<Function>& functions, const std::vector<RuleCoverage>& counts) {
    if (!counts.empty()) return coverage_text(functions, counts);
    std::string text;
    for (const Function function : functions) {
      if (!text.empty()) text += '\n';
      fmt::format_to(std::back_inserter(text), "{}\n", function_name(function));
      for (const RuleId id : rules_of(function)) {
        const Rule& r = rule(id);
        fmt::format_to(std::back_inserter(text), "  {:<40} {:<12} {}\n", r.id, r.versions, r.statement);
      }
    }
    return text;
  }

  static std::string as_json(const std::vector<Function>& functions, const std::vector<RuleCoverage>& counts) {
    auto list = nlohmann::ordered_json::array();
    for (const Function function : functions) {
      for (const RuleId id : rules_of(function)) {
        const Rule& r = rule(id);
        auto operands = nlohmann::ordered_json::array();
        for (uint32_t i = 0; i < r.operand_count(); ++i) operands.push_back(std::string(r.operand_name(i)));
        list.push_back({{"id", std::string(r.id)},
                        {"function", std::string(function_name(function))},
                        {"versions", std::string(r.versions)},
                        {"statement", std::string(r.statement)},
                        {"operands", std::move(operands)}});
        if (counts.empty()) continue;
        const RuleCoverage& count = counts[static_cast<size_t>(id)];
        list.back()["tests"] = count.tests;
        list.back()["captures"] = count.captures;
      }
    }
    return nlohmann::ordered_json{{"rules", std::move(list)}}.dump(2) + "\n";
  }

  std::string function_;
  bool coverage_ = false;
};

}  // namespace

std::unique_ptr<Command> make_rules_command() { return std::make_unique<RulesCommand>(); }

}  // namespace hmmscope::app
