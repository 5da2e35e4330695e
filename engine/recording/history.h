#pragma once
/// Who wrote a word, and when. The index is built once a recording (O(writes)); look-ups do not scan the recording.
/// A word that does not exist has no history. Threads: immutable after construction.

#include <memory>
#include <optional>
#include <vector>

#include "engine/recording/recording.h"

namespace hmmscope {

struct Change {
  StepIndex step;
  uint64_t before, after;
  Evidence evidence;
};

class History {
 public:
  explicit History(std::shared_ptr<const Recording> recording);
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

 private:
  struct Index;
  std::shared_ptr<const Recording> recording_;
  std::unique_ptr<const Index> index_;
};

}  // namespace hmmscope
