#include "traces/replay/missing_event.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace hmmscope::traces {
namespace {

constexpr std::pair<EventKind, EventKind> pairs[] = {
    {EventKind::w_test, EventKind::w_test_r},         {EventKind::w_hole, EventKind::w_hole_r},
    {EventKind::w_pud, EventKind::w_pud_r},           {EventKind::w_pmd, EventKind::w_pmd_r},
    {EventKind::h_pmd, EventKind::h_pmd_r},           {EventKind::h_pte, EventKind::h_pte_r},
    {EventKind::w_htlb, EventKind::w_htlb_r},         {EventKind::fault, EventKind::fault_r},
    {EventKind::need_range, EventKind::need_range_r}, {EventKind::prep, EventKind::prep_r},
    {EventKind::split, EventKind::split_r},           {EventKind::mmf, EventKind::mmf_r},
    {EventKind::mv_cpmd, EventKind::mv_cpmd_r}};

struct Entered {
  EventKind ret;
  uint32_t event;
  bool helper_returned = false;   ///< the fault helper, inside it
};

std::string text_of(const EventView& event, std::string_view what) {
  return fmt::format("an event is missing: {} in line {} has no {}", event.kind_name(), event.line(), what);
}

/// Where these end with a jump to the fault helper (6.1), the helper returns in their place.
bool may_end_with_the_helper(const Entered& entered) {
  return entered.helper_returned && (entered.ret == EventKind::h_pte_r || entered.ret == EventKind::h_pmd_r);
}

}  // namespace

std::string missing_event(const Trace& trace, const EventKinds& kinds, std::span<const uint32_t> events, bool whole) {
  std::vector<Entered> stack;
  for (const uint32_t index : events) {
    const EventKind kind = kinds.at(trace, index);
    const auto pair = std::ranges::find_if(pairs, [&](const auto& p) { return p.first == kind || p.second == kind; });
    if (pair == std::end(pairs) || !kinds.has(pair->first) || !kinds.has(pair->second)) continue;
    if (pair->first == kind) {
      stack.push_back({pair->second, index});
      continue;
    }
    while (!stack.empty() && stack.back().ret != kind && may_end_with_the_helper(stack.back())) stack.pop_back();
    if (stack.empty() || stack.back().ret != kind) {
      const bool entered = std::ranges::any_of(stack, [&](const Entered& e) { return e.ret == kind; });
      return entered ? text_of(trace[stack.back().event], "return") : text_of(trace[index], "entry");
    }
    stack.pop_back();
    if (kind == EventKind::fault_r && !stack.empty()) stack.back().helper_returned = true;
  }
  while (!stack.empty() && may_end_with_the_helper(stack.back())) stack.pop_back();
  return whole && !stack.empty() ? text_of(trace[stack.back().event], "return") : std::string();
}

}  // namespace hmmscope::traces
