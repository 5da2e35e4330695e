#pragma once
/// What the "unified fault and migrate" patches add to hmm_range_fault: while it walks, it prepares pages for
/// migration (migration entries instead of mappings), so that migrate_vma_setup's own walk is not needed.
///
/// Two forms, chosen by KernelModel::unified: as posted in August 2025 (its defects included; a kernel with that
/// very text was traced) and the later revisions of 2026. What the later form changes is data, with its sources:
/// engine/unified/unified_policy.h.
/// Source: RFC PATCH 2/4 "mm: unified fault and migrate device page paths". Rules: engine/rules/unified.def.
///
/// One object serves one hmm_range_fault call (the members that struct hmm_vma_walk gains). Internal to engine/walk
/// and engine/unified. Threads: one at a time.

#include <cstdint>

#include "engine/machine/folio.h"
#include "engine/machine/spin_guard.h"
#include "engine/migrate/hooks.h"
#include "engine/migrate/migrate_vma.h"
#include "engine/mirror/interval_notifier.h"
#include "engine/unified/unified_policy.h"
#include "engine/walk/range_fault.h"

namespace hmmscope {

/// Token of the task that runs the kernel code (the kernel's `current`). Patch 1/4 makes it the owner of the
/// invalidations that splitting and unmapping a folio send, so that a driver can tell its own call's from others'.
inline constexpr uint64_t current_task = 0xffff888100000000ull;
/// Owner of those invalidations: current_task with patch 1/4, nobody without.
inline uint64_t internal_owner(const Machine& machine) {
  return unified_policy(machine.model().unified).current_owns ? current_task : 0;
}

class MigratePrepare {
 public:
  /// What becomes of the walk after a page was prepared, or not.
  enum class Next : uint8_t {
    go_on,
    again,   ///< something was split: walk again from here
  };

  MigratePrepare(Machine& machine, const RangeFaultCall& call);

  /// hmm_select_migrate() (hmm_want_migrate() as posted) is not zero: migrate->flags, or SELECT_SYSTEM because of
  /// REQ_MIGRATE.
  bool wanted() const { return select_ != 0; }
  /// The page-table lock is held from hmm_vma_handle_pte to the end of the preparation (later form).
  bool holds_lock_throughout() const { return policy_.one_lock && wanted(); }
  /// Whether a fault of this call is for one page only.
  bool faults_one_page() const { return wanted() && policy_.faults_one_page; }
  /// Whether a huge pmd is first visited as a plain call would and then prepared; as posted it is split at once.
  bool visits_huge_first() const { return policy_.huge_keeps_pfns; }

  /// Before the walk. 0, or -EINVAL for a call that may not migrate.
  int begin();
  /// hmm_vma_capture_migrate_range: 0, or -ERANGE in a second VMA. The first part starts the notifier.
  int capture(const Vma& vma, uint64_t start, uint64_t end);
  /// hmm_pfns_fill: the value the slots of [addr, end) get. Opens a step of its own when that is not `value`.
  uint64_t fill_value(uint64_t addr, uint64_t end, uint64_t value);
  /// After hmm_pfns_fill wrote `value`: a hole of whole 2M is one slot when the caller takes huge pages whole (later).
  void filled(WordIndex slot, uint64_t addr, uint64_t end, uint64_t value);
  /// hmm_vma_handle_migrate_prepare for the pte `word` and the slot that hmm_vma_handle_pte has just written.
  Next pte(const Vma& vma, WordIndex word, WordIndex slot, uint64_t addr, SpinGuard& ptl);
  /// The ptes of [addr, end) have been visited, or some of them: whatever the part owes the TLB.
  void part_done(uint64_t addr, uint64_t end);
  /// As posted, hmm_vma_walk_split for a present huge pmd. False: it cannot be split, the part becomes ERROR.
  bool split(WordIndex word, uint64_t addr, uint64_t end);
  /// Later, hmm_vma_handle_migrate_prepare_pmd for a huge page's pmd (or an owned device-private 2M entry) whose slots
  /// have just been written from the value `visited`.
  Next huge(WordIndex word, uint64_t visited, WordIndex slot, uint64_t addr, uint64_t end);
  /// The walk waits for the migration entry at addr: records it when this very task holds the page's lock.
  void name_own_entry(uint64_t addr, uint64_t entry);
  /// After the walk, which returned `ret`: tells migrate_vma what was walked, ends the notifier, takes back. True:
  /// migrate_vma was told.
  bool finish(int ret);

