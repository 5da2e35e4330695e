#pragma once
/// The changes of one word (or of some of its bits) as rows that can be counted and looked up without holding a copy
/// of them: marks every few thousand writes, and the rows on screen. A word may be written ten million times; then
/// the marks are laid in slices, one slice a frame, and what is known so far can be shown meanwhile.

#include <cstdint>
#include <vector>

#include "engine/recording/history.h"

namespace hmmscope::ui {

/// The number of the first write of a word of a trace, which makes it known even where it leaves its value; no_write when
/// there is none, or the word is known from the start.
uint32_t telling_write(const History& history, WordIndex word);

class ChangePages {
 public:
  /// Changes of `word` in `mask`, and in a recording of a trace the first write, which makes the word known; nothing when
  /// it is that already. `history` may be nullptr (no changes) and must
  /// outlive the pages otherwise. True when it was another.
  bool show(const History* history, WordIndex word, uint64_t mask);
  /// Lays marks over some more writes; false when all are done.
  bool advance();

  bool complete() const { return complete_; }
  size_t count() const { return count_; }  ///< changes found so far
  /// Changes at steps < `position`, of those found so far.
  size_t before(StepIndex position);
  /// The k-th change, k < count().
  const Change& at(size_t k);

 private:
  /// The next write to look at and the changes before it.
  struct Mark {
    uint32_t write;
    size_t rank;
  };
  bool matches(const WordWrite& write) const {
    return write.number == telling_ || ((write.before ^ write.after) & mask_) != 0;
  }
  void load(size_t k);

  const History* history_ = nullptr;
  WordIndex word_ = no_word;
  uint64_t mask_ = 0;
  uint32_t telling_ = no_write;  ///< the write that makes an unknown word known
  History::Writes scan_;
  std::vector<Mark> marks_;
  size_t count_ = 0;
  bool complete_ = true;
  size_t first_ = 0;          ///< rank of rows_[0]
  std::vector<Change> rows_;  ///< a page of changes around the last one asked for
};

}  // namespace hmmscope::ui
