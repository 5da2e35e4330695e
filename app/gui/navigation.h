#pragma once
/// Where the run commands of the window lead. Positions are those of Cursor: position p means p steps have
/// been applied, so "to stop at step s" is position s + 1. Free of Qt; the recording is only read.

#include <optional>
#include <span>
#include <vector>

#include "app/gui/core.h"

namespace hmmscope::app {

/// Places worth stopping at, found once a document (O(calls + checks)). Sorted positions without repeats.
struct Landmarks {
  std::vector<StepIndex>
      calls;  ///< the first step of each call the source made (hmm_range_fault, ioctl, ...)
  std::vector<StepIndex> faults;       ///< the first step of each CPU or device fault
  std::vector<StepIndex> divergences;  ///< where engine and kernel part
};
Landmarks find_landmarks(const Recording& recording);

/// True for the functions that handle a fault (handle_mm_fault, migrate_to_ram, ...).
bool is_fault_function(Function function);

/// First element after / last element before `position`.
std::optional<StepIndex> next_landmark(std::span<const StepIndex> sorted, StepIndex position);
std::optional<StepIndex> previous_landmark(std::span<const StepIndex> sorted, StepIndex position);

/// The next step of the same task that is not inside a call made from the current one; the end when there is
/// none.
StepIndex step_over(const Recording& recording, StepIndex position);
/// The last step before the current one that is not inside a call made from the current one; the start when
/// none.
StepIndex back_over(const Recording& recording, StepIndex position);
/// After the current call returned: the caller's next step; the end when there is none.
StepIndex step_out(const Recording& recording, StepIndex position);
/// Before the current call was entered: the caller's last step; the start when there is none.
StepIndex back_out(const Recording& recording, StepIndex position);

/// The call that `position` is in; no_call at position 0 or in an empty recording.
CallId current_call(const Recording& recording, StepIndex position);

}  // namespace hmmscope::app
