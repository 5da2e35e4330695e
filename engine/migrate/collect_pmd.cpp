// migrate_vma_collect_huge_pmd of 6.19 and later: a 2M page goes as one slot, or is split (mm/migrate_device.c).
#include "engine/migrate/collect.h"
#include "engine/migrate/rmap.h"

namespace hmmscope {

Collect::Candidate Collect::huge_candidate(uint64_t pmd, uint64_t addr, uint64_t end) {
  if (x86::pmd_present(pmd)) {
    // Device-coherent memory is mapped like this too, and counts as system memory here.
    if ((args_.select & migrate_select::system) == 0) {
      skip(RuleId::collect_pmd_not_selected, addr, end, pmd);
      return {};
    }
    const uint64_t pfn = leaf_pfn(Level::pmd, pmd);
    if (pfn == machine_.physical().huge_zero_pfn()) {
      machine_.step(RuleId::collect_pmd_zero_hole, {addr, pmd});
      hole(addr, end, ~0ull);
      return {};
    }
    const Folio folio = Folio::of(machine_, pfn);
    if (!folio) skip(RuleId::collect_pmd_locked, addr, end, 0);
    return {folio, machine_.entry_format().allows_write(pmd)};
  }
  const SwapKind kind = swap_.kind(pmd);
  if (!is_device_private(kind)) {
    skip(RuleId::collect_pmd_not_present, addr, end, pmd);
    return {};
  }
  const uint64_t pfn = swap_.pfn(pmd);
  const uint64_t owner = machine_.physical().owner_of(pfn).value_or(0);
  const Folio folio = Folio::of(machine_, pfn);
  if ((args_.select & migrate_select::device_private) == 0 || owner != args_.pgmap_owner || !folio) {
    skip(RuleId::collect_pmd_device_not_selected, addr, end, pmd);
    return {};
  }
  machine_.step(RuleId::collect_pmd_device, {addr, pmd, pfn, owner});
  return {folio, is_writable(kind)};
}

Collect::Pmd Collect::collect_huge_pmd(WordIndex word, uint64_t addr, uint64_t end, SpinGuard& pmds) {
  const uint64_t pmd = machine_.load(word);
  if (x86::pmd_none(pmd)) {   // since the walk looked
    hole(addr, end, ~0ull);
    return Pmd::done;
  }
  const Candidate candidate = huge_candidate(pmd, addr, end);
  const Folio& folio = candidate.folio;
  if (!folio) return Pmd::done;
  {
    const AtomicGuard trylock(machine_);
    if (lock_is_the_faults(folio)) {
      machine_.step(RuleId::collect_pmd_fault_folio, {addr, folio.pfn(), folio.refcount()});
      folio.take();
    } else if (busy(addr, folio)) {
      skip(RuleId::collect_pmd_locked, addr, end, folio.get(FolioWord::lock_owner));
      return Pmd::done;
    } else {
      machine_.step(RuleId::collect_pmd_lock, {addr, folio.pfn(), folio.refcount()});
      folio.take();
      folio.lock(FolioLocker::migration);
    }
  }
  if (whole_units(addr, end) && install_pmd_entry(word, addr, end, candidate)) return Pmd::done;
  machine_.step(RuleId::collect_pmd_fallback, {addr, pmd, folio.refcount()});
  pmds.unlock();
  return split_candidate(folio, addr, end);
}

/// False: the page may be pinned for DMA, the pmd stays.
bool Collect::install_pmd_entry(WordIndex word, uint64_t addr, uint64_t end, const Candidate& candidate) {
  const Folio& folio = candidate.folio;
  const uint64_t pmd = machine_.load(word);
  const PmdMigration migration = pmd_migration(machine_, folio, pmd);
  const std::optional<bool> told = migration.exclusive && args_.hooks != nullptr
                                       ? args_.hooks->maybe_pinned(addr, folio.pfn())
                                       : std::nullopt;
  if (migration.exclusive && told.value_or(folio.maybe_dma_pinned())) {
    machine_.step(RuleId::collect_pmd_pinned, {addr, pmd, folio.refcount()});
    if (migration.present) count_flush(machine_, *args_.mm);
    return false;
  }
  const uint64_t mpfn =
      format_.make(folio.pfn()) | format_.migrate | format_.compound | (candidate.write ? format_.write : 0);
  const SwapKind kind = migration.kind;
  machine_.step(kind == SwapKind::migration_write            ? RuleId::collect_pmd_entry_write
                : kind == SwapKind::migration_read_exclusive ? RuleId::collect_pmd_entry_read_exclusive
                                                             : RuleId::collect_pmd_entry_read,
                {addr, pmd, migration.entry, mpfn});
  set_pmd_migration_entry(machine_, *args_.mm, addr, word, folio, migration, args_.hooks);
  push(mpfn);
  push_run(static_cast<uint32_t>((end - addr) / page_bytes) - 1, 0);
  ++args_.cpages;
  return true;
}

/// Splits the locked folio, on which the caller has a reference; drops both (not a lock that is the fault path's).
Collect::Pmd Collect::split_candidate(const Folio& folio, uint64_t addr, uint64_t end) {
  const uint64_t pfn = folio.pfn();
  const bool faults_lock = lock_is_the_faults(folio);
  const bool split = split_folio(machine_, folio, args_.hooks);
  const Folio head = Folio::of(machine_, pfn);  // the first of the small ones after a split
  if (split)
    machine_.step(RuleId::collect_pmd_was_split, {addr, end});
  else
    skip(RuleId::collect_pmd_split_failed, addr, end, head.refcount());
  if (!faults_lock) head.unlock();
  head.put();
  return split ? Pmd::table : Pmd::done;
}

}  // namespace hmmscope
