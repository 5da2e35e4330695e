#pragma once
/// What the range-fault engine asks of the world around it. A live run passes no hooks (the machine's own words are
/// the truth and faults go to the machine's FaultHandler). A replay of a kernel trace overrides them: before the
/// engine reads a word, the replay brings that word up to date from the trace; faults and waits end as the trace says.
///
/// All calls come on the engine's thread, in the order the kernel would do the same things. Inside a before_* hook the
/// replay may change anything in the machine: words (with its own recorder steps), page tables (ensure_entry,
/// clear_table_below), VMAs (add_vma, remove_vma, resize_vma). The engine keeps no copies over a hook: it looks VMAs,
/// tables and words up after it. With hooks the block path is off, so every entry is announced.

#include <cstdint>
#include <optional>

#include "engine/machine/entry_format.h"
#include "engine/rules/rule.h"

namespace hmmscope {

class Machine;
struct RangeFaultCall;

class WalkHooks {
 public:
  virtual ~WalkHooks() = default;

  /// The outer loop is about to compare the notifier's sequence with the range's. A value overrides the comparison
  /// (true = the sequence moved, the call returns -EBUSY).
  virtual std::optional<bool> sequence_moved(const RangeFaultCall&) { return std::nullopt; }
  /// About to look for the first VMA that ends above `addr`; the walk continues at addr and ends at `end`. This is
  /// where a replay makes the VMA (or the gap) that the trace shows exist. Called once a VMA or gap.
  virtual void before_vma(uint64_t /*addr*/, uint64_t /*end*/) {}

  /// About to read the entry of that level for [addr, end) (the part inside one entry). Called once a visit, before
  /// the first read; again when the visit starts over. `pgd` is only announced with five levels.
  virtual void before_pgd(uint64_t /*addr*/, uint64_t /*end*/) {}
  virtual void before_p4d(uint64_t /*addr*/, uint64_t /*end*/) {}
  virtual void before_pud(uint64_t /*addr*/, uint64_t /*end*/) {}
  virtual void before_pmd(uint64_t /*addr*/, uint64_t /*end*/) {}
  virtual void before_pte(uint64_t /*addr*/, uint64_t /*end*/) {}
  /// A hugetlb VMA's entry. Its slot exists (hugetlb_entry is called) when the table of that level exists, so a
  /// replay that saw the callback calls ensure_entry here and one that saw a hole lets the entry above be none.
  virtual void before_hugetlb(uint64_t /*addr*/, uint64_t /*end*/, uint64_t /*page_size*/) {}

  /// handle_mm_fault for one page. Returns the vm_fault bits (0 = fine; vm_fault::error decides failure), or nothing
  /// to let the machine's FaultHandler run.
  virtual std::optional<uint32_t> handle_mm_fault(uint64_t /*addr*/, uint32_t /*flags*/) { return std::nullopt; }
  /// A fault has ended well, and [addr, end) is what its helper has still to fault. How many pages from addr on end well
  /// too, with nothing to tell of them: the engine goes on behind them, and no call or step is recorded.
  virtual uint64_t faults_to_skip(uint64_t /*addr*/, uint64_t /*end*/) { return 0; }
  /// The walk waits for a migration entry at `addr`. True: the wait is over (re-walk); false: it never ends here, the
  /// engine reports a deadlock instead of hanging. Without hooks: true when the entry has changed, which it cannot
  /// have, hence a deadlock.
  virtual bool wait_for_migration(uint64_t /*addr*/) { return true; }

  /// How often somebody else could have gone on instead, so far. A walk that comes back to where it was while this and the
  /// machine stay the same comes back for ever. Nothing: that cannot be told.
  virtual std::optional<uint64_t> turns_of_others() const { return std::nullopt; }

  /// A kernel function was entered or has returned: what a trace's entry and return probes show. Functions reported:
  /// hmm_vma_walk_test, _hole, _pud, _pmd, hmm_vma_handle_pmd, hmm_vma_handle_pte, hmm_vma_walk_hugetlb_entry,
  /// hmm_range_need_fault, hmm_vma_fault, handle_mm_fault (end = addr + page_bytes).
  /// detail: hole: depth as int64; need_fault: cpu_flags; vma_fault: the need mask (1 fault, 2 write); mm_fault: flags.
  virtual void entered(Function, uint64_t /*addr*/, uint64_t /*end*/, uint64_t /*detail*/) {}
  /// ret: the function's return value (need mask for hmm_range_need_fault, vm_fault bits for handle_mm_fault).
  virtual void left(Function, uint64_t /*addr*/, int64_t /*ret*/) {}
};

}  // namespace hmmscope
