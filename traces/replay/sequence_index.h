#pragma once
/// What the trace tells of the sequence of each interval notifier subscription, as a function of time: one
/// pass over the trace, then questions in O(log n).
///
/// The kernel's hmm_range_fault returns -EBUSY when the subscription's sequence is not the one the range was
/// given (mm/hmm.c, mmu_interval_check_retry). A driver's callback sets it some time between its entry and
/// its return, so a check that falls into that interval is two-valued. Sequences only grow: a read that
/// returns an older value than a callback has set (it was stale when it returned) does not lower it. Time is
/// the index of an event. Immutable after construction.

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "traces/replay/event_kinds.h"
#include "traces/replay/gap_index.h"

namespace hmmscope::traces {

/// Bounds of a sequence during an interval of time, relative to the value asked about.
struct SequenceBounds {
  uint64_t lowest = 0;   ///< at the least, at the beginning of the interval
  uint64_t highest = 0;  ///< at the most, at its end
  bool callbacks_missing =
      false;  ///< an invalidation overlaps the subscription and no callback event tells of it
  const TraceGap* gap = nullptr;  ///< callbacks may have been lost since the sequence was last told; null: none
};

class SequenceIndex {
 public:
  /// `gaps` must outlive the index.
  SequenceIndex(const Trace& trace, const EventKinds& kinds, const GapIndex& gaps);

  /// The sequence of `notifier` between the events `from` and `to`, given that a range holds `range_seq`.
  SequenceBounds during(uint64_t notifier, uint64_t range_seq, uint32_t from, uint32_t to) const;
  /// False: this callback (its entry event) does not record the sequence.
  bool records(uint32_t callback_event) const;
  /// The mm the subscription was inserted into, as of this event; 0 when not shown.
  uint64_t mm_of(uint64_t notifier, uint32_t event) const;

 private:
  struct Value {
    uint32_t time;
    uint64_t seq;  ///< running maximum up to this time
  };
  /// One life of a subscription: from its insertion to its removal.
  struct Life {
    uint32_t from = 0, to = no_time;
    uint64_t mm = 0, start = 0, last = ~0ull;
    std::vector<Value> possible;   ///< by the time a set may have happened
    std::vector<Value> certain;    ///< by the time a set has happened for sure
    std::vector<uint32_t> unseen;  ///< invalidations that overlap it without a callback event
  };
  static constexpr uint32_t no_time = ~0u;
  class Builder;

  const Life* life_of(uint64_t notifier, uint32_t event) const;

  const GapIndex& gaps_;
  std::unordered_map<uint64_t, std::vector<Life>> lives_;
  std::vector<uint32_t> skipped_;  ///< callbacks that do not record, ascending
};

}  // namespace hmmscope::traces
