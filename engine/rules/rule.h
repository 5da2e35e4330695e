#pragma once
/// The decision rules as readable data. Each branch the engine can take is a rule with a stable id, one sentence,
/// the kernel function it belongs to, the versions it holds for and the names of the operands it looks at. Rules are
/// listed in the .def files beside this one, one file an area, in decision order inside each function; the enum, the
/// table, the Decision panel, `hmmscope rules` and the coverage test are all made from those lists.
///
/// A row:  HMMSCOPE_RULE(enumerator, "stable.id", Function enumerator, "versions", "statement", "operand names, comma separated")

#include <cstdint>
#include <span>
#include <string_view>

namespace hmmscope {

enum class Function : uint8_t {
#define HMMSCOPE_FUNCTION(name) name,
#include "engine/rules/functions.def"
#undef HMMSCOPE_FUNCTION
  count_
};

std::string_view function_name(Function function);
/// The function with that name; false when there is none.
bool function_named(std::string_view name, Function& function);

enum class RuleId : uint16_t {
#define HMMSCOPE_RULE(name, id, function, versions, statement, operands) name,
#include "engine/rules/all_rules.def"
#undef HMMSCOPE_RULE
  count_
};

/// Functions that changed beyond recognition have rows of two eras; no recording mixes them.
enum class RuleEra : uint8_t {
  driver_format,   ///< the range calls of 4.14 to 5.6
  today,
};

struct Rule {
  RuleId rule;
  std::string_view id;         ///< "pte.device_private.owner"
  Function function;
  std::string_view versions;   ///< "all", "5.9..6.15", "6.16+"
  std::string_view statement;  ///< one sentence a learner can read
  std::string_view operands;   ///< "pte,req,cpu_flags"; empty when none
  RuleEra era = RuleEra::today;

  uint32_t operand_count() const;
  std::string_view operand_name(uint32_t index) const;  ///< "" past the end
};

const Rule& rule(RuleId id);
std::span<const Rule> rules();
/// nullptr when unknown.
const Rule* find_rule(std::string_view id);
/// The rules of one function, in decision order.
std::span<const RuleId> rules_of(Function function);
/// Whether both can appear in one recording's list of a function's rules.
inline bool same_era(const Rule& a, const Rule& b) { return a.era == b.era; }

}  // namespace hmmscope
