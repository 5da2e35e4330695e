#pragma once
/// What exports say of calls, taken from a recording alone.

#include <optional>
#include <string_view>
#include <vector>

#include "engine/recording/recording.h"

namespace hmmscope::traces {

/// The array that a call of hmm_range_fault was given; nothing when the recording does not show it.
struct CallArray {
  WordIndex first = no_word;
  uint32_t count = 0;
  uint64_t address = 0;  ///< virtual address of word 0
};
std::optional<CallArray> array_of_call(const Recording& recording, CallId call);

/// The check that judges each call as a whole, by call: an index into checks(), no_check when it has none.
inline constexpr uint32_t no_check = ~uint32_t{0};
std::vector<uint32_t> check_of_calls(const Recording& recording);

std::string_view verdict_name(Verdict verdict);

/// Nanoseconds of the events of a call's first and last step; for a recording without events, 1000 a step.
struct CallTime {
  int64_t begin_ns = 0, end_ns = 0;
};
CallTime time_of_call(const Recording& recording, const Call& call);
/// Of one step; the time of the last event before it when it has none.
int64_t time_of_step(const Recording& recording, StepIndex step);

}  // namespace hmmscope::traces
