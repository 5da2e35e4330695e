// Large folios under the unified fault-and-migrate patches. As posted a huge pmd is split before it is looked at
// (hmm_vma_walk_split); later it is visited first and then split, and a folio mapped by ptes is split too
// (hmm_vma_handle_migrate_prepare_pmd, migrate_vma_split_folio), unless the caller takes it whole
// (MIGRATE_VMA_SELECT_COMPOUND): then the first slot gets HMM_PFN_COMPOUND. The mails name the flag and what
// migrate_hmm_range_setup makes of it; how the entry is installed is the collector's of 6.19.
#include <cerrno>
#include <optional>

#include "engine/fault/cpu_fault.h"
#include "engine/machine/spin_guard.h"
#include "engine/migrate/migrate_internal.h"
#include "engine/migrate/rmap.h"
#include "engine/unified/migrate_prepare.h"

namespace hmmscope {

bool MigratePrepare::split(WordIndex word, uint64_t addr, uint64_t end) {
  machine_.enter(Function::hmm_vma_walk_split, {addr, end});
  enter(Function::hmm_vma_walk_split, addr, end);
  const bool split = split_decide(word, addr);
  leave(Function::hmm_vma_walk_split, addr, split ? 0 : -EBUSY);
  machine_.leave(split ? 0 : -EBUSY);
  machine_.step(split ? RuleId::split_restart : RuleId::split_failed, {addr, end});
  return split;
}

bool MigratePrepare::split_decide(WordIndex word, uint64_t addr) {
  const uint64_t pmd = machine_.load(word);
  const uint64_t pfn = leaf_pfn(Level::pmd, pmd);
  if (pfn == machine_.physical().huge_zero_pfn()) {
    split_huge_pmd(machine_, mm_, addr, RuleId::split_huge_zero);
    return true;
  }
  const Folio folio = Folio::of(machine_, pfn);
  if (folio && is_fault_folio(folio)) {
    machine_.step(RuleId::split_fault_folio, {addr, pfn});
    return false;
  }
  std::optional<AtomicGuard> trylock(std::in_place, machine_);
  if (!folio || busy(addr, folio)) {
    machine_.step(RuleId::split_locked, {addr, pfn, folio ? folio.get(FolioWord::lock_owner) : 0});
    return false;
  }
  machine_.step(RuleId::split_try, {addr, pmd, folio.refcount()});
  folio.take();
  folio.lock(FolioLocker::migration);
  trylock.reset();
  return split_locked(addr, folio);
}

/// The folio is locked by this call or by the fault path, whose lock goes to the page the fault is about. `took`: this
/// call has a reference, which it gives up with its lock.
bool MigratePrepare::split_locked(uint64_t addr, const Folio& folio, bool took) {
  const uint64_t pfn = folio.pfn();
  const bool faults_lock = is_fault_folio(folio);
  const bool done = split_folio(machine_, folio, hooks());
  const Folio head = Folio::of(machine_, pfn);  // the first of the small ones after a split
  machine_.step(done ? RuleId::split_unlock : RuleId::split_refused, {addr, pfn, head.refcount()});
  if (!faults_lock) head.unlock();
  if (took) head.put();
  if (!done || !faults_lock || is_fault_folio(head)) return done;
  const Folio page = Folio::of(machine_, call_.migrate->fault_page);
  machine_.step(RuleId::prepare_large_fault_page, {addr, page.pfn(), page.refcount()});
  page.take();
  page.lock(FolioLocker::fault);
  head.unlock();
  head.put();
  return done;
}

MigratePrepare::Next MigratePrepare::huge(WordIndex word, uint64_t visited, WordIndex slot, uint64_t addr, uint64_t end) {
  machine_.enter(Function::hmm_vma_handle_migrate_prepare_pmd, {addr, end});
  const Next next = huge_decide(word, visited, slot, addr, end);
  machine_.leave(next == Next::again ? -EBUSY : 0);
  return next;
}

/// pfn 0: nothing to prepare.
MigratePrepare::Candidate MigratePrepare::huge_candidate(uint64_t pmd, WordIndex slot, uint64_t addr, uint64_t end) {
  const SwapFormat& swap = machine_.entry_format().swap;
  if (!x86::pmd_present(pmd)) {
    if ((select_ & migrate_select::device_private) == 0) {
      machine_.step(RuleId::prepare_huge_device_not_selected, {addr, pmd, select_});
      return {};
    }
    machine_.step(RuleId::prepare_huge_device, {addr, pmd, swap.pfn(pmd)});
    return {swap.pfn(pmd), is_writable(swap.kind(pmd))};
  }
  const uint64_t pfn = leaf_pfn(Level::pmd, pmd);
  if (!system_selected()) {
    machine_.step(RuleId::prepare_huge_not_selected, {addr, pmd, select_});
    return {};
  }
  if (pfn == machine_.physical().huge_zero_pfn()) {
    machine_.step(RuleId::prepare_huge_zero, {addr, end, pmd});
    if (whole_units(addr, end))
      whole_holes(slot, addr, end);
    else
      machine_.fill_keeping(slot, static_cast<uint32_t>((end - addr) / page_bytes), hole_word_, 0, 0);
    return {};
  }
  return {pfn, machine_.entry_format().allows_write(pmd)};
}

MigratePrepare::Next MigratePrepare::huge_decide(WordIndex word, uint64_t visited, WordIndex slot, uint64_t addr, uint64_t end) {
  SpinGuard locked(machine_, pmd_lock(mm_.id(), addr));
  const uint64_t pmd = machine_.load(word);
  if (pmd != visited) {
    machine_.step(RuleId::prepare_huge_raced, {addr, visited, pmd});
    return Next::again;
  }
  const Candidate candidate = huge_candidate(pmd, slot, addr, end);
  if (candidate.pfn == 0) return Next::go_on;
  const Folio folio = Folio::of(machine_, candidate.pfn);
  const bool whole = whole_units(addr, end);
  const bool faults_lock = folio && is_fault_folio(folio);
  {
    const AtomicGuard trylock(machine_);
    if (!folio || (!faults_lock && busy(addr, folio))) {
      machine_.step(RuleId::prepare_huge_locked, {addr, candidate.pfn, folio ? folio.get(FolioWord::lock_owner) : 0});
      return Next::go_on;
    }
    if (faults_lock)
      machine_.step(RuleId::prepare_huge_fault_folio, {addr, candidate.pfn, folio.refcount()});
    else if (whole)
      machine_.step(RuleId::prepare_huge_lock, {addr, candidate.pfn, folio.refcount()});
    else
      machine_.step(RuleId::prepare_huge_split, {addr, pmd, folio.refcount()});
    folio.take();
    if (!faults_lock) folio.lock(FolioLocker::migration);
  }
  if (whole && take_whole(word, slot, addr, folio)) return Next::go_on;
  locked.unlock();
  const bool done = split_locked(addr, folio);
  machine_.step(done ? RuleId::prepare_huge_was_split : RuleId::prepare_huge_split_failed, {addr, end});
  return done ? Next::again : Next::go_on;
}

/// False: the page may be pinned for DMA, the pmd stays.
bool MigratePrepare::take_whole(WordIndex word, WordIndex slot, uint64_t addr, const Folio& folio) {
  const uint64_t pmd = machine_.load(word);
  const PmdMigration migration = pmd_migration(machine_, folio, pmd);
  if (migration.exclusive && pinned(addr, folio)) {
    machine_.step(RuleId::prepare_huge_pinned, {addr, pmd, folio.refcount()});
    if (migration.present) count_flush(machine_, mm_);
    return false;
  }
  const uint64_t prepared = machine_.load(slot) | migrate_flag_ | machine_.model().hmm_pfn->mask(Role::compound);
  machine_.step(migration.kind == SwapKind::migration_write            ? RuleId::prepare_huge_entry_write
                : migration.kind == SwapKind::migration_read_exclusive ? RuleId::prepare_huge_entry_read_exclusive
                                                                       : RuleId::prepare_huge_entry_read,
                {addr, pmd, migration.entry, prepared});
  set_pmd_migration_entry(machine_, mm_, addr, word, folio, migration, hooks());
  machine_.store(slot, prepared);
  prepared_ += entries_per_table;
  return true;
}

MigratePrepare::Next MigratePrepare::mapped_large(uint64_t addr, const Folio& folio) {
  if (!policy_.splits_mapped_large) {
    machine_.step(RuleId::prepare_large, {addr, folio.pfn(), folio.order()});
    return Next::go_on;
  }
  machine_.enter(Function::migrate_vma_split_folio, {addr, folio.pfn()});
  machine_.step(RuleId::prepare_large_split, {addr, folio.pfn(), folio.refcount(), folio.mapcount()});
  // folio_lock() sleeps until the holder lets go; a holder that never does is out of this call's reach.
  const bool faults_lock = is_fault_folio(folio);
  bool done = false;
  std::optional<AtomicGuard> trylock(std::in_place, machine_);
  if (faults_lock || !busy(addr, folio)) {
    if (!faults_lock) {
      folio.take();
      folio.lock(FolioLocker::migration);
    }
    trylock.reset();
    ptl_->unlock();
    done = split_locked(addr, folio, !faults_lock);
  }
  machine_.leave(done ? 0 : -EBUSY);
  machine_.step(done ? RuleId::prepare_large_was_split : RuleId::prepare_large_split_failed, {addr});
  return done ? Next::again : Next::go_on;
}

}  // namespace hmmscope
