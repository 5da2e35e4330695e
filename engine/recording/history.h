#pragma once
/// Who wrote a word, and when. The index is built once a recording (O(writes)); look-ups do not scan the recording.
/// A word that does not exist has no history. Threads: immutable after construction.

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "engine/base/proceed.h"
#include "engine/recording/recording.h"

namespace hmmscope {

struct Change {
  StepIndex step;
  uint64_t before, after;
  Evidence evidence;
};

/// One write of a word. `number` is the write's in the recording (Recording::step_of_write tells its step).
struct WordWrite {
  uint32_t number;
  uint64_t before, after;
  Evidence evidence;
};

class History {
 public:
  explicit History(std::shared_ptr<const Recording> recording);
  /// As the constructor, asking `proceed` with the writes done (three passes over them); nullptr when it said no.
  static std::unique_ptr<const History> build(std::shared_ptr<const Recording> recording, const Proceed& proceed);
  ~History();

  const Recording& recording() const { return *recording_; }
  size_t bytes() const;   ///< heap held by the index

  /// Every write of `word` that changed at least one bit of `mask` (all writes, rewrites included, when mask is 0),
  /// in step order.
  std::vector<Change> changes(WordIndex word, uint64_t mask = ~0ull) const;
  /// First change at a step >= `from`; last change at a step < `before`.
  std::optional<Change> next_change(WordIndex word, uint64_t mask, StepIndex from) const;
  std::optional<Change> previous_change(WordIndex word, uint64_t mask, StepIndex before) const;
  /// The last write of `word` at a step < `before`, changed or not: what its value rests on.
  std::optional<Change> last_write(WordIndex word, StepIndex before) const;

  /// The writes of one word in order, read one by one: nothing is copied, however many there are. Must not outlive
  /// the history.
  class Writes {
   public:
    std::optional<WordWrite> next();

   private:
    friend class History;
    static constexpr uint32_t max_levels = 32;
    struct List {
      const uint32_t* begin;
      const uint32_t* end;
    };
    const Recording* recording_ = nullptr;
    WordIndex word_ = no_word;
    uint32_t count_ = 0;
    std::array<List, max_levels> lists_{};
  };
  /// From the write numbered `from` on.
  Writes writes(WordIndex word, uint32_t from = 0) const;

 private:
  History() = default;
  struct Index;
  std::shared_ptr<const Recording> recording_;
  std::unique_ptr<const Index> index_;
};

}  // namespace hmmscope