 private:
  /// What a pte refers to, as far as it may be prepared.
  struct Candidate {
    uint64_t pfn = 0;
    bool writable = false;
  };
  Next pte_decide(const Vma& vma, WordIndex word, WordIndex slot, uint64_t addr, SpinGuard& ptl);
  bool nonpresent(uint64_t pte, uint64_t addr, Candidate& candidate);
  bool present(uint64_t pte, WordIndex slot, uint64_t addr, Candidate& candidate);
  Next lock_and_replace(WordIndex word, WordIndex slot, uint64_t addr, const Candidate& candidate);
  bool may_take(uint64_t addr, const Folio& folio);
  Next mapped_large(uint64_t addr, const Folio& folio);
  Next huge_decide(WordIndex word, uint64_t visited, WordIndex slot, uint64_t addr, uint64_t end);
  Candidate huge_candidate(uint64_t pmd, WordIndex slot, uint64_t addr, uint64_t end);
  bool take_whole(WordIndex word, WordIndex slot, uint64_t addr, const Folio& folio);
  bool split_locked(uint64_t addr, const Folio& folio, bool took = true);
  void roll_back(int ret);
  bool take_exclusive(WordIndex word, uint64_t addr, const Folio& folio);
  void replace(WordIndex word, WordIndex slot, uint64_t addr, const Folio& folio, uint64_t pte, SwapKind kind);
  bool split_decide(WordIndex word, uint64_t addr);
  void mark_hole(WordIndex slot);
  /// Asked what others do to a page in between; null in a live run.
  MigrateHooks* hooks() const {
    if (call_.prepare_hooks != nullptr) return call_.prepare_hooks;
    return call_.migrate != nullptr ? call_.migrate->hooks : nullptr;
  }
  void enter(Function function, uint64_t addr, uint64_t end);
  void leave(Function function, uint64_t addr, int64_t ret);
  bool busy(uint64_t addr, const Folio& folio) const {
    return folio.locked() || (hooks() != nullptr && hooks()->trylock(addr, folio.pfn()) == std::optional(false));
  }
  bool pinned(uint64_t addr, const Folio& folio) const {
    const auto answer = hooks() != nullptr ? hooks()->maybe_pinned(addr, folio.pfn()) : std::nullopt;
    return answer ? *answer : folio.maybe_dma_pinned();
  }
  /// [addr, end) is aligned to 2M and the caller takes huge pages whole.
  bool whole_units(uint64_t addr, uint64_t end) const {
    return policy_.takes_huge && (select_ & migrate_select::compound) != 0 && addr % level_size(Level::pmd) == 0 &&
           end % level_size(Level::pmd) == 0;
  }
  void whole_holes(WordIndex slot, uint64_t addr, uint64_t end);
  bool system_selected() const { return (select_ & migrate_select::system) != 0; }
  bool is_fault_folio(const Folio& folio) const {
    return call_.migrate != nullptr && call_.migrate->fault_page != 0 && folio.holds(call_.migrate->fault_page);
  }

  Machine& machine_;
  const RangeFaultCall& call_;
  AddressSpace& mm_;
  const UnifiedPolicy& policy_;
  SpinGuard* ptl_ = nullptr;      ///< of the pte being prepared; a split lets go of it
  const uint64_t migrate_flag_;   ///< HMM_PFN_MIGRATE
  const uint64_t valid_flag_;
  const uint64_t hole_word_;      ///< what a hole that can migrate looks like
  uint64_t select_;               ///< hmm_want_migrate()
  Vma vma_;                       ///< of the first part
  uint64_t end_ = 0;              ///< of the part walked last
  Invalidation running_;
  uint32_t starts_ = 0;           ///< invalidations started by this call
  uint64_t prepared_ = 0;         ///< pages behind migration entries of this call
  bool unflushed_ = false;        ///< the part has replaced present ptes
};

/// migrate_hmm_range_setup: hmm words become migrate words, then migrate_vma_unmap. migrate.start, end and vma must be
/// what hmm_range_fault left there (both 0: nothing happens). hmm_pfns and migrate.src may be the same array.
/// False: a slot names physical page 0 as a page to migrate; a kernel with debug checks stops with a BUG here, and
/// so does this call (nothing is unmapped).
bool migrate_hmm_range_setup(Machine& machine, WordIndex hmm_pfns, MigrateVma& migrate);

/// migrate_vma_setup after its checks: hmm_range_fault without a notifier instead of the collector. Returns what the
/// kernel returns; -EDEADLK with args.stuck_at when the walk never comes back.
int setup_by_range_fault(Machine& machine, MigrateVma& args);

/// What migrate_hmm_range_setup prepared goes back: pages and finalize without a destination; the arrays are 0 after.
void take_back(Machine& machine, WordIndex hmm_pfns, MigrateVma& migrate);

/// MIGRATE_VMA_FAULT of the kernel model (1 << 3 as posted, 1 << 4 later), 0 without the patches.
uint64_t select_fault(const KernelModel& model);
/// MIGRATE_VMA_WRITE of the later form, which asks for write faults and implies MIGRATE_VMA_FAULT; else 0.
uint64_t select_write(const KernelModel& model);

}  // namespace hmmscope
