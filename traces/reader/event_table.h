#pragma once
/// The index of a trace: one row an event, 16 bytes instead of the 32 of a TraceEvent. A row counts its time, offset and
/// line from those of its group of 128; kind, format and the upper half of the cpu are one number into a table of the
/// combinations that occur. A row that does not fit so (a gap of more than four seconds inside a group, more than 65535
/// tasks, lines out of order) is kept whole beside the others.
///
/// Rows only come at the end, in blocks that do not move. A copy of the table shares the blocks that are full, so that a
/// prefix of a growing table costs next to nothing.
///
/// Threads: one adds. Copies and prefixes are independent of the table they were made of: they may be read by other
/// threads while that one grows.

#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

namespace hmmscope::traces {

using KindId = uint16_t;
inline constexpr KindId no_kind = 0xffff;

/// One event of the index.
struct TraceEvent {
  int64_t time_ns = 0;      ///< exact; a count for counter clocks
  uint64_t offset = 0;      ///< of the line, or of the record
  uint32_t line = 0;        ///< 1-based line, or record number
  uint32_t task = 0;        ///< index into Trace::tasks()
  uint16_t cpu = 0;
  KindId kind = no_kind;    ///< index into Trace::kinds()
  uint16_t fields_at = 0;   ///< where the payload begins, from offset
  uint16_t format_data = 0; ///< the reader's own
};
static_assert(sizeof(TraceEvent) == 32);

class EventTable {
 public:
  class Iterator;

  EventTable() = default;
  EventTable(EventTable&&) noexcept = default;
  EventTable& operator=(EventTable&&) noexcept = default;
  EventTable(const EventTable& other) : EventTable(other.prefix(other.size_)) {}
  EventTable& operator=(const EventTable& other) { return *this = other.prefix(other.size_); }
  ~EventTable() = default;

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  TraceEvent operator[](size_t index) const;
  /// The same, of which one member is read.
  KindId kind(size_t index) const;
  uint32_t task(size_t index) const;
  Iterator begin() const;
  Iterator end() const;

  void push_back(const TraceEvent& event);
  /// All rows of a table that numbers kinds and tasks in its own way and counts its lines from its own first: `kinds` and
  /// `tasks` give the numbers here, `lines` is added. As push_back of each, at a fraction of the cost.
  void append(const EventTable& other, std::span<const KindId> kinds, std::span<const uint32_t> tasks, uint32_t lines);
  /// The first `count` rows (at most size()).
  EventTable prefix(size_t count) const;
  /// Stable; nothing happens when the rows are in order already.
  void sort_by_time();
  size_t bytes() const;   ///< heap held, shared blocks included

 private:
  static constexpr size_t group_rows = 128, block_rows = size_t{1} << 14;
  static constexpr uint16_t wide_row = 0xffff;   ///< the row is in Block::wide

  struct Row {
    uint32_t time, offset;   ///< from the group's
    uint16_t task, combination, fields_at;
    uint8_t cpu;             ///< its lower half
    uint8_t lines;           ///< left out since the group began
  };
  static_assert(sizeof(Row) == 16);
  struct Group {
    int64_t time;
    uint64_t offset;
    uint32_t line;
  };
  struct Wide {
    size_t row;
    TraceEvent event;
  };
  struct Block {
    std::array<Group, block_rows / group_rows> groups;
    std::array<Row, block_rows> rows;
    std::vector<Wide> wide;   ///< by row
  };
  struct Combination {
    KindId kind;
    uint16_t format_data;
    uint8_t cpu_upper;
    bool operator==(const Combination&) const = default;
  };

  static const TraceEvent& find_wide(const Block& block, size_t row);
  uint16_t add_combination(const Combination& combination);
  void add_block();

  size_t size_ = 0;
  std::vector<std::shared_ptr<Block>> blocks_;   ///< all but the last are full and never written again
  std::vector<Combination> combinations_;
  std::vector<uint16_t> last_of_kind_;           ///< the combination met last with a kind, or wide_row
  std::unordered_map<uint64_t, uint16_t> numbers_;   ///< of combinations
};

inline TraceEvent EventTable::operator[](size_t index) const {
  const Block& block = *blocks_[index / block_rows];
  const size_t at = index % block_rows;
  const Row& row = block.rows[at];
  if (row.combination == wide_row) return find_wide(block, at);
  const Group& group = block.groups[at / group_rows];
  const Combination& combination = combinations_[row.combination];
  return {group.time + row.time,
          group.offset + row.offset,
          group.line + static_cast<uint32_t>(at % group_rows) + row.lines,
          row.task,
          static_cast<uint16_t>(combination.cpu_upper << 8 | row.cpu),
          combination.kind,
          row.fields_at,
          combination.format_data};
}

inline KindId EventTable::kind(size_t index) const {
  const Block& block = *blocks_[index / block_rows];
  const Row& row = block.rows[index % block_rows];
  return row.combination == wide_row ? find_wide(block, index % block_rows).kind : combinations_[row.combination].kind;
}

inline uint32_t EventTable::task(size_t index) const {
  const Block& block = *blocks_[index / block_rows];
  const Row& row = block.rows[index % block_rows];
  return row.combination == wide_row ? find_wide(block, index % block_rows).task : row.task;
}

inline void EventTable::push_back(const TraceEvent& event) {
  const size_t at = size_ % block_rows, in_group = at % group_rows;
  if (at == 0) add_block();
  Block& block = *blocks_.back();
  Group& group = block.groups[at / group_rows];
  if (in_group == 0) group = {event.time_ns, event.offset, event.line};
  const uint64_t time = static_cast<uint64_t>(event.time_ns) - static_cast<uint64_t>(group.time);
  const uint64_t offset = event.offset - group.offset;
  const uint64_t lines = uint64_t{event.line} - group.line - in_group;
  const Combination combination = {event.kind, event.format_data, static_cast<uint8_t>(event.cpu >> 8)};
  uint16_t number = event.kind < last_of_kind_.size() ? last_of_kind_[event.kind] : wide_row;
  if (number == wide_row || !(combinations_[number] == combination)) number = add_combination(combination);
  ++size_;
  if (time <= UINT32_MAX && offset <= UINT32_MAX && lines <= UINT8_MAX && event.task <= UINT16_MAX && number != wide_row) {
    block.rows[at] = {static_cast<uint32_t>(time),  static_cast<uint32_t>(offset), static_cast<uint16_t>(event.task), number,
                      event.fields_at,              static_cast<uint8_t>(event.cpu), static_cast<uint8_t>(lines)};
  } else {
    block.rows[at] = {0, 0, 0, wide_row, 0, 0, 0};
    block.wide.push_back({at, event});
  }
}

/// Gives rows by value.
class EventTable::Iterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = TraceEvent;
  using difference_type = std::ptrdiff_t;
  using pointer = const TraceEvent*;
  using reference = TraceEvent;

  Iterator(const EventTable& table, size_t index) : table_(&table), index_(index) {}
  TraceEvent operator*() const { return (*table_)[index_]; }
  Iterator& operator++() {
    ++index_;
    return *this;
  }
  Iterator operator++(int) { return {*table_, index_++}; }
  bool operator==(const Iterator& other) const { return index_ == other.index_; }

 private:
  const EventTable* table_;
  size_t index_;
};

inline EventTable::Iterator EventTable::begin() const { return {*this, 0}; }
inline EventTable::Iterator EventTable::end() const { return {*this, size_}; }

}  // namespace hmmscope::traces
