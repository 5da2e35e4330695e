// A fault on a non-present entry: swap, migration, device memory, poison, markers.
#include "engine/fault/cpu_fault.h"

namespace hmmscope {

uint32_t CpuFault::do_swap_page(Fault& fault, WordIndex pte) {
  Machine& m = fault.machine;
  const uint64_t old = m.load(pte);
  const SwapEntry entry = decode_swap(fault.entry.swap, old);
  if (entry.kind == SwapKind::swap) return swap_in(fault, pte);
  if (is_migration(entry.kind)) {
    m.step(RuleId::swap_migration_wait, {fault.addr, old});
    return 0;
  }
  if (is_device_private(entry.kind)) return bring_home(fault, pte, entry);
  if (is_device_exclusive(entry.kind)) return end_exclusive(fault, pte, entry);
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
  const bool writable = exclusive && fault.write() && (fault.vma.flags() & vm::write) != 0;
  m.step(RuleId::swap_in, {fault.addr, old, pfn, fault.flags});
  add_anon_folio(m, pfn, 0, exclusive);
  const WordIndex anon = fault.space.word(MmWord::rss_anon), swap = fault.space.word(MmWord::rss_swap);
  m.store(anon, m.load(anon) + 1);
  if (m.load(swap) != 0) m.store(swap, m.load(swap) - 1);
  m.store(pte, e.make(pfn, mapping_flags(fault.vma, writable)));
  m.physical().free_swap_slot(decode_swap(e.swap, old).offset);
  // A shared page that is to be written is copied within the same fault.
  if (!fault.write() || writable) return 0;
  m.enter(Function::do_wp_page, {fault.addr, fault.flags});
  const uint32_t ret = do_wp_page(fault, pte);
  m.leave(ret);
  return ret;
}

uint32_t CpuFault::bring_home(Fault& fault, WordIndex pte, const SwapEntry& entry) {
  Machine& m = fault.machine;
  const EntryFormat& e = fault.entry;
  const uint64_t old = m.load(pte);
  const std::optional<uint64_t> owner = m.physical().owner_of(entry.pfn);
  const uint64_t pfn = owner ? allocate(fault, 0) : 0;
  if (pfn == 0) {
    m.step(RuleId::swap_device_private_failed, {fault.addr, old, entry.pfn});
    return vm_fault::sigbus;
  }
  m.enter(Function::migrate_to_ram, {fault.addr, entry.pfn});
  const Invalidation running =
      fault.space.notifiers().start({fault.addr, fault.addr + page_bytes, NotifyEvent::migrate, *owner});
  m.step(RuleId::swap_device_private, {fault.addr, old, pfn});
  adjust_folio(m, entry.pfn, -1, -1);
  add_anon_folio(m, pfn, 0, true);
  const uint64_t writable = is_writable(entry.kind) ? bit::rw : 0;
  m.store(pte, e.make(pfn, mapping_flags(fault.vma, false) | writable));
  m.physical().free_device_page(entry.pfn);
  if (!running.failed) fault.space.notifiers().end(running);
  m.leave(0);
  return 0;
}

uint32_t CpuFault::end_exclusive(Fault& fault, WordIndex pte, const SwapEntry& entry) {
  Machine& m = fault.machine;
  const EntryFormat& e = fault.entry;
  m.enter(Function::remove_device_exclusive_entry, {fault.addr, entry.pfn});
  // Owner 0: the device that holds the exclusive access must drop it too.
  const Invalidation running =
      fault.space.notifiers().start({fault.addr, fault.addr + page_bytes, NotifyEvent::exclusive});
  m.step(RuleId::swap_device_exclusive, {fault.addr, m.load(pte), entry.pfn});
  const uint64_t writable = is_writable(entry.kind) && (fault.vma.flags() & vm::write) != 0 ? bit::rw : 0;
  m.store(pte, e.make(entry.pfn, mapping_flags(fault.vma, false) | writable));
  adjust_folio(m, entry.pfn, 0, 1);
  if (!running.failed) fault.space.notifiers().end(running);
  m.leave(0);
  return 0;
}

}  // namespace hmmscope
