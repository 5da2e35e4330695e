#include "engine/recording/history.h"

#include <algorithm>
#include <array>
#include <bit>

#include "engine/recording/blocks.h"
#include "engine/recording/write_lists.h"

namespace hmmscope {
namespace {

constexpr uint32_t max_levels = 32;

/// A word's writes in one list, in order.
struct List {
  const uint32_t* begin;
  const uint32_t* end;
};

/// The list whose first write is the earliest; nullptr when all are used up.
template <class Lists>
auto* earliest(Lists& lists, uint32_t count) {
  decltype(&lists[0]) best = nullptr;
  for (uint32_t i = 0; i < count; ++i) {
    auto& list = lists[i];
    if (list.begin != list.end && (best == nullptr || *list.begin < *best->begin)) best = &list;
  }
  return best;
}

}  // namespace

/// Numbers of writes by block of words. A single write is listed with its word; a run with each of the blocks
/// it splits into, so a word is covered exactly by the runs listed with the blocks that contain it, one block
/// a level: looking up never meets a run that misses the word, and a run of 262144 words costs a few entries.
struct History::Index {
  /// False when `proceed` said no.
  bool fill(const Recording& recording, const Proceed& proceed) {
    const uint32_t writes = recording.writes();
    WordIndex longest = 1;
    for (uint32_t w = 0; w < writes; ++w) {
      if (!may_proceed(proceed, w)) return false;
      longest = std::max(longest, recording.write_at(w).count);
    }
    levels = static_cast<uint32_t>(std::bit_width(longest));
    uint32_t blocks = 0;
    for (uint32_t level = 0; level < levels; ++level) {
      level_begin[level] = blocks;
      blocks += (recording.word_count() >> level) + 1;
    }
    return lists_of_blocks.fill(recording, blocks, proceed, writes, [&](const WriteView& write, auto visit) {
      for_each_block(write.first, write.count,
                     [&](uint32_t level, uint32_t block) { visit(level_begin[level] + block); });
    });
  }

  uint32_t lists(WordIndex word, std::array<List, max_levels>& out) const {
    uint32_t count = 0;
    for (uint32_t level = 0; level < levels; ++level) {
      const std::span<const uint32_t> found = lists_of_blocks[level_begin[level] + (word >> level)];
      if (!found.empty()) out[count++] = {found.data(), found.data() + found.size()};
    }
    return count;
  }

  uint32_t levels = 1;
  std::array<uint32_t, max_levels> level_begin{};
  WriteLists lists_of_blocks;
};

namespace {

std::optional<Change> change_of(const Recording& recording, uint32_t write, WordIndex word, uint64_t mask) {
  const WriteView view = recording.write_at(write);
  const uint32_t k = word - view.first;
  const uint64_t before = view.old_at(k);
  const uint64_t after = view.new_at(k);
  if (mask != 0 && ((before ^ after) & mask) == 0) return std::nullopt;
  return Change{recording.step_of_write(write), before, after, view.evidence};
}

/// The writes of a word at or after `from`, ascending.
class Ascending {
 public:
  Ascending(std::array<List, max_levels> lists, uint32_t count, uint32_t from)
      : lists_(lists), count_(count) {
    for (uint32_t i = 0; i < count_; ++i)
      lists_[i].begin = std::lower_bound(lists_[i].begin, lists_[i].end, from);
  }
  uint32_t next() {
    List* best = earliest(lists_, count_);
    return best == nullptr ? no_write : *best->begin++;
  }

 private:
  std::array<List, max_levels> lists_;
  uint32_t count_;
};

/// The writes of a word before `before`, descending.
class Descending {
 public:
  Descending(std::array<List, max_levels> lists, uint32_t count, uint32_t before)
      : lists_(lists), count_(count) {
    for (uint32_t i = 0; i < count_; ++i)
      lists_[i].end = std::lower_bound(lists_[i].begin, lists_[i].end, before);
  }
  uint32_t next() {
    List* best = nullptr;
    for (uint32_t i = 0; i < count_; ++i) {
      List& list = lists_[i];
      if (list.begin != list.end && (best == nullptr || *(list.end - 1) > *(best->end - 1))) best = &list;
    }
    return best == nullptr ? no_write : *--best->end;
  }

 private:
  std::array<List, max_levels> lists_;
  uint32_t count_;
};

}  // namespace

History::History(std::shared_ptr<const Recording> recording) : recording_(std::move(recording)) {
  auto index = std::make_unique<Index>();
  index->fill(*recording_, {});
  index_ = std::move(index);
}
History::~History() = default;

std::unique_ptr<const History> History::build(std::shared_ptr<const Recording> recording, const Proceed& proceed) {
  std::unique_ptr<History> made(new History);
  made->recording_ = std::move(recording);
  auto index = std::make_unique<Index>();
  if (!index->fill(*made->recording_, proceed)) return nullptr;
  made->index_ = std::move(index);
  return made;
}

History::Writes History::writes(WordIndex word, uint32_t from) const {
  Writes writes;
  if (word >= recording_->word_count()) return writes;
  std::array<List, max_levels> lists{};
  writes.recording_ = recording_.get();
  writes.word_ = word;
  writes.count_ = index_->lists(word, lists);
  for (uint32_t i = 0; i < writes.count_; ++i)
    writes.lists_[i] = {std::lower_bound(lists[i].begin, lists[i].end, from), lists[i].end};
  return writes;
}

std::optional<WordWrite> History::Writes::next() {
  List* best = earliest(lists_, count_);
  if (best == nullptr) return std::nullopt;
  const uint32_t number = *best->begin++;
  const WriteView write = recording_->write_at(number);
  const uint32_t k = word_ - write.first;
  return WordWrite{number, write.old_at(k), write.new_at(k), write.evidence};
}

std::vector<Change> History::changes(WordIndex word, uint64_t mask) const {
  std::vector<Change> found;
  if (word >= recording_->word_count()) return found;
  std::array<List, max_levels> lists{};
  const uint32_t count = index_->lists(word, lists);
  Ascending writes(lists, count, 0);
  for (uint32_t w = writes.next(); w != no_write; w = writes.next()) {
    if (const auto change = change_of(*recording_, w, word, mask)) found.push_back(*change);
  }
  return found;
}

std::optional<Change> History::next_change(WordIndex word, uint64_t mask, StepIndex from) const {
  if (word >= recording_->word_count() || from >= recording_->steps()) return std::nullopt;
  std::array<List, max_levels> lists{};
  const uint32_t count = index_->lists(word, lists);
  Ascending writes(lists, count, recording_->first_write(from));
  for (uint32_t w = writes.next(); w != no_write; w = writes.next()) {
    if (auto change = change_of(*recording_, w, word, mask)) return change;
  }
  return std::nullopt;
}

std::optional<Change> History::previous_change(WordIndex word, uint64_t mask, StepIndex before) const {
  if (word >= recording_->word_count()) return std::nullopt;
  std::array<List, max_levels> lists{};
  const uint32_t count = index_->lists(word, lists);
  Descending writes(lists, count, recording_->first_write(std::min(before, recording_->steps())));
  for (uint32_t w = writes.next(); w != no_write; w = writes.next()) {
    if (auto change = change_of(*recording_, w, word, mask)) return change;
  }
  return std::nullopt;
}

std::optional<Change> History::last_write(WordIndex word, StepIndex before) const {
  return previous_change(word, 0, before);
}

size_t History::bytes() const {
  return index_->lists_of_blocks.bytes();
}

}  // namespace hmmscope
