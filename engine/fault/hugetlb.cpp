// hugetlb mappings: one entry of the pmd or pud table a page, pages from a pool.
#include "engine/fault/cpu_fault.h"

namespace hmmscope {

uint64_t* CpuFault::hugetlb_pool(uint32_t page_shift_bits) {
  return page_shift_bits >= level_shift(Level::pud) ? &options_.hugetlb_1g_pages : &options_.hugetlb_2m_pages;
}

uint64_t CpuFault::free_hugetlb_pages(uint32_t page_shift_bits) const {
  return page_shift_bits >= level_shift(Level::pud) ? options_.hugetlb_1g_pages : options_.hugetlb_2m_pages;
}

uint32_t CpuFault::hugetlb_fault(Fault& fault) {
  Machine& m = fault.machine;
  const AtomicGuard fault_mutex(m);
  const EntryFormat& e = fault.entry;
  const Level level = AddressSpace::hugetlb_level(fault.vma);
  const uint32_t order = level_order(level);
  const bool shared = (fault.vma.flags() & vm::shared) != 0;
  uint64_t* pool = hugetlb_pool(fault.vma.huge_shift());
  WordIndex word = fault.space.find_entry(level, fault.addr);
  const uint64_t old = word == no_word ? 0 : m.load(word);

  if (x86::pte_none(old)) {
    if (*pool == 0) {
      m.step(RuleId::hugetlb_no_page, {fault.addr, old});
      return vm_fault::sigbus;
    }
    --*pool;
    const uint64_t pfn = m.physical().allocate(order);
    m.step(RuleId::hugetlb_none, {fault.addr, old, pfn});
    add_anon_folio(m, fault.vma, fault.addr, pfn, order, true);
    // A private page becomes writable by its first write, not by being mapped (hugetlb_no_page, then hugetlb_wp).
    const bool writable = (fault.vma.flags() & vm::write) != 0 && (shared || fault.write());
    word = fault.space.ensure_entry(level, fault.addr);
    m.store(word, e.make(pfn, mapping_flags(fault.vma, writable) | bit::huge));
    return 0;
  }
  if (!x86::pmd_present(old)) {
    if (is_migration(e.swap.kind(old))) {
      m.step(RuleId::hugetlb_migration, {fault.addr, old});
      return 0;
    }
    m.step(RuleId::hugetlb_poison, {fault.addr, old});
    return vm_fault::hwpoison_large;
  }
  if (!fault.write() || x86::pte_write(old)) {
    m.step(RuleId::hugetlb_present, {fault.addr, old});
    m.store(word, old | bit::accessed | (fault.write() ? bit::dirty : 0));
    return 0;
  }
  const uint64_t pfn = leaf_pfn(level, old);
  const WordIndex folio = m.physical().folio_of(pfn);
  const bool own = folio == no_word || m.load(word_of(folio, FolioWord::mapcount)) <= 1;
  if (own || shared) {
    m.step(RuleId::hugetlb_write, {fault.addr, old, pfn});
    m.store(word, old | bit::dirty | bit::accessed | ((fault.vma.flags() & vm::write) != 0 ? bit::rw : 0));
    return 0;
  }
  if (*pool == 0) {
    m.step(RuleId::hugetlb_no_page, {fault.addr, old});
    return vm_fault::sigbus;
  }
  --*pool;
  const uint64_t copy = m.physical().allocate(order);
  const uint64_t base = fault.addr & ~(level_size(level) - 1);
  const Invalidation running = fault.space.notifiers().start({base, base + level_size(level)});
  m.step(RuleId::hugetlb_write, {fault.addr, old, copy});
  unmap_folio(m, pfn);
  add_anon_folio(m, fault.vma, fault.addr, copy, order, true);
  copy_page_data(m, pfn, copy, order);
  m.store(word, e.make(copy, mapping_flags(fault.vma, true) | bit::huge));
  if (!running.failed) fault.space.notifiers().end(running);
  return 0;
}

}  // namespace hmmscope
