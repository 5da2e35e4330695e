#pragma once
/// Which events belong to which call of migrate_vma_setup, migrate_vma_pages and migrate_vma_finalize: one
/// pass over the trace. A call's own events are those of its task between entry and return. A setup that
/// makes a range fault (the unified fault-and-migrate patches) keeps its entry, but its events stay where
/// they are. Immutable after construction.

#include <cstdint>
#include <span>
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
  const TraceGap* gap = nullptr;  ///< events were lost while it ran: the first gap
  bool faults = false;  ///< a range fault is nested in it
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
  bool in_call(uint32_t event) const { return member_[event]; }

 private:
  std::vector<TracedMigration> calls_;
  std::vector<uint32_t> events_;
  std::vector<bool> member_;
};

}  // namespace hmmscope::traces
