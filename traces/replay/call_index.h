#pragma once
/// Which events belong to which hmm_range_fault call: one pass over the trace, four bytes an event.
///
/// A call's own events are those of its task between rf_in and rf_out, without the events of calls nested in
/// it (a fault of one call can make another); the nested rf_in stands in the outer call's list as its place
/// there. Immutable after construction.

#include <cstdint>
#include <span>
#include <vector>

#include "traces/replay/event_kinds.h"
#include "traces/replay/gap_index.h"

namespace hmmscope::traces {

inline constexpr uint32_t no_index = ~uint32_t{0};

/// One recorded call.
struct TracedCall {
  uint32_t in = no_index;   ///< rf_in
  uint32_t out = no_index;  ///< rf_out; no_index when no event shows it
  uint32_t over = no_index; ///< without rf_out: an event of the task that shows that the call is over; no_index when none
  uint32_t task = 0;
  uint32_t parent = no_index;         ///< the call it is nested in
  uint32_t first = no_index;          ///< its first own event after rf_in; no_index when it has none
  uint64_t range = 0;                 ///< address of struct hmm_range, which ties the windows to the call
  const TraceGap* gap = nullptr;      ///< the ring buffer overwrote events while the call ran: the first gap
  std::vector<uint32_t> in_windows;   ///< further pieces of the array at entry (they come before rf_in)
  std::vector<uint32_t> out_windows;  ///< and at return
};

class CallIndex {
 public:
  /// `gaps` must outlive the index.
  CallIndex(const Trace& trace, const EventKinds& kinds, const GapIndex& gaps);

  std::span<const TracedCall> calls() const { return calls_; }
  /// The call that begins at this rf_in event; no_index when none.
  uint32_t call_at(uint32_t in_event) const;
  /// The event is replayed with a call: one of its own events, its rf_out or one of its windows. The rf_in of
  /// a call that is not nested is not: it is where the replay starts the call.
  bool in_call(uint32_t event) const { return member_[event] != 0; }
  /// The own event after `event` in the same call; no_index at the end.
  uint32_t next(uint32_t event) const { return next_[event]; }

 private:
  struct TaskState;
  void add_window(TaskState& task, const EventView& event, uint32_t index, bool at_entry);

  std::vector<TracedCall> calls_;
  std::vector<uint32_t> next_;
  std::vector<uint8_t> member_;
};

}  // namespace hmmscope::traces
