// Anonymous memory that nobody has touched yet: the zero pages, and new pages.
#include "engine/fault/cpu_fault.h"
#include "engine/machine/rss.h"

namespace hmmscope {

uint32_t CpuFault::do_anonymous_page(Fault& fault, WordIndex pte) {
  Machine& m = fault.machine;
  const EntryFormat& e = fault.entry;
  if (fault.space.unstable()) {
    m.step(RuleId::anon_unstable, {fault.addr});
    return vm_fault::sigbus;
  }
  const bool missing_handler = (fault.vma.flags() & vm::uffd_missing) != 0;
  // The handler needs mmap_lock dropped, which only a caller with ALLOW_RETRY permits (mm/userfaultfd.c).
  if (missing_handler && (fault.flags & fault_flag::allow_retry) == 0) {
    m.step(RuleId::anon_uffd_missing, {fault.addr, fault.vma.flags(), fault.flags});
    return vm_fault::sigbus;
  }
  if (missing_handler) {
    // UFFDIO_COPY: a page of its own, whatever the access.
    const uint64_t copied = allocate(fault, 0);
    if (copied == 0) {
      m.step(RuleId::anon_oom, {fault.addr});
      return vm_fault::oom;
    }
    m.step(RuleId::anon_uffd_wait, {fault.addr, fault.vma.flags(), copied});
    add_anon_folio(m, fault.vma, fault.addr, copied, 0, true);
    add_rss(fault.space, MmWord::rss_anon, 1);
    m.store(pte, e.make(copied, mapping_flags(fault.vma, true)));
    return vm_fault::retry;
  }
  if (!fault.write()) {
    const uint64_t zero = m.physical().zero_pfn();
    m.step(RuleId::anon_zero_page, {fault.addr, zero});
    m.store(pte, e.make(zero, mapping_flags(fault.vma, false) | bit::special));
    return 0;
  }
  const uint64_t pfn = allocate(fault, 0);
  if (pfn == 0) {
    m.step(RuleId::anon_oom, {fault.addr});
    return vm_fault::oom;
  }
  m.step(RuleId::anon_new_page, {fault.addr, pfn});
  add_anon_folio(m, fault.vma, fault.addr, pfn, 0, true);
  add_rss(fault.space, MmWord::rss_anon, 1);
  m.store(pte, e.make(pfn, mapping_flags(fault.vma, true)));
  return 0;
}

bool CpuFault::thp_fits(const Fault& fault) const {
  const uint64_t base = fault.addr & ~(level_size(Level::pmd) - 1);
  return fault.vma.kind() == VmaKind::anonymous && (fault.vma.flags() & vm::hugepage) != 0 &&
         base >= fault.vma.start() && base + level_size(Level::pmd) <= fault.vma.end();
}

uint32_t CpuFault::do_huge_pmd_anonymous_page(Fault& fault) {
  Machine& m = fault.machine;
  const EntryFormat& e = fault.entry;
  const SpinGuard locked(m, pmd_lock(fault.space.id(), fault.addr));
  if (pmd_raced(fault, std::nullopt)) return 0;
  if (fault.space.unstable()) {
    m.step(RuleId::thp_unstable, {fault.addr});
    return vm_fault::sigbus;
  }
  if ((fault.vma.flags() & vm::uffd_missing) != 0 && (fault.flags & fault_flag::allow_retry) == 0) {
    m.step(RuleId::thp_uffd_missing, {fault.addr, fault.vma.flags()});
    return vm_fault::sigbus;
  }
  if (!fault.write() && options_.huge_zero_page) {
    const uint64_t zero = m.physical().huge_zero_pfn();
    m.step(RuleId::thp_huge_zero, {fault.addr, zero});
    const uint64_t flags = mapping_flags(fault.vma, false) & ~bit::accessed;
    m.store(fault.space.ensure_entry(Level::pmd, fault.addr), e.make(zero, flags | bit::huge));
    return 0;
  }
  const uint64_t pfn = allocate(fault, level_order(Level::pmd));
  if (pfn == 0) {
    m.step(RuleId::thp_fallback, {fault.addr});
    return vm_fault::fallback;
  }
  m.step(RuleId::thp_new_page, {fault.addr, pfn});
  add_anon_folio(m, fault.vma, fault.addr, pfn, level_order(Level::pmd), true);
  add_rss(fault.space, MmWord::rss_anon, entries_per_table);
  const uint64_t flags = mapping_flags(fault.vma, (fault.vma.flags() & vm::write) != 0);
  m.store(fault.space.ensure_entry(Level::pmd, fault.addr), e.make(pfn, flags | bit::huge));
  return 0;
}

}  // namespace hmmscope
