#pragma once
/// Where a trace lost events: the ring buffer of a CPU was overwritten before it was read, and left a mark.

#include <string>
#include <vector>

#include "engine/recording/recording.h"

namespace hmmscope::ui {

/// What is missing happened on one CPU between the last event before the mark and the mark itself.
struct Gap {
  StepIndex begin = 0, end = 0;   ///< positions: after the last step known before, before the first one after
  EventIndex event = no_event;    ///< the mark
};

/// By begin. O(events + steps) when there are marks, O(event kinds) when there are none.
std::vector<Gap> find_gaps(const Recording& recording);
/// "CPU 3, before line 1 204 of the trace (1.234567 s)".
std::string gap_text(const Recording& recording, const Gap& gap);

}  // namespace hmmscope::ui
