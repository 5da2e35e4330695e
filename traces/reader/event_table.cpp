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

void EventTable::append(const EventTable& other, std::span<const KindId> kinds, std::span<const uint32_t> tasks,
                        uint32_t lines) {
  std::vector<uint16_t> numbers;
  for (const Combination& theirs : other.combinations_)
    numbers.push_back(add_combination({kinds[theirs.kind], theirs.format_data, theirs.cpu_upper}));
  const auto here = [&](TraceEvent event) {
    event.kind = kinds[event.kind];
    event.task = tasks[event.task];
    event.line += lines;
    return event;
  };
  for (size_t index = 0; index < other.size_;) {
    // The row that begins a group here says what the others of it are counted from.
    if (size_ % group_rows == 0) {
      push_back(here(other[index++]));
      continue;
    }
    const size_t from = index % block_rows, to = size_ % block_rows;
    const size_t count = std::min({group_rows - from % group_rows, group_rows - to % group_rows, other.size_ - index});
    const Block& source = *other.blocks_[index / block_rows];
    Block& block = *blocks_.back();
    const Group& theirs = source.groups[from / group_rows];
    const Group& ours = block.groups[to / group_rows];
    const uint64_t time = static_cast<uint64_t>(theirs.time) - static_cast<uint64_t>(ours.time);
    const uint64_t offset = theirs.offset - ours.offset;
    const uint64_t line = uint64_t{theirs.line} + lines - ours.line + from % group_rows - to % group_rows;
    for (size_t k = 0; k < count; ++k) {
      const Row& row = source.rows[from + k];
      const bool narrow = row.combination != wide_row && numbers[row.combination] != wide_row && time + row.time <= UINT32_MAX &&
                          offset + row.offset <= UINT32_MAX && line + row.lines <= UINT8_MAX && tasks[row.task] <= UINT16_MAX;
      if (!narrow) {
        push_back(here(other[index + k]));
        continue;
      }
      block.rows[to + k] = {static_cast<uint32_t>(time + row.time), static_cast<uint32_t>(offset + row.offset),
                            static_cast<uint16_t>(tasks[row.task]), numbers[row.combination], row.fields_at, row.cpu,
                            static_cast<uint8_t>(line + row.lines)};
      ++size_;
    }
    index += count;
  }
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
