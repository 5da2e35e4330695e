#pragma once
/// hmm_range_fault_unlocked_timeout (7.3): the driver's loop inside the kernel. It reads the sequence and takes mmap_lock
/// itself, lets a fault drop the lock (userfaultfd), and tries again until the time is up.
///
/// Source: mm/hmm.c, 7.3. Rules: engine/rules/unlocked_fault.def. Time is counted in rounds' worth of `ticks_per_round`.

#include <functional>

#include "engine/mirror/interval_notifier.h"
#include "engine/walk/range_fault.h"

namespace hmmscope {

struct UnlockedFault {
  uint64_t timeout = 0;             ///< ticks; 0: for ever
  uint64_t ticks_per_round = 1;
  bool oom_reaped = false;          ///< check_stable_address_space fails, whatever the address space says
  uint32_t killed_at_round = 0;     ///< a fatal signal while waiting for mmap_lock in that round; 0: none
  uint32_t max_rounds = 10000;      ///< without a timeout the kernel has no bound; more counts as a livelock
  /// Called in each round after the sequence was read: what other tasks do meanwhile. May be empty.
  std::function<void(uint32_t round)> meanwhile;
};

/// Returns 0, -EBUSY (the time is up), -EINTR, -EFAULT or what hmm_range_fault returns. call.notifier must not be null;
/// its sequence is read here and left in call.notifier_seq for the driver's read_retry.
RangeFaultResult hmm_range_fault_unlocked_timeout(Machine& machine, RangeFaultCall& call, IntervalNotifier& notifier,
                                                  const UnlockedFault& options);

}  // namespace hmmscope
