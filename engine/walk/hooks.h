#pragma once
/// What the range-fault engine asks of the world around it. A live run uses LiveHooks-like defaults (the machine's own
/// words are the truth and faults run the engine's CPU fault path). A replay of a kernel trace overrides them: before
/// the engine reads a word, the replay brings that word up to date from the trace; faults and waits end as the trace
/// says.
///
/// All calls come on the engine's thread, in the order the kernel would do the same things.

#include <cstdint>
#include <optional>

namespace hmmscope {

class Machine;
struct RangeFaultCall;

class WalkHooks {
 public:
  virtual ~WalkHooks() = default;

  /// The outer loop is about to compare the notifier's sequence with the range's. A value overrides the comparison
  /// (true = the sequence moved).
  virtual std::optional<bool> sequence_moved(const RangeFaultCall&) { return std::nullopt; }
  /// About to look for the VMA at or after `addr` (the walk continues there).
  virtual void before_vma(uint64_t /*addr*/, uint64_t /*end*/) {}
  /// About to read the entry of that level for [addr, end). Called once a visit, before the read. Level names as
  /// page-table regions.
  virtual void before_pud(uint64_t /*addr*/, uint64_t /*end*/) {}
  virtual void before_pmd(uint64_t /*addr*/, uint64_t /*end*/) {}
  virtual void before_pte(uint64_t /*addr*/, uint64_t /*end*/) {}
  virtual void before_hugetlb(uint64_t /*addr*/, uint64_t /*end*/, uint64_t /*page_size*/) {}

  /// handle_mm_fault for one page. Returns the vm_fault bits (0 = fine; vm_fault_error mask decides failure), or
  /// nothing to let the engine's own CPU fault path run.
  virtual std::optional<uint32_t> handle_mm_fault(uint64_t /*addr*/, uint32_t /*flags*/) { return std::nullopt; }
  /// The walk waits for a migration entry at `addr`. True: the wait is over (re-walk); false: it never ends here, the
  /// engine reports a deadlock instead of hanging.
  virtual bool wait_for_migration(uint64_t /*addr*/) { return true; }

  /// A callback returned; lets a replay check control flow. `level` is 'v' test_walk, 'h' hole, 'u' pud, 'm' pmd,
  /// 'p' pte, 'g' hugetlb, 'f' fault helper.
  virtual void after(char /*level*/, uint64_t /*addr*/, int /*ret*/) {}
};

}  // namespace hmmscope
