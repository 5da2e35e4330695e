#include "traces/reader/event_table.h"

#include <algorithm>

namespace hmmscope::traces {

const TraceEvent& EventTable::find_wide(const Block& block, size_t row) {
  const auto found = std::lower_bound(block.wide.begin(), block.wide.end(), row, [](const Wide& wide, size_t at) { return wide.row < at; });
  return found->event;
}

void EventTable::add_block() { blocks_.push_back(std::make_shared_for_overwrite<Block>()); }

uint16_t EventTable::add_combination(const Combination& combination) {
  const uint64_t key = uint64_t{combination.kind} << 32 | uint64_t{combination.format_data} << 8 | combination.cpu_upper;
  auto found = numbers_.find(key);
  if (found == numbers_.end()) {
    if (combinations_.size() == wide_row) return wide_row;
    found = numbers_.emplace(key, static_cast<uint16_t>(combinations_.size())).first;
    combinations_.push_back(combination);
  }
  if (combination.kind >= last_of_kind_.size()) last_of_kind_.resize(combination.kind + size_t{1}, wide_row);
  return last_of_kind_[combination.kind] = found->second;
}

EventTable EventTable::prefix(size_t count) const {
  EventTable out;
  out.size_ = std::min(count, size_);
  out.combinations_ = combinations_;
  out.last_of_kind_ = last_of_kind_;
  out.numbers_ = numbers_;
  const size_t full = out.size_ / block_rows, rest = out.size_ % block_rows;
  out.blocks_.assign(blocks_.begin(), blocks_.begin() + static_cast<std::ptrdiff_t>(full));
  if (rest == 0) return out;
  const Block& last = *blocks_[full];
  out.add_block();
  Block& copy = *out.blocks_.back();
  std::copy_n(last.groups.begin(), (rest + group_rows - 1) / group_rows, copy.groups.begin());
  std::copy_n(last.rows.begin(), rest, copy.rows.begin());
  for (const Wide& wide : last.wide) {
    if (wide.row < rest) copy.wide.push_back(wide);
  }
  return out;
}

void EventTable::sort_by_time() {
  const auto earlier = [](const TraceEvent& a, const TraceEvent& b) { return a.time_ns < b.time_ns; };
  bool sorted = true;
  for (size_t i = 1; i < size_ && sorted; ++i) sorted = (*this)[i - 1].time_ns <= (*this)[i].time_ns;
  if (sorted) return;
  std::vector<TraceEvent> events(begin(), end());
  std::stable_sort(events.begin(), events.end(), earlier);
  *this = EventTable();
  for (const TraceEvent& event : events) push_back(event);
}

size_t EventTable::bytes() const {
  size_t bytes = blocks_.capacity() * sizeof(blocks_[0]) + blocks_.size() * sizeof(Block) +
                 combinations_.capacity() * sizeof(Combination) + last_of_kind_.capacity() * sizeof(uint16_t);
  for (const auto& block : blocks_) bytes += block->wide.capacity() * sizeof(Wide);
  return bytes;
}

}  // namespace hmmscope::traces
