#pragma once
/// Which events belong to which call of migrate_vma_setup, migrate_vma_pages, migrate_vma_finalize and
/// (unified fault-and-migrate patches) migrate_hmm_range_setup: one pass over the trace. A call's own events
/// are those of its task between entry and return, without those of the range fault and the
/// migrate_hmm_range_setup that a unified setup makes; their entries stand in the list as their place there.
/// Immutable after construction.

#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "traces/replay/call_index.h"
#include "traces/replay/event_kinds.h"

namespace hmmscope::traces {

struct TracedMigration {
  uint32_t in = no_index;
  uint32_t out = no_index;  ///< no_index when the trace does not show the return
  uint32_t task = 0;
  EventKind kind = EventKind::mv_setup_in;  ///< of `in`
  uint64_t args = 0;                        ///< address of struct migrate_vma
  uint32_t first = 0, count = 0;            ///< its own events, in MigrateIndex::events()
  uint32_t after = no_index;  ///< the next call with the same struct: what it finds there is what this left
  uint32_t walk = no_index;   ///< rf_in of the range fault that a unified setup makes
  uint32_t parent = no_index, child = no_index;  ///< a unified setup and the migrate_hmm_range_setup in it
  const TraceGap* gap = nullptr;                 ///< events were lost while it ran: the first gap
};

class MigrateIndex {
 public:
  /// `gaps` must outlive the index.
  MigrateIndex(const Trace& trace, const EventKinds& kinds, const GapIndex& gaps);

  std::span<const TracedMigration> calls() const { return calls_; }
  std::span<const uint32_t> events(const TracedMigration& call) const {
    return std::span(events_).subspan(call.first, call.count);
  }
  /// The call that begins at this event; no_index when none.
  uint32_t call_at(uint32_t in_event) const;
  /// The event is replayed with a call: one of its own events or its return.
  bool in_call(uint32_t event) const { return (member_[event] & inside) != 0; }
  /// The first migrate_hmm_range_setup of this task with this struct that begins after the event.
  uint32_t range_setup_after(uint32_t task, uint64_t args, uint32_t event) const;

 private:
  class Builder;

  std::vector<TracedMigration> calls_;
  std::vector<uint32_t> events_;
  static constexpr uint8_t inside = 1, begins = 2;
  std::vector<uint8_t> member_;   ///< by event: `inside` a call, `begins` one
  std::map<std::pair<uint32_t, uint64_t>, std::vector<uint32_t>> range_setups_;  ///< by task and struct
};

}  // namespace hmmscope::traces
