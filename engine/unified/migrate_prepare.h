#pragma once
/// What the "unified fault and migrate" patches add to hmm_range_fault: while it walks, it prepares pages for
/// migration (migration entries instead of mappings), so that migrate_vma_setup's own walk is not needed.
///
/// Two forms, chosen by KernelModel::unified: as posted in August 2025 (its defects included; a kernel with that
/// very text was traced) and the later revisions of 2026, of which only what their cover letters and reviews say is
/// modelled: holes are MIGRATE without VALID and keep sticky bits. Everything else of the later form is as posted.
/// Source: RFC PATCH 2/4 "mm: unified fault and migrate device page paths". Rules: engine/rules/unified.def.
///
/// One object serves one hmm_range_fault call (the members that struct hmm_vma_walk gains). Internal to engine/walk
/// and engine/unified. Threads: one at a time.

#include <cstdint>

#include "engine/machine/folio.h"
#include "engine/migrate/hooks.h"
#include "engine/migrate/migrate_vma.h"
#include "engine/mirror/interval_notifier.h"
#include "engine/walk/range_fault.h"

namespace hmmscope {

/// Token of the task that runs the kernel code (the kernel's `current`). Patch 1/4 makes it the owner of the
/// invalidations that splitting and unmapping a folio send, so that a driver can tell its own call's from others'.
inline constexpr uint64_t current_task = 0xffff888100000000ull;
/// Owner of those invalidations: current_task with the patches, nobody without.
inline uint64_t internal_owner(const Machine& machine) {
  return machine.model().unified == UnifiedStyle::rfc ? current_task : 0;
}

class MigratePrepare {
 public:
  MigratePrepare(Machine& machine, const RangeFaultCall& call);

  /// hmm_want_migrate() is not zero: migrate->flags, or SELECT_SYSTEM because of REQ_MIGRATE.
  bool wanted() const { return select_ != 0; }

  /// hmm_vma_capture_migrate_range: 0, or -ERANGE in a second VMA. The first part starts the notifier.
  int capture(const Vma& vma, uint64_t start, uint64_t end);
  /// hmm_pfns_fill: the value the slots of [addr, end) get. Opens a step of its own when that is not `value`.
  uint64_t fill_value(uint64_t addr, uint64_t end, uint64_t value);
  /// hmm_vma_handle_migrate_prepare for the pte `word` and the slot that hmm_vma_handle_pte has just written.
  void pte(const Vma& vma, WordIndex word, WordIndex slot, uint64_t addr);
  /// hmm_vma_walk_split for a present huge pmd. False: it cannot be split, the part becomes ERROR.
  bool split(WordIndex word, uint64_t addr, uint64_t end);
  /// The walk waits for the migration entry at addr: records it when this very task holds the page's lock.
  void name_own_entry(uint64_t addr, uint64_t entry);
  /// After the walk: tells migrate_vma what was walked and ends the notifier. True: migrate_vma was told.
  bool finish();

 private:
  /// What a pte refers to, as far as it may be prepared.
  struct Candidate {
    uint64_t pfn = 0;
    bool writable = false;
  };
  void pte_decide(const Vma& vma, WordIndex word, WordIndex slot, uint64_t addr);
  bool nonpresent(uint64_t pte, uint64_t addr, Candidate& candidate);
  bool present(uint64_t pte, WordIndex slot, uint64_t addr, Candidate& candidate);
  void lock_and_replace(WordIndex word, WordIndex slot, uint64_t addr, const Candidate& candidate);
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
  bool system_selected() const { return (select_ & migrate_select::system) != 0; }
  bool is_fault_folio(const Folio& folio) const {
    return call_.migrate != nullptr && call_.migrate->fault_page != 0 && folio.pfn() == call_.migrate->fault_page;
  }

  Machine& machine_;
  const RangeFaultCall& call_;
  AddressSpace& mm_;
  const bool later_;
  const uint64_t migrate_flag_;   ///< HMM_PFN_MIGRATE
  const uint64_t valid_flag_;
  const uint64_t hole_word_;      ///< what a hole that can migrate looks like
  uint64_t select_;               ///< hmm_want_migrate()
  Vma vma_;                       ///< of the first part
  uint64_t end_ = 0;              ///< of the part walked last
  Invalidation running_;
  uint32_t starts_ = 0;           ///< invalidations started by this call
};

/// migrate_hmm_range_setup: hmm words become migrate words, then migrate_vma_unmap. migrate.start, end and vma must be
/// what hmm_range_fault left there (both 0: nothing happens). hmm_pfns and migrate.src may be the same array.
/// False: a slot names physical page 0 as a page to migrate; a kernel with debug checks stops with a BUG here, and
/// so does this call (nothing is unmapped).
bool migrate_hmm_range_setup(Machine& machine, WordIndex hmm_pfns, MigrateVma& migrate);

/// migrate_vma_setup after its checks: hmm_range_fault without a notifier instead of the collector. Returns what the
/// kernel returns; -EDEADLK with args.stuck_at when the walk never comes back.
int setup_by_range_fault(Machine& machine, MigrateVma& args);

/// MIGRATE_VMA_FAULT of the kernel model (1 << 3 as posted, 1 << 4 later), 0 without the patches.
uint64_t select_fault(const KernelModel& model);
/// MIGRATE_VMA_WRITE of the later form (its number was not found: 1 << 5 here), else 0.
uint64_t select_write(const KernelModel& model);

}  // namespace hmmscope
