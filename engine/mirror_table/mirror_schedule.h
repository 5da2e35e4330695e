#pragma once
/// Several iterators on one table, interleaved by whoever writes the schedule: every race of the review can be stepped
/// in either order.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/mirror_table/mirror_iterator.h"

namespace hmmscope {

class MirrorIterators {
 public:
  explicit MirrorIterators(MirrorTable& table) : table_(table) {}

  /// The iterator of that name, made at the first call. With a recorder it becomes a task of the recording.
  MirrorIterator& named(const std::string& name);
  const MirrorIterator::Everybody& all() const { return iterators_; }

  struct Outcome {
    uint64_t turns = 0;
    bool deadlock = false;          ///< everybody left waits for somebody who waits
    MirrorViolation violation = MirrorViolation::none;
  };
  /// Gives turns in the order of `schedule` (turns of iterators that are done are skipped), then to everybody in
  /// rotation until all programs are done. Then checks the table. `after_turn` may be empty.
  Outcome run(const std::vector<MirrorIterator*>& schedule, const std::function<void()>& after_turn = {});
  /// What the table's check() says now.
  MirrorViolation check() const;

 private:
  MirrorTable& table_;
  MirrorIterator::Everybody iterators_;
};

}  // namespace hmmscope
