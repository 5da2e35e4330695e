#include "app/gui/navigation.h"

#include <algorithm>

namespace hmmscope::app {
namespace {

/// Containers that a source puts around its calls; not calls of the kernel themselves.
bool is_container(Function function) {
  return function == Function::scenario || function == Function::kernel_trace;
}

void tidy(std::vector<StepIndex>& positions) {
  std::sort(positions.begin(), positions.end());
  positions.erase(std::unique(positions.begin(), positions.end()), positions.end());
}

StepIndex end_of(const Recording& recording, const Call& call) {
  return call.end_step == no_step ? recording.steps() : std::min(call.end_step, recording.steps());
}

/// The child of `ancestor` on the way down to `call`; no_call when `call` is not strictly below it.
CallId child_towards(const Recording& recording, CallId ancestor, CallId call) {
  const auto calls = recording.calls();
  while (call != no_call) {
    const CallId parent = calls[call].parent;
    if (parent == ancestor) return call;
    call = parent;
  }
  return no_call;
}

uint32_t task_of(const Recording& recording, CallId call) { return recording.calls()[call].task; }

}  // namespace

bool is_fault_function(Function function) {
  switch (function) {
    case Function::hmm_vma_fault:
    case Function::handle_mm_fault:
    case Function::hugetlb_fault:
    case Function::migrate_to_ram:
      return true;
    default:
      return false;
  }
}

Landmarks find_landmarks(const Recording& recording) {
  Landmarks found;
  const auto calls = recording.calls();
  for (const Call& call : calls) {
    if (call.first_step >= recording.steps() || end_of(recording, call) <= call.first_step) continue;
    if (is_fault_function(call.function)) found.faults.push_back(call.first_step + 1);
    const bool outermost = call.parent == no_call || is_container(calls[call.parent].function);
    if (outermost && !is_container(call.function)) found.calls.push_back(call.first_step + 1);
  }
  for (const CallCheck& check : recording.checks()) {
    if (check.verdict == Verdict::diverged && check.step < recording.steps())
      found.divergences.push_back(check.step + 1);
  }
  tidy(found.calls);
  tidy(found.faults);
  tidy(found.divergences);
  return found;
}

std::optional<StepIndex> next_landmark(std::span<const StepIndex> sorted, StepIndex position) {
  const auto it = std::upper_bound(sorted.begin(), sorted.end(), position);
  if (it == sorted.end()) return std::nullopt;
  return *it;
}

std::optional<StepIndex> previous_landmark(std::span<const StepIndex> sorted, StepIndex position) {
  const auto it = std::lower_bound(sorted.begin(), sorted.end(), position);
  if (it == sorted.begin()) return std::nullopt;
  return *(it - 1);
}

CallId current_call(const Recording& recording, StepIndex position) {
  if (position == 0 || recording.steps() == 0) return no_call;
  return recording.call_of(std::min(position, recording.steps()) - 1);
}

StepIndex step_over(const Recording& recording, StepIndex position) {
  const StepIndex end = recording.steps();
  const CallId here = current_call(recording, position);
  if (here == no_call) return std::min(position + 1, end);
  StepIndex step = position;
  while (step < end) {
    const CallId call = recording.call_of(step);
    if (call == no_call) break;
    if (const CallId child = child_towards(recording, here, call); child != no_call) {
      step = std::max(end_of(recording, recording.calls()[child]), step + 1);
    } else if (task_of(recording, call) != task_of(recording, here)) {
      ++step;
    } else {
      break;
    }
  }
  return std::min(step + 1, end);
}

StepIndex back_over(const Recording& recording, StepIndex position) {
  const CallId here = current_call(recording, position);
  if (here == no_call || position <= 1) return 0;
  StepIndex place = position - 1;  // candidate: the step before it just happened
  while (place > 0) {
    const CallId call = recording.call_of(place - 1);
    if (call == no_call) break;
    if (const CallId child = child_towards(recording, here, call); child != no_call) {
      place = std::min(recording.calls()[child].first_step, place - 1);
    } else if (task_of(recording, call) != task_of(recording, here)) {
      --place;
    } else {
      break;
    }
  }
  return place;
}

StepIndex step_out(const Recording& recording, StepIndex position) {
  const StepIndex end = recording.steps();
  const CallId here = current_call(recording, position);
  if (here == no_call) return end;
  StepIndex step = std::max(end_of(recording, recording.calls()[here]), position);
  while (step < end && recording.call_of(step) != no_call &&
         task_of(recording, recording.call_of(step)) != task_of(recording, here)) {
    ++step;
  }
  return std::min(step + 1, end);
}

StepIndex back_out(const Recording& recording, StepIndex position) {
  const CallId here = current_call(recording, position);
  if (here == no_call) return 0;
  StepIndex place = std::min(recording.calls()[here].first_step, position - 1);
  while (place > 0 && recording.call_of(place - 1) != no_call &&
         task_of(recording, recording.call_of(place - 1)) != task_of(recording, here)) {
    --place;
  }
  return place;
}

}  // namespace hmmscope::app
