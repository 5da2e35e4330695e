#pragma once
/// What tasks may still do, learned from what they did in the runs so far, and whether one task's next segment touches
/// none of it: then all others can wait, and only one order has to be tried (a persistent set of one task).
///
/// For every position of a task (its history) the objects of its next segment are kept, and those of everything that
/// was ever seen to follow. Both only grow. A choice made with too little knowledge is found by asking again later: an
/// exploration all of whose choices still hold at its end has lost nothing. That the knowledge is then complete for
/// every choice follows by induction from the end of the runs: had another task a segment, reachable without the one
/// that goes first, that touches the same, then that segment would also be reached with it gone first, and be known.
/// Threads: one. Ownership: values only.

#include <cstdint>
#include <map>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/schedule/policy.h"

namespace hmmscope::schedule {

class Independence {
 public:
  void learn(const Segment& segment);
  /// No segment that any other task is known to have ahead conflicts with the next one of `task`.
  bool goes_alone(uint32_t task, std::span<const uint64_t> positions) const;
  /// Grows whenever something was learned that may change an answer.
  uint64_t knowledge() const { return knowledge_; }

 private:
  using Objects = std::vector<uint64_t>;   ///< a bit an object
  struct Accesses {
    Objects reads, writes;
    /// True when something was new.
    bool add(const Accesses& other);
    bool conflicts(const Accesses& other) const;
  };
  struct Place {
    Accesses next, ahead;   ///< of the next segment; of all segments from here on
    std::vector<size_t> before;
  };
  size_t place(uint32_t task, uint64_t position);
  const Place* find(uint32_t task, uint64_t position) const;
  size_t number(uint64_t object);
  void spread(size_t from);

  std::unordered_map<uint64_t, size_t> numbers_;
  std::map<std::pair<uint32_t, uint64_t>, size_t> index_;
  std::vector<Place> places_;
  uint64_t knowledge_ = 0;
};

}  // namespace hmmscope::schedule
