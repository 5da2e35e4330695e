// A fault on a non-present entry: swap, migration, device memory, poison, markers.
#include "engine/fault/cpu_fault.h"
#include "engine/machine/page_data.h"
#include "engine/machine/rss.h"
#include "engine/migrate/device_exclusive.h"
#include "engine/migrate/device_migration.h"

namespace hmmscope {

uint32_t CpuFault::do_swap_page(Fault& fault, WordIndex pte) {
  Machine& m = fault.machine;
  const uint64_t old = m.load(pte);
  const SwapEntry entry = decode_swap(fault.entry.swap, old);
  if (entry.kind == SwapKind::swap) return swap_in(fault, pte);
  if (is_migration(entry.kind)) {
    fault.ptl->unlock();
    m.step(RuleId::swap_migration_wait, {fault.addr, old});
    return 0;
  }
  if (is_device_private(entry.kind)) return bring_home(fault, pte, entry);
  if (is_device_exclusive(entry.kind)) return end_exclusive(fault, pte);
  if (entry.kind == SwapKind::hwpoison) {
    m.step(RuleId::swap_hwpoison, {fault.addr, old});
    return vm_fault::hwpoison;
  }
  if (entry.kind != SwapKind::pte_marker) {
    m.step(RuleId::swap_unknown, {fault.addr, old});
    return vm_fault::sigbus;
  }
  if ((entry.offset & marker_guard) != 0) {
    m.step(RuleId::swap_marker_guard, {fault.addr, old});
    return vm_fault::sigsegv;
  }
  if ((entry.offset & marker_poisoned) != 0) {
    m.step(RuleId::swap_marker_poison, {fault.addr, old});
    return vm_fault::hwpoison;
  }
  m.step(RuleId::swap_marker_uffd_wp, {fault.addr, old});
  return fault.vma.kind() == VmaKind::anonymous ? do_anonymous_page(fault, pte) : do_fault(fault, pte);
}

uint32_t CpuFault::swap_in(Fault& fault, WordIndex pte) {
  Machine& m = fault.machine;
  const EntryFormat& e = fault.entry;
  const uint64_t old = m.load(pte);
  const uint64_t pfn = allocate(fault, 0);
  if (pfn == 0) {
    m.step(RuleId::anon_oom, {fault.addr});
    return vm_fault::oom;
  }
  const bool exclusive = (old & bit::swp_exclusive) != 0;
  const bool may_write = exclusive && (fault.vma.flags() & vm::write) != 0;
  const bool writable = may_write && fault.write();
  const uint64_t clean_write = may_write && !writable && m.model().swap_in_maps_writable ? bit::rw : 0;
  m.step(RuleId::swap_in, {fault.addr, old, pfn, fault.flags});
  add_anon_folio(m, fault.vma, fault.addr, pfn, 0, true);
  const uint64_t slot = decode_swap(e.swap, old).offset;
  if (PageData* data = m.page_data(); data != nullptr) data->read_swap(slot, pfn);
  const bool cached = exclusive && options_.keeps_swap_cache && !fault.write();
  if (cached) {
    const Folio folio = Folio::of(m, pfn);
    folio.set_flag(folio_flag::swapcache);
    folio.take();
    m.physical().set_swap_cache_slot(pfn, slot);
  }
  if (!exclusive) {   // another process still has an entry for the slot: the page stays in the swap cache for it
    const Folio folio = Folio::of(m, pfn);
    folio.set_flag(folio_flag::anon_exclusive, false);
    folio.set_flag(folio_flag::swapcache | folio_flag::swap_shared);
    folio.take();
  }
  add_rss(fault.space, MmWord::rss_anon, 1);
  drop_rss(fault.space, MmWord::rss_swap, 1);
  m.store(pte, e.make(pfn, mapping_flags(fault.vma, writable) | clean_write));
  if (exclusive && !cached) m.physical().free_swap_slot(slot);
  // A shared page that is to be written is copied within the same fault.
  if (!fault.write() || writable) return 0;
  m.enter(Function::do_wp_page, {fault.addr, fault.flags});
  const uint32_t ret = do_wp_page(fault, pte);
  m.leave(ret);
  return ret;
}

uint32_t CpuFault::bring_home(Fault& fault, WordIndex pte, const SwapEntry& entry) {
  Machine& m = fault.machine;
  const uint64_t old = m.load(pte);
  if (!Folio::of(m, entry.pfn) || !m.physical().owner_of(entry.pfn)) {
    m.step(RuleId::swap_device_private_failed, {fault.addr, old, entry.pfn});
    return vm_fault::sigbus;
  }
  if ((fault.flags & fault_flag::vma_lock) != 0) {
    m.step(RuleId::swap_device_private_vma_lock, {fault.addr, old, fault.flags});
    return vm_fault::retry;
  }
  const bool takes_lock = m.model().fault_page_locked;
  {
    const AtomicGuard get_and_trylock(m);
    const Folio folio = Folio::of(m, entry.pfn);   // not that of before: somebody may have split it
    if (takes_lock && folio.locked()) {
      m.step(RuleId::swap_device_private_locked, {fault.addr, old, entry.pfn, folio.get(FolioWord::lock_owner)});
      return 0;
    }
    m.step(RuleId::swap_device_private, {fault.addr, old, entry.pfn, folio.refcount()});
    folio.take();
    if (takes_lock) folio.lock(FolioLocker::fault);
  }
  fault.ptl->unlock();
  const uint32_t ret = migrate_to_ram(m, fault.space, fault.vma, fault.addr, entry.pfn,
                                      [&](uint32_t order) { return allocate(fault, order); }, migrate_hooks_);
  m.step(ret == 0 ? RuleId::swap_device_private_put : RuleId::swap_device_private_failed,
         {fault.addr, m.load(pte), entry.pfn});
  // Of a large folio that was split the small one with the faulting page has lock and reference now. The unified RFC
  // drops this lock itself when the page is pinned.
  const Folio still = Folio::of(m, entry.pfn);
  if (takes_lock && still.locked()) still.unlock();
  still.put();
  return ret;
}

/// As bring_home(), for a 2M entry (mm/huge_memory.c, 7.3): the lock comes first, and the whole page goes.
uint32_t CpuFault::do_huge_pmd_device_private(Fault& fault, WordIndex pmd, uint64_t read) {
  Machine& m = fault.machine;
  const uint64_t pfn = fault.entry.swap.pfn(read);
  if ((fault.flags & fault_flag::vma_lock) != 0) {
    m.step(RuleId::huge_device_vma_lock, {fault.addr, read, fault.flags});
    return vm_fault::retry;
  }
  SpinGuard locked(m, pmd_lock(fault.space.id(), fault.addr));
  if (pmd_raced(fault, read)) return 0;
  const Folio folio = Folio::of(m, pfn);
  if (!folio || !m.physical().owner_of(pfn)) {
    m.step(RuleId::huge_device_failed, {fault.addr, read, pfn});
    return vm_fault::sigbus;
  }
  {
    const AtomicGuard trylock(m);
    if (folio.locked()) {
      m.step(RuleId::huge_device_locked, {fault.addr, read, pfn, folio.get(FolioWord::lock_owner)});
      return 0;
    }
    m.step(RuleId::huge_device_hold, {fault.addr, read, pfn, folio.refcount()});
    folio.lock(FolioLocker::fault);
    folio.take();
  }
  locked.unlock();
  const uint32_t ret = migrate_to_ram(m, fault.space, fault.vma, fault.addr, pfn,
                                      [&](uint32_t order) { return allocate(fault, order); }, migrate_hooks_,
                                      level_order(Level::pmd));
  m.step(ret == 0 ? RuleId::huge_device_put : RuleId::huge_device_failed, {fault.addr, m.load(pmd), pfn});
  const Folio still = Folio::of(m, pfn);
  still.unlock();
  still.put();
  return ret;
}

uint32_t CpuFault::end_exclusive(Fault& fault, WordIndex pte) {
  fault.ptl->unlock();
  remove_device_exclusive_entry(fault.machine, fault.space, fault.vma, fault.addr, pte);
  return 0;
}

}  // namespace hmmscope
