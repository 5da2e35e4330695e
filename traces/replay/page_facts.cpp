#include "traces/replay/page_facts.h"

#include <algorithm>
#include <iterator>

namespace hmmscope::traces {

void PageFacts::set(WordIndex first, uint32_t count, uint8_t facts) {
  const size_t end = size_t{first} + count;
  if (facts == 0 && first >= facts_.size()) return;
  if (end > facts_.size()) facts_.resize(end, 0);
  std::fill(facts_.begin() + static_cast<std::ptrdiff_t>(first),
            facts_.begin() + static_cast<std::ptrdiff_t>(end), facts);
}

void PageFacts::remove_empty(uint32_t space, uint64_t start, uint64_t end) {
  const auto found = empty_.find(space);
  if (found == empty_.end() || end <= start) return;
  Ranges& ranges = found->second;
  auto at = ranges.upper_bound(start);
  if (at != ranges.begin() && std::prev(at)->second > start) --at;
  while (at != ranges.end() && at->first < end) {
    const auto [from, to] = *at;
    at = ranges.erase(at);
    if (from < start) ranges.emplace(from, start);
    if (to > end) at = std::next(ranges.emplace(end, to).first);
  }
}

void PageFacts::add_empty(uint32_t space, uint64_t start, uint64_t end) {
  if (end <= start) return;
  remove_empty(space, start, end);
  Ranges& ranges = empty_[space];
  const auto after = ranges.lower_bound(end);
  if (after != ranges.end() && after->first == end) {
    end = after->second;
    ranges.erase(after);
  }
  const auto before = ranges.lower_bound(start);
  if (before != ranges.begin() && std::prev(before)->second == start)
    std::prev(before)->second = end;
  else
    ranges.emplace(start, end);
}

bool PageFacts::is_empty(uint32_t space, uint64_t addr) const {
  const auto found = empty_.find(space);
  if (found == empty_.end()) return false;
  const auto after = found->second.upper_bound(addr);
  return after != found->second.begin() && std::prev(after)->second > addr;
}

bool PageFacts::any_empty(uint32_t space, uint64_t start, uint64_t end) const {
  const auto found = empty_.find(space);
  if (found == empty_.end()) return false;
  const auto after = found->second.lower_bound(end);
  return after != found->second.begin() && std::prev(after)->second > start;
}

void PageFacts::copy_empty(uint32_t from, uint32_t to) {
  if (const auto found = empty_.find(from); found != empty_.end()) {
    Ranges copy = found->second;
    empty_[to] = std::move(copy);
  }
}

}  // namespace hmmscope::traces
