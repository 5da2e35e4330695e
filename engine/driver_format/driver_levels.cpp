// The page walker of 4.14 to 5.6 (mm/pagewalk.c) as far as these calls use it, and the callbacks of the upper levels.

#include <algorithm>
#include <cerrno>

#include "engine/driver_format/driver_walk.h"

namespace hmmscope {

int DriverWalk::walk_page_range(uint64_t start, uint64_t end) {
  machine_.enter(Function::walk_page_range, {start, end});
  const int ret = walk_parts(start, end);
  machine_.leave(ret);
  return ret;
}

int DriverWalk::walk_parts(uint64_t start, uint64_t end) {
  uint64_t next = start;
  for (uint64_t addr = start; addr < end; addr = next) {
    const Vma found = mm_.find_vma(addr);
    int ret = 0;
    if (!found || addr < found.start()) {
      vma_ = Vma();
      next = found ? std::min(end, found.start()) : end;
      machine_.step(RuleId::drv_gap, {addr, next});
      ret = hole(addr, next);
    } else {
      vma_ = found;
      next = std::min(end, found.end());
      const int verdict = since(RangeApi::interval_5_5) ? test_walk(addr, next) : 0;
      if (verdict > 0) continue;
      ret = verdict < 0 ? verdict : walk_vma_part(addr, next);
    }
    if (ret != 0) return ret;
  }
  return 0;
}

int DriverWalk::walk_vma_part(uint64_t addr, uint64_t end) {
  return vma_.is_hugetlb() ? walk_hugetlb(addr, end) : walk_upper(mm_.tables().top(), addr, end);
}

int DriverWalk::walk_hugetlb(uint64_t addr, uint64_t end) {
  const Level level = AddressSpace::hugetlb_level(vma_);
  for (uint64_t next = addr; addr < end; addr = next) {
    next = level_end(level, addr, end);
    const WordIndex word = mm_.find_entry(level, addr);
    int ret = 0;
    if (word == no_word) {
      machine_.step(RuleId::drv_table_hole, {addr, next, 0});
      ret = hole(addr, next);
    } else {
      ret = hugetlb_entry(machine_.load(word), addr, next);
    }
    if (ret != 0) return ret;
  }
  return 0;
}

int DriverWalk::walk_upper(Level level, uint64_t addr, uint64_t end) {
  for (uint64_t next = addr; addr < end; addr = next) {
    next = level_end(level, addr, end);
    const uint64_t entry = machine_.load(mm_.tables().ensure_word(level, addr));
    int ret = 0;
    if (!x86::pud_present(entry)) {
      machine_.step(RuleId::drv_table_hole, {addr, next, entry});
      ret = hole(addr, next);
    } else if (level == Level::pgd) {
      ret = walk_upper(Level::p4d, addr, next);
    } else {
      for (uint64_t at = addr, to = addr; at < next && ret == 0; at = to) {
        to = level_end(Level::pud, at, next);
        ret = walk_pud(at, to);
      }
    }
    if (ret != 0) return ret;
  }
  return 0;
}

int DriverWalk::walk_pud(uint64_t addr, uint64_t next) {
  const WordIndex word = mm_.tables().ensure_word(Level::pud, addr);
  uint64_t entry = machine_.load(word);
  if (entry_.is_huge(entry)) {
    if (since(RangeApi::snapshot_5_2) && x86::pud_leaf(entry) && entry_.is_devmap(entry)) {
      machine_.enter(Function::hmm_vma_walk_pud, {addr, next});
      const int ret = pud_leaf(entry, addr, next);
      machine_.leave(ret);
      return ret;
    }
    machine_.step(RuleId::drv_table_split, {addr, next, entry});
    machine_.store(word, 0);
    entry = 0;
  }
  if (!x86::pud_present(entry)) {
    machine_.step(RuleId::drv_table_hole, {addr, next, entry});
    return hole(addr, next);
  }
  return walk_pmds(addr, next);
}

int DriverWalk::walk_pmds(uint64_t addr, uint64_t end) {
  WordIndex word = mm_.tables().ensure_word(Level::pmd, addr);
  for (uint64_t next = addr; addr < end; addr = next, ++word) {
    next = level_end(Level::pmd, addr, end);
    const uint64_t entry = machine_.load(word);
    int ret = 0;
    if (x86::pmd_none(entry)) {
      machine_.step(RuleId::drv_table_hole, {addr, next, entry});
      ret = hole(addr, next);
    } else {
      ret = pmd_entry(word, addr, next);
    }
    if (ret != 0) return ret;
  }
  return 0;
}

int DriverWalk::test_walk(uint64_t start, uint64_t end) {
  machine_.enter(Function::hmm_vma_walk_test, {start, end});
  const int ret = test_walk_decide(start, end);
  machine_.leave(ret);
  return ret;
}

int DriverWalk::test_walk_decide(uint64_t start, uint64_t end) {
  const uint64_t flags = vma_.flags();
  if ((flags & (vm::io | vm::pfnmap | vm::mixedmap)) != 0) {
    machine_.step(RuleId::drv_test_walk_device, {flags});
    return -EFAULT;
  }
  if ((flags & vm::read) != 0) {
    machine_.step(RuleId::drv_test_walk_walk, {flags});
    return 0;
  }
  if (const unsigned need = range_need(start, end, 0); need != 0) {
    machine_.step(RuleId::drv_test_walk_fault, {flags, need});
    return -EFAULT;
  }
  machine_.step(RuleId::drv_test_walk_none, {flags});
  fill(start, end, format_.none);
  set_last(end);
  return 1;
}

int DriverWalk::pud_leaf(uint64_t pud, uint64_t addr, uint64_t end) {
  const uint64_t cpu_flags = access_flags(x86::pte_write(pud));
  if (const unsigned need = range_need(addr, end, cpu_flags); need != 0) {
    machine_.step(RuleId::drv_pud_fault, {pud, cpu_flags, need});
    return hole_with(addr, end, need);
  }
  const uint64_t pfn = x86::pud_pfn(pud) + ((addr & (level_size(Level::pud) - 1)) >> page_bits);
  machine_.step(RuleId::drv_pud_fill, {pud, cpu_flags, pfn});
  fill_pfns(addr, end, pfn, cpu_flags);
  set_last(end);
  return 0;
}

int DriverWalk::hugetlb_entry(uint64_t entry, uint64_t addr, uint64_t end) {
  machine_.enter(Function::hmm_vma_walk_hugetlb_entry, {addr, end});
  const int ret = hugetlb_decide(entry, addr, end);
  machine_.leave(ret);
  return ret;
}

int DriverWalk::hugetlb_decide(uint64_t entry, uint64_t addr, uint64_t end) {
  // With a larger page_shift the kernel also asks for whole huge pages, which aligned ends already make sure of.
  const bool usable = x86::pte_present(entry) && !(since_5_3_ && protnone(entry));
  const uint64_t cpu_flags = usable ? access_flags(x86::pte_write(entry)) : 0;
  if (const unsigned need = pte_need(machine_.load(slot(addr)), cpu_flags); need != 0) {
    machine_.step(RuleId::drv_hugetlb_fault, {entry, cpu_flags, need});
    return fault_from(addr, end, need);
  }
  const uint64_t offset = addr & ((1ull << vma_.huge_shift()) - 1);
  const uint64_t pfn = x86::pte_pfn(entry) + (offset >> page_bits);
  machine_.step(RuleId::drv_hugetlb_fill, {entry, cpu_flags, pfn});
  fill_pfns(addr, end, pfn, cpu_flags);
  set_last(end);
  return 0;
}

}  // namespace hmmscope
