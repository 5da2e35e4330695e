#pragma once
/// Where the trace of a recording has lost events, with the time they span: what views draw and what checks name
/// as a reason. Read from the recording alone (steps trace.lost_events). Threads: any.

#include <cstdint>
#include <string>
#include <vector>

#include "engine/recording/recording.h"

namespace hmmscope {

/// Events of one CPU that are missing.
struct Gap {
  StepIndex begin = 0;             ///< position behind the last step known before the gap
  StepIndex step = no_step;        ///< from here on, what they may have changed is unknown
  EventIndex event = no_event;     ///< the mark, or the first event behind the gap
  uint64_t lost = 0;               ///< how many; 0 when the trace does not say
  uint16_t cpu = 0;
  int64_t from_ns = 0, to_ns = 0;  ///< times of the CPU's events before and behind; those of other CPUs go on
};

/// In the order of their steps. O(steps).
std::vector<Gap> gaps_of(const Recording& recording);
/// "CPU 1 lost 12 events between 4.000000001 and 4.000000777"
std::string gap_text(const Gap& gap);

}  // namespace hmmscope
