#pragma once
/// hmm_range_fault: converts the page tables of [start, end) into hmm_pfns words, faulting pages in on request.
/// The rules are those of engine/rules/range_fault.def; the order of calls and decisions is the kernel's (mm/hmm.c and
/// mm/pagewalk.c, 5.9 to 7.3 by kernel model).

#include <cstdint>
#include <string>

#include "engine/recording/memory.h"

namespace hmmscope {

class AddressSpace;
class IntervalNotifier;
class Machine;
class MigrateHooks;
class WalkHooks;
struct MigrateVma;

/// struct hmm_range and where its array is.
struct RangeFaultCall {
  AddressSpace* mm = nullptr;
  const IntervalNotifier* notifier = nullptr;  ///< null: the sequence never moves (unless the hooks say so)
  uint64_t notifier_seq = 0;
  uint64_t start = 0, end = 0;                 ///< page aligned; end exclusive
  WordIndex pfns = no_word;                    ///< first of (end - start) >> 12 consecutive words
  uint64_t default_flags = 0;
  uint64_t pfn_flags_mask = 0;
  uint64_t dev_private_owner = 0;
  WordIndex range = no_word;                   ///< first RangeWord of a `range` region whose `last` the walk keeps up
                                               ///< to date; no_word when nobody looks
  MigrateVma* migrate = nullptr;               ///< kernels with the unified fault-and-migrate patches only: pages are
                                               ///< prepared for it (engine/unified); start, end, vma are filled in
  MigrateHooks* prepare_hooks = nullptr;       ///< asked while pages are prepared; null: migrate->hooks are
  bool names_notifier = false;                 ///< the range has a notifier, although `notifier` is null (a replay's hooks
                                               ///< answer for its sequence)
  bool may_drop_lock = false;                  ///< faults carry ALLOW_RETRY | KILLABLE (the unlocked call of 7.3)
  bool fatal_signal = false;                   ///< one is pending when a fault has dropped the lock
  bool undisturbed = true;                     ///< nothing is injected during the call: a circle of one who is alone is endless
  uint32_t max_restarts = 1u << 20;            ///< the kernel has no bound; more internal restarts count as a livelock
};

/// Why a call cannot come back although the kernel has no error for it.
enum class Stuck : uint8_t {
  no,
  migration_wait,  ///< waits for a migration entry that is never removed (the caller's own migration, typically)
  livelock,        ///< max_restarts re-walks: the fault handler keeps succeeding without meeting the request
};

struct RangeFaultResult {
  int ret = 0;                 ///< what the kernel returns: 0 or -EBUSY, -EFAULT, -EPERM, -EINVAL, -ENOMEM, -ERANGE. When stuck:
                               ///< -EDEADLK, which the kernel never returns
  Stuck stuck = Stuck::no;
  uint64_t stuck_at = 0;       ///< address
  uint64_t last = 0;           ///< slots below `last` hold outputs, the others may still hold inputs
  uint64_t reached = 0;        ///< 5.7: hmm_vma_walk.last when the walk ended. Success returns the pages before it, and
                               ///< a part that ends in a hole (or in a huge entry without a page) does not move it
  bool lock_dropped = false;   ///< -EBUSY (or -EINTR) because a fault dropped mmap_lock
  uint32_t walks = 0;          ///< walk_page_range calls
  uint64_t faults = 0;         ///< handle_mm_fault calls
  bool filled_migrate = false; ///< start, end and vma of call.migrate were written
};

/// Which path converts tables of plain present ptes. The words are the same either way.
enum class PtePath : uint8_t { block_when_possible, rules_only };

/// Preconditions: call.mm belongs to machine; the array is large enough; a FaultHandler or hooks answer for faults
/// when the call asks for any. With a recorder every decision is a step inside calls named as the kernel's functions.
RangeFaultResult hmm_range_fault(Machine& machine, const RangeFaultCall& call, WalkHooks* hooks = nullptr,
                                 PtePath path = PtePath::block_when_possible);

/// Makes a `range` region that shows the call's fields and `last`, for call.range. When recording, a step must be open.
WordIndex add_range_words(Machine& machine, const RangeFaultCall& call, std::string name = "range");

}  // namespace hmmscope
