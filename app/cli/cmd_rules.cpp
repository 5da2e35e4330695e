#include <fmt/format.h>

#include <iterator>
#include <nlohmann/json.hpp>
#include <vector>

#include "app/cli/command.h"
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
    output.print(output.json ? as_json(functions) : as_text(functions));
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

  static std::string as_text(const std::vector<Function>& functions) {
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

  static std::string as_json(const std::vector<Function>& functions) {
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
      }
    }
    return nlohmann::ordered_json{{"rules", std::move(list)}}.dump(2) + "\n";
  }

  std::string function_;
};

}  // namespace

std::unique_ptr<Command> make_rules_command() { return std::make_unique<RulesCommand>(); }

}  // namespace hmmscope::app
