#include "engine/rules/rule.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <iterator>

namespace hmmscope {
namespace {

constexpr std::string_view function_names[] = {
#define HMMSCOPE_FUNCTION(name) std::string_view(#name),
#include "engine/rules/functions.def"
#undef HMMSCOPE_FUNCTION
};

// A plain array: deducing a std::array of this length goes over clang's limit for fold expressions.
constexpr Rule table[] = {
#define HMMSCOPE_RULE(name, id, function, versions, statement, operands) \
  Rule{RuleId::name, id, Function::function, versions, statement, operands, RuleEra::HMMSCOPE_RULE_ERA},
#include "engine/rules/all_rules.def"
#undef HMMSCOPE_RULE
};

constexpr size_t function_count = static_cast<size_t>(Function::count_);

/// The rules by function; stable, so decision order inside a function is the order of the rows.
struct ByFunction {
  std::array<RuleId, std::size(table)> rules{};
  std::array<uint32_t, function_count + 1> begin{};
};

constexpr ByFunction group_by_function() {
  ByFunction grouped;
  for (const Rule& r : table) ++grouped.begin[static_cast<size_t>(r.function) + 1];
  for (size_t f = 0; f < function_count; ++f) grouped.begin[f + 1] += grouped.begin[f];
  auto next = grouped.begin;
  for (const Rule& r : table) grouped.rules[next[static_cast<size_t>(r.function)]++] = r.rule;
  return grouped;
}
constexpr ByFunction by_function = group_by_function();

constexpr std::array<uint16_t, std::size(table)> sort_by_id() {
  std::array<uint16_t, std::size(table)> order{};
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<uint16_t>(i);
  std::sort(order.begin(), order.end(), [](uint16_t a, uint16_t b) { return table[a].id < table[b].id; });
  return order;
}
constexpr auto by_id = sort_by_id();

}  // namespace

std::string_view function_name(Function function) {
  const auto index = static_cast<size_t>(function);
  return index < std::size(function_names) ? function_names[index] : "unknown_function";
}

bool function_named(std::string_view name, Function& function) {
  const auto found = std::find(std::begin(function_names), std::end(function_names), name);
  if (found == std::end(function_names)) return false;
  function = static_cast<Function>(found - std::begin(function_names));
  return true;
}

uint32_t Rule::operand_count() const {
  if (operands.empty()) return 0;
  return static_cast<uint32_t>(std::count(operands.begin(), operands.end(), ',')) + 1;
}

std::string_view Rule::operand_name(uint32_t index) const {
  std::string_view rest = operands;
  for (; index > 0; --index) {
    const size_t comma = rest.find(',');
    if (comma == std::string_view::npos) return {};
    rest.remove_prefix(comma + 1);
  }
  std::string_view name = rest.substr(0, rest.find(','));
  while (name.starts_with(' ')) name.remove_prefix(1);
  while (name.ends_with(' ')) name.remove_suffix(1);
  return name;
}

const Rule& rule(RuleId id) {
  const auto index = static_cast<size_t>(id);
  assert(index < std::size(table));
  return table[index];
}

std::span<const Rule> rules() { return table; }

const Rule* find_rule(std::string_view id) {
  const auto found = std::lower_bound(by_id.begin(), by_id.end(), id,
                                      [](uint16_t a, std::string_view b) { return table[a].id < b; });
  return found != by_id.end() && table[*found].id == id ? &table[*found] : nullptr;
}

std::span<const RuleId> rules_of(Function function) {
  const auto f = static_cast<size_t>(function);
  if (f >= function_count) return {};
  return std::span(by_function.rules)
      .subspan(by_function.begin[f], by_function.begin[f + 1] - by_function.begin[f]);
}

}  // namespace hmmscope
