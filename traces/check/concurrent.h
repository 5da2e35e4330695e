#pragma once
/// What other tasks and lost events may have done between the moment at which the kernel read an entry and the return
/// of its call. Read from the recording alone. Threads: any.

#include <cstdint>
#include <optional>

#include "engine/recording/recording.h"

namespace hmmscope::traces {

/// The part of an address space that a check is about, and when the kernel read what stands there.
struct ReadOfCheck {
  uint64_t start = 0, end = 0;
  bool is_page = false;              ///< of one word; else the range of the call
  StepIndex shown = no_step;         ///< the last step of the call that shows the entry; no_step when none does
  StepIndex from = 0, until = 0;     ///< no read before, no word written after; [from, until)
  std::optional<uint32_t> space;     ///< whose; nothing when the recording does not tell
};
ReadOfCheck read_of_check(const Recording& recording, const CallCheck& check);

/// Invalidations by other tasks that overlap a read in address and time.
struct Invalidations {
  uint64_t count = 0;
  StepIndex first = no_step;
  uint64_t start = 0, end = 0;  ///< of the first
  bool space_known = true;      ///< false: of the first, no event tells whose address space it is
};
Invalidations invalidations_during(const Recording& recording, const CallCheck& check, const ReadOfCheck& read);

}  // namespace hmmscope::traces
