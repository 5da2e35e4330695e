#include <fmt/format.h>

#include <iterator>
#include <nlohmann/json.hpp>
#include <vector>

#include "app/cli/command.h"
#include "app/cli/rule_coverage.h"
#include "app/cli/rule_groups.h"
#include "engine/rules/rule.h"

namespace hmmscope::app {
namespace {

/// `hmmscope rules`: the decision rules by function, in the order in which each function decides.
class RulesCommand : public Command {
 public:
  std::string_view name() const override { return "rules"; }
  std::string_view summary() const override { return "List the decision rules by kernel function"; }

  void declare(Arguments& arguments) override {
    arguments.option("--function", function_, "Only the rules of this function").type_name("NAME");
    arguments.flag("--coverage", coverage_, "How many tests, scenarios and real captures fire each rule");
    arguments.option("--tests", records_,
                   "With --coverage: the records that a test run left (build/release/tests/fired_rules)")
        .type_name("DIRECTORY");
  }

  int run(const Output& output) override {
    if (!coverage_ && !records_.empty()) return output.bad_input({"--tests needs --coverage", {}, 0, 0, false});
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
      if (!records_.empty()) {
        if (const auto ok = add_test_records(records_, counts); !ok) return output.bad_input(ok.error());
      }
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

  /// One line a rule: how many tests, scenarios and captures fired it.
  std::string coverage_text(const std::vector<Function>& functions, const std::vector<RuleCoverage>& counts) const {
    std::string text = fmt::format("{:>6} {:>9} {:>8}  {:<40} {:<12} {}\n", "tests", "scenarios", "captures", "rule",
                                   "versions", "function");
    std::vector<RuleId> all;
    for (const Function function : functions) {
      for (const RuleId id : rules_of(function)) {
        const Rule& r = rule(id);
        const RuleCoverage& count = counts[static_cast<size_t>(id)];
        all.push_back(id);
        fmt::format_to(std::back_inserter(text), "{:>6} {:>9} {:>8}  {:<40} {:<12} {}\n", by_tests(count.tests), count.scenarios,
                       count.captures, r.id, r.versions, function_name(function));
      }
    }
    const Fired f = fired(all, counts);
    text += fmt::format("rules {}, fired by tests {}, by scenarios {}, by captures {}\n", f.rules, by_tests(f.by_tests),
                        f.by_scenarios, f.by_captures);
    if (functions.size() > 1) text += group_text(counts);
    if (!records_.empty()) return text;
    return text + "What the tests fire is not known here: no record of a test run was given. tests/run leaves one; name it "
                  "with --tests build/release/tests/fired_rules\n";
  }

  /// A number of tests; unknown without a record.
  std::string by_tests(size_t number) const { return records_.empty() ? std::string("-") : std::to_string(number); }
  nlohmann::ordered_json tests_json(size_t number) const {
    return records_.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(number);
  }

  struct Fired {
    size_t rules = 0, by_tests = 0, by_scenarios = 0, by_captures = 0;
  };
  static Fired fired(const std::vector<RuleId>& ids, const std::vector<RuleCoverage>& counts) {
    Fired fired{ids.size()};
    for (const RuleId id : ids) {
      const RuleCoverage& count = counts[static_cast<size_t>(id)];
      fired.by_tests += count.tests != 0 ? 1 : 0;
      fired.by_scenarios += count.scenarios != 0 ? 1 : 0;
      fired.by_captures += count.captures != 0 ? 1 : 0;
    }
    return fired;
  }

  /// By area, then the aim for real captures, then what nothing fires.
  std::string group_text(const std::vector<RuleCoverage>& counts) const {
    std::string text = fmt::format("\n{:>6} {:>6} {:>9} {:>8}  {}\n", "rules", "tests", "scenarios", "captures", "area");
    for (const RuleGroup& group : rule_groups()) {
      const Fired f = fired(group.rules, counts);
      fmt::format_to(std::back_inserter(text), "{:>6} {:>6} {:>9} {:>8}  {}\n", f.rules, by_tests(f.by_tests), f.by_scenarios,
                     f.by_captures, group.name);
    }
    const Fired aim = fired(range_fault_and_migrate_rules_of_6_12(), counts);
    fmt::format_to(std::back_inserter(text), "\nrange-fault and migrate rules of 6.12: {}, fired by captures {} ({} %)\n", aim.rules,
                   aim.by_captures, aim.rules == 0 ? 0 : aim.by_captures * 100 / aim.rules);
    std::string unfired;
    for (const RuleId id : unfired_rules(counts)) unfired += " " + std::string(rule(id).id);
    text += records_.empty() ? "fired by no scenario and no capture:" : "fired by nothing:";
    return text + (unfired.empty() ? " none" : unfired) + "\n";
  }

  static std::vector<RuleId> unfired_rules(const std::vector<RuleCoverage>& counts) {
    std::vector<RuleId> unfired;
    for (const Rule& r : rules()) {
      const RuleCoverage& count = counts[static_cast<size_t>(r.rule)];
      if (count.tests + count.scenarios + count.captures == 0) unfired.push_back(r.rule);
    }
    return unfired;
  }

  std::string as_text(const std::vector<Function>& functions, const std::vector<RuleCoverage>& counts) const {
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

  std::string as_json(const std::vector<Function>& functions, const std::vector<RuleCoverage>& counts) const {
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
        list.back()["tests"] = tests_json(count.tests);
        list.back()["scenarios"] = count.scenarios;
        list.back()["captures"] = count.captures;
      }
    }
    nlohmann::ordered_json result{{"rules", std::move(list)}};
    if (!counts.empty() && functions.size() > 1) {
      auto groups = nlohmann::ordered_json::array();
      for (const RuleGroup& group : rule_groups()) {
        const Fired f = fired(group.rules, counts);
        groups.push_back({{"area", group.name},
                          {"rules", f.rules},
                          {"tests", tests_json(f.by_tests)},
                          {"scenarios", f.by_scenarios},
                          {"captures", f.by_captures}});
      }
      const Fired aim = fired(range_fault_and_migrate_rules_of_6_12(), counts);
      auto unfired = nlohmann::ordered_json::array();
      for (const RuleId id : unfired_rules(counts)) unfired.push_back(rule(id).id);
      result["groups"] = std::move(groups);
      result["range_fault_and_migrate_6_12"] = {{"rules", aim.rules}, {"captures", aim.by_captures}};
      result["unfired"] = std::move(unfired);
    }
    return result.dump(2) + "\n";
  }

  std::string function_, records_;
  bool coverage_ = false;
};

}  // namespace

std::unique_ptr<Command> make_rules_command() { return std::make_unique<RulesCommand>(); }

}  // namespace hmmscope::app
