// Large folios under the unified fault-and-migrate patches. As posted a huge pmd is split before it is looked at
// (hmm_vma_walk_split); later it is visited first and then split, and a folio mapped by ptes is split too
// (hmm_vma_handle_migrate_prepare_pmd, migrate_vma_split_folio). Taking a huge page whole (HMM_PFN_COMPOUND, for
// callers with MIGRATE_VMA_SELECT_COMPOUND) is not modelled: migrations here move pages of one size.
#include <cerrno>
#include <optional>

#include "engine/fault/cpu_fault.h"
#include "engine/machine/spin_guard.h"
#include "engine/migrate/migrate_internal.h"
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

/// The folio is locked and referenced by this call, which gives up both.
bool MigratePrepare::split_locked(uint64_t addr, const Folio& folio) {
  const uint64_t pfn = folio.pfn();
  const bool done = split_folio(machine_, folio, hooks());
  const Folio head = Folio::of(machine_, pfn);  // the first of the small ones after a split
  machine_.step(done ? RuleId::split_unlock : RuleId::split_refused, {addr, pfn, head.refcount()});
  head.unlock();
  head.put();
  return done;
}

MigratePrepare::Next MigratePrepare::huge(WordIndex word, WordIndex slot, uint64_t addr, uint64_t end) {
  machine_.enter(Function::hmm_vma_handle_migrate_prepare_pmd, {addr, end});
  const Next next = huge_decide(word, slot, addr, end);
  machine_.leave(next == Next::again ? -EBUSY : 0);
  return next;
}

MigratePrepare::Next MigratePrepare::huge_decide(WordIndex word, WordIndex slot, uint64_t addr, uint64_t end) {
  const uint64_t pmd = machine_.load(word);
  const uint64_t pfn = leaf_pfn(Level::pmd, pmd);
  if (!system_selected()) {
    machine_.step(RuleId::prepare_huge_not_selected, {addr, pmd, select_});
    return Next::go_on;
  }
  if (pfn == machine_.physical().huge_zero_pfn()) {
    machine_.step(RuleId::prepare_huge_zero, {addr, end, pmd});
    machine_.fill_keeping(slot, static_cast<uint32_t>((end - addr) / page_bytes), hole_word_, 0, 0);
    return Next::go_on;
  }
  const Folio folio = Folio::of(machine_, pfn);
  std::optional<AtomicGuard> trylock(std::in_place, machine_);
  if (!folio || busy(addr, folio)) {
    machine_.step(RuleId::prepare_huge_locked, {addr, pfn, folio ? folio.get(FolioWord::lock_owner) : 0});
    return Next::go_on;
  }
  machine_.step(RuleId::prepare_huge_split, {addr, pmd, folio.refcount()});
  folio.take();
  folio.lock(FolioLocker::migration);
  trylock.reset();
  const bool done = split_locked(addr, folio);
  machine_.step(done ? RuleId::prepare_huge_was_split : RuleId::prepare_huge_split_failed, {addr, end});
  return done ? Next::again : Next::go_on;
}

MigratePrepare::Next MigratePrepare::mapped_large(uint64_t addr, const Folio& folio) {
  if (!policy_.splits_mapped_large) {
    machine_.step(RuleId::prepare_large, {addr, folio.pfn(), folio.order()});
    return Next::go_on;
  }
  machine_.enter(Function::migrate_vma_split_folio, {addr, folio.pfn()});
  machine_.step(RuleId::prepare_large_split, {addr, folio.pfn(), folio.refcount(), folio.mapcount()});
  // folio_lock() sleeps until the holder lets go; a holder that never does is out of this call's reach.
  bool done = false;
  std::optional<AtomicGuard> trylock(std::in_place, machine_);
  if (!busy(addr, folio)) {
    folio.take();
    folio.lock(FolioLocker::migration);
    trylock.reset();
    ptl_->unlock();
    done = split_locked(addr, folio);
  }
  machine_.leave(done ? 0 : -EBUSY);
  machine_.step(done ? RuleId::prepare_large_was_split : RuleId::prepare_large_split_failed, {addr});
  return done ? Next::again : Next::go_on;
}

}  // namespace hmmscope
