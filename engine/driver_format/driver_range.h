#pragma once
/// The range calls of 4.14 to 5.6 under one roof. Which one the kernel had follows from the machine's model:
///   4.14 .. 4.16  hmm_vma_get_pfns, hmm_vma_fault(write, block): no requests in the array
///   4.17 .. 5.1   the same calls, requests in the array
///   5.2, 5.3      hmm_range_snapshot, hmm_range_fault(block), default_flags and pfn_flags_mask
///   5.4           hmm_range_fault(HMM_FAULT_*), one VMA after the other, the first walk of each thrown away
///   5.5, 5.6      hmm_range_fault(HMM_FAULT_*) over several VMAs, interval notifiers
/// Rules: engine/rules/driver_format.def. Source: mm/hmm.c of 4.14, 4.18, 5.2, 5.4 and 5.6.

#include "engine/walk/range_fault.h"

namespace hmmscope {

/// What the arguments of the call said besides struct hmm_range.
struct DriverRequest {
  bool snapshot = false;     ///< hmm_vma_get_pfns, hmm_range_snapshot, HMM_FAULT_SNAPSHOT
  bool write = false;        ///< the argument of 4.14 .. 4.16: every page for writing
  bool allow_retry = false;  ///< !block, HMM_FAULT_ALLOW_RETRY: a fault may drop mmap_sem
  uint32_t page_shift = 12;  ///< 5.2, 5.3: hmm_range.page_shift; one slot stands for 1 << page_shift bytes of hugetlb
};

/// Slots of the array: 4K pages, or with page_shift 21 or 30 (5.2 and 5.3 only) pages of that size. Those two kernels
/// still count 4K pages when they clear slots, read requests of a hole and return how far they got, so they go past the
/// end of such an array; the engine records that (driver_format.overrun.*) and leaves the words behind it alone.
///
/// Walks the range as the model's kernel did. `call` as for hmm_range_fault; its flags and mask count from 5.2 on.
/// Result: from 5.2 on a success returns the number of pages before `last`. -EAGAIN and -EBUSY as in the kernel;
/// -EDEADLK when stuck, which no kernel returns. Preconditions: the machine's model walks_old_way(); `hooks` or a
/// FaultHandler answers for faults. Of the hooks only handle_mm_fault and wait_for_migration are asked (no trace of
/// these kernels can be replayed). The notifier: until 5.1 nobody looks; from 5.2 to 5.4 the range is invalid while an
/// invalidation of it runs and valid again afterwards; since 5.5 call.notifier_seq decides.
RangeFaultResult driver_range_call(Machine& machine, const RangeFaultCall& call, const DriverRequest& request,
                                   WalkHooks* hooks = nullptr);

}  // namespace hmmscope
