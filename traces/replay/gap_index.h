#pragma once
/// Where a trace has lost events: one pass over the trace, then questions in O(log n).
///
/// The ring buffer is one a CPU. A mark says that this CPU's events between its event before the mark and its
/// event behind the mark are incomplete; other CPUs' events stand in between. A trace whose header says that
/// more events were written than it holds has lost the oldest of every CPU: until the first event of a CPU,
/// that CPU's are missing. Time is the index of an event. Immutable after construction.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "traces/replay/event_kinds.h"

namespace hmmscope::traces {

/// Events of one CPU that are missing between two events of the trace.
struct TraceGap {
  uint32_t begin = 0;  ///< first event that may stand behind a missing one
  uint32_t end = 0;    ///< first event in front of which none is missing: the mark
  uint64_t lost = 0;   ///< how many; 0 when the trace does not say
  uint16_t cpu = 0;
  int64_t from_ns = 0, to_ns = 0;  ///< of the CPU's events before and behind
};

class GapIndex {
 public:
  GapIndex(const Trace& trace, const EventKinds& kinds);

  /// By `end`.
  std::span<const TraceGap> gaps() const { return gaps_; }
  /// The gaps that end at this event.
  std::span<const TraceGap> ending_at(uint32_t event) const;
  /// The first gap that has a part between the events `from` and `to`; nullptr when there is none.
  const TraceGap* during(uint32_t from, uint32_t to) const;

 private:
  void add_marks(const Trace& trace, const EventKinds& kinds);
  void add_overwritten(const Trace& trace);

  std::vector<TraceGap> gaps_;
  std::vector<uint32_t> earliest_;  ///< by gap: the least `begin` of it and all behind it
};

/// "CPU 1 lost 12 events between 4.000000001 and 4.000000777"
std::string gap_text(const TraceGap& gap);

}  // namespace hmmscope::traces
