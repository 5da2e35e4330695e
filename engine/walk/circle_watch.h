#pragma once
/// Notices a walk that restarts in a circle, so that a call which never ends is named after a few rounds and not after
/// max_restarts of them: the words of the machine are the same at two restarts in a row, and so the rounds to come are.
/// Looked for at restarts 16, 32, 64, ..., because a look costs all words. Only for a call that nobody disturbs, and whose
/// hooks, if it has any, can say whether somebody else could have gone on meanwhile: among tasks a circle is endless when
/// nobody could, as then the next round has no more choice than the last one had.

#include <cstdint>
#include <optional>

#include "engine/machine/machine.h"
#include "engine/recording/paged_state.h"
#include "engine/walk/hooks.h"

namespace hmmscope {

class CircleWatch {
 public:
  /// At each restart of a call with these hooks (may be null), with where the walk goes on. True: it has been here before.
  bool circles(const Machine& machine, uint64_t last, const WalkHooks* hooks, bool undisturbed) {
    const std::optional<uint64_t> others = hooks == nullptr ? 0 : hooks->turns_of_others();
    return others && undisturbed && circles(machine, last, *others);
  }
  /// The same with how often others could have gone on.
  bool circles(const Machine& machine, uint64_t last, uint64_t others) {
    ++restarts_;
    const bool mark = restarts_ == next_, compare = restarts_ == next_ + 1;
    if (!mark && !compare) return false;
    const State now{state_hash(machine.memory().words()), last, others};
    if (compare) {
      next_ *= 2;
      return now == marked_;
    }
    marked_ = now;
    return false;
  }

 private:
  struct State {
    uint64_t words = 0, last = 0, others = 0;
    bool operator==(const State&) const = default;
  };
  uint64_t restarts_ = 0, next_ = 16;
  State marked_;
};

}  // namespace hmmscope
