// migrate_vma_collect_pmd's loop over ptes (mm/migrate_device.c).
#include "engine/machine/spin_guard.h"
#include "engine/migrate/collect.h"
#include "engine/migrate/entry_conversion.h"

namespace hmmscope {

void Collect::ptes(uint64_t addr, uint64_t end) {
  SpinGuard locked(machine_, pte_lock(args_.mm->id(), addr));
  ptl_ = &locked;
  unmapped_ = false;
  const uint64_t first = addr;
  for (; addr < end; addr += page_bytes) {
    if (args_.hooks != nullptr) args_.hooks->before_pte(addr, end);
    if (!pte(args_.mm->find_entry(Level::pte, addr), addr, end)) break;
  }
  if (!unmapped_) return;
  machine_.step(RuleId::collect_flush, {first, end});
  count_flush(machine_, *args_.mm);
}

bool Collect::pte(WordIndex word, uint64_t addr, uint64_t end) {
  const uint64_t pte = word == no_word ? 0 : machine_.load(word);
  if (x86::pte_none(pte)) {
    return args_.vma.kind() == VmaKind::anonymous
               ? empty_place(RuleId::collect_pte_none_anonymous, {addr, pte})
               : drop(RuleId::collect_pte_none_other, {addr, pte});
  }
  return x86::pte_present(pte) ? present(word, addr, end) : nonpresent(word, addr, end);
}

bool Collect::nonpresent(WordIndex word, uint64_t addr, uint64_t end) {
  const uint64_t pte = machine_.load(word);
  const SwapKind kind = swap_.kind(pte);
  if (kind == SwapKind::swap) return drop(RuleId::collect_pte_swap, {addr, pte});
  if (!is_device_private(kind)) return drop(RuleId::collect_pte_other_entry, {addr, pte});
  const uint64_t pfn = swap_.pfn(pte);
  const uint64_t owner = machine_.physical().owner_of(pfn).value_or(0);
  if ((args_.select & migrate_select::device_private) == 0 || owner != args_.pgmap_owner) {
    return drop(RuleId::collect_pte_device_not_selected, {addr, pte, args_.select, owner, args_.pgmap_owner});
  }
  machine_.step(RuleId::collect_pte_device, {addr, pte, pfn, owner});
  return candidate(word, addr, end,
                   format_.make(pfn) | format_.migrate | (is_writable(kind) ? format_.write : 0));
}

bool Collect::present(WordIndex word, uint64_t addr, uint64_t end) {
  const uint64_t pte = machine_.load(word);
  const uint64_t pfn = x86::pte_pfn(pte);
  const bool system_selected = (args_.select & migrate_select::system) != 0;
  if (machine_.physical().is_zero_pfn(pfn) && system_selected) {
    return empty_place(RuleId::collect_pte_zero_page, {addr, pte});
  }
  const bool no_page = x86::pte_special(pte);
  const DeviceMemory* device = no_page ? nullptr : machine_.physical().device_of(pfn);
  if (!no_page && device == nullptr && !system_selected) {
    return drop(RuleId::collect_pte_system_not_selected, {addr, pte, args_.select});
  }
  if (device != nullptr && device->coherent &&
      ((args_.select & migrate_select::device_coherent) == 0 || device->owner != args_.pgmap_owner)) {
    return drop(RuleId::collect_pte_coherent_not_selected,
                {addr, pte, args_.select, device->owner, args_.pgmap_owner});
  }
  if (no_page) return drop(RuleId::collect_pte_no_page, {addr, pte});
  machine_.step(device != nullptr ? RuleId::collect_pte_coherent : RuleId::collect_pte_present,
                {addr, pte, pfn});
  return candidate(word, addr, end,
                   format_.make(pfn) | format_.migrate | (machine_.entry_format().allows_write(pte) ? format_.write : 0));
}

bool Collect::candidate(WordIndex word, uint64_t addr, uint64_t end, uint64_t mpfn) {
  const Folio folio = Folio::of(machine_, format_.pfn(mpfn));
  if (!folio || folio.mapping() == 0) return drop(RuleId::collect_pte_no_mapping, {addr, format_.pfn(mpfn)});
  if (folio.large()) return large_candidate(addr, end, folio);
  if (!lock(addr, folio)) return true;
  const uint64_t pte = machine_.load(word);
  const bool exclusive = machine_.model().anon_exclusive_mark && folio.has(folio_flag::anon) && folio.has(folio_flag::anon_exclusive);
  if (exclusive && !take_exclusive(word, addr, folio)) return true;
  make_entry(word, addr, folio, mpfn, pte, exclusive);
  return true;
}

bool Collect::large_candidate(uint64_t addr, uint64_t end, const Folio& folio) {
  if (!machine_.model().collect_splits_mapped_large) {
    return drop(RuleId::collect_pte_large, {addr, folio.pfn(), folio.order()});
  }
  const uint64_t pfn = folio.pfn();
  const bool the_faults = lock_is_the_faults(folio);
  bool held = false;
  {
    const AtomicGuard trylock(machine_);
    machine_.step(RuleId::collect_pte_large_split, {addr, pfn, folio.refcount(), folio.mapcount()});
    // folio_lock() sleeps until the holder lets go; a holder that never does is out of this call's reach.
    held = folio.locked() && !the_faults;
    if (!held && !the_faults) {
      folio.take();
      folio.lock(FolioLocker::migration);
    }
  }
  ptl_->unlock();
  const bool split = !held && split_folio(machine_, folio, args_.hooks);
  if (!split)
    skip(RuleId::collect_pte_large_split_failed, addr, end, folio.refcount());
  else
    machine_.step(RuleId::collect_pte_large_was_split, {addr, end});
  if (split)
    hand_back(addr, Folio::of(machine_, pfn), the_faults);
  else if (!held && !the_faults) {
    folio.unlock();
    folio.put();
  }
  if (!split) return false;
  ptl_->lock();
  if (args_.hooks != nullptr) args_.hooks->before_pte(addr, end);
  return pte(args_.mm->find_entry(Level::pte, addr), addr, end);
}

/// After a split the first small folio has the lock and the reference. They are this call's, or the fault path's, which
/// goes on with the page it is about.
void Collect::hand_back(uint64_t addr, const Folio& head, bool was_the_faults) {
  if (was_the_faults && head.holds(args_.fault_page)) return;
  if (was_the_faults) {
    const Folio page = Folio::of(machine_, args_.fault_page);
    machine_.step(RuleId::collect_pte_large_fault, {addr, page.pfn(), page.refcount()});
    page.take();
    page.lock(FolioLocker::fault);
  }
  head.unlock();
  head.put();
}

/// A reference and the lock; only a try, because two migrations could wait for each other's locks.
bool Collect::lock(uint64_t addr, const Folio& folio) {
  const AtomicGuard trylock(machine_);
  if (lock_is_the_faults(folio)) {
    machine_.step(RuleId::collect_pte_fault_folio, {addr, folio.pfn(), folio.refcount()});
    folio.take();
    return true;
  }
  if (busy(addr, folio)) {
    drop(RuleId::collect_pte_locked, {addr, folio.pfn(), folio.get(FolioWord::lock_owner)});
    return false;
  }
  machine_.step(RuleId::collect_pte_lock, {addr, folio.pfn(), folio.refcount()});
  folio.take();
  folio.lock(FolioLocker::migration);
  return true;
}

/// The pte is cleared and flushed first, so that no fast GUP can pin the page behind the check's back.
bool Collect::take_exclusive(WordIndex word, uint64_t addr, const Folio& folio) {
  const uint64_t pte = machine_.load(word);
  const bool flush = (pte & x86::present.mask()) != 0;
  const std::optional<bool> told =
      args_.hooks != nullptr ? args_.hooks->maybe_pinned(addr, folio.pfn()) : std::nullopt;
  if (!told.value_or(folio.maybe_dma_pinned())) {
    machine_.step(RuleId::collect_pte_exclusive, {addr, pte, folio.refcount()});
    machine_.store(word, 0);
    if (flush) count_flush(machine_, *args_.mm);
    folio.set_flag(folio_flag::anon_exclusive, false);
    return true;
  }
  drop(RuleId::collect_pte_pinned, {addr, pte, folio.refcount()});
  if (flush) count_flush(machine_, *args_.mm);
  if (!lock_is_the_faults(folio)) folio.unlock();
  folio.put();
  return false;
}

void Collect::make_entry(WordIndex word, uint64_t addr, const Folio& folio, uint64_t mpfn, uint64_t pte,
                         bool exclusive) {
  const bool present = x86::pte_present(pte);
  const SwapKind kind = migration_kind(swap_, (mpfn & format_.write) != 0, exclusive);
  const uint64_t entry = make_migration_entry(machine_.model(), swap_, pte, folio.pfn(), kind);
  machine_.step(kind == SwapKind::migration_write            ? RuleId::collect_entry_write
                : kind == SwapKind::migration_read_exclusive ? RuleId::collect_entry_read_exclusive
                                                             : RuleId::collect_entry_read,
                {addr, pte, entry, mpfn});
  if (present && entry_dirty(pte)) folio.set_flag(folio_flag::dirty);
  machine_.store(word, entry);
  folio.remove_rmap();
  folio.put();
  push(mpfn);
  ++args_.cpages;
  if (present) unmapped_ = true;
  if (args_.hooks != nullptr) args_.hooks->replaced(*args_.mm, addr, pte, entry);
}

}  // namespace hmmscope
