// hmm_vma_walk_pmd and hmm_vma_handle_pmd of 4.14 to 5.6.

#include <cerrno>

#include "engine/driver_format/driver_walk.h"

namespace hmmscope {

int DriverWalk::pmd_entry(WordIndex word, uint64_t addr, uint64_t end) {
  machine_.enter(Function::hmm_vma_walk_pmd, {addr, end});
  const int ret = pmd_decide(machine_.load(word), addr, end);
  machine_.leave(ret);
  return ret;
}

int DriverWalk::bad_pmd(uint64_t pmd, uint64_t addr, uint64_t end) {
  machine_.step(RuleId::drv_pmd_bad, {pmd});
  fill(addr, end, format_.error);
  return 0;
}

int DriverWalk::pmd_decide(uint64_t pmd, uint64_t addr, uint64_t end) {
  if (!x86::pmd_present(pmd)) {
    if (!since(RangeApi::snapshot_5_2) || !is_migration(entry_.swap.kind(pmd))) return bad_pmd(pmd, addr, end);
    if (const unsigned need = range_need(addr, end, 0); need != 0) {
      machine_.step(RuleId::drv_pmd_migration_wait, {pmd, need});
      set_last(addr);
      return wait_for_migration(addr, pmd);
    }
    machine_.step(RuleId::drv_pmd_migration_keep, {pmd});
    return 0;
  }
  if (entry_.is_huge(pmd)) return old() ? pmd_leaf_4_14(pmd, addr, end) : handle_pmd(pmd, addr, end);
  if (x86::pmd_bad(pmd)) return bad_pmd(pmd, addr, end);
  machine_.step(RuleId::drv_pmd_table, {pmd});
  return old() ? ptes_4_14(addr, end) : ptes(addr, end);
}

int DriverWalk::pmd_leaf_4_14(uint64_t pmd, uint64_t addr, uint64_t end) {
  const bool writes = !request_.snapshot && request_.write;
  if (protnone(pmd) || (writes && !x86::pmd_write(pmd))) {
    machine_.step(RuleId::drv_pmd_clear, {pmd, writes});
    return clear(addr, end);
  }
  const uint64_t pfn = x86::pmd_pfn(pmd) + ((addr & (level_size(Level::pmd) - 1)) >> page_bits);
  uint64_t flags = (vma_.flags() & vm::read) != 0 ? format_.read : 0;
  if (x86::pmd_write(pmd)) flags |= format_.write;
  machine_.step(RuleId::drv_pmd_fill, {pmd, flags, pfn});
  fill_pfns(addr, end, pfn, flags);
  return 0;
}

int DriverWalk::handle_pmd(uint64_t pmd, uint64_t addr, uint64_t end) {
  machine_.enter(Function::hmm_vma_handle_pmd, {addr, end});
  const int ret = handle_pmd_decide(pmd, addr, end);
  machine_.leave(ret);
  return ret;
}

int DriverWalk::handle_pmd_decide(uint64_t pmd, uint64_t addr, uint64_t end) {
  const bool hint = protnone(pmd);
  const uint64_t cpu_flags = hint ? 0 : access_flags(x86::pmd_write(pmd));
  const unsigned need = range_need(addr, end, cpu_flags);
  if (hint) {
    machine_.step(RuleId::drv_pmd_protnone, {pmd, need});
    return hole_with(addr, end, need);
  }
  if (need != 0) {
    machine_.step(RuleId::drv_pmd_fault, {pmd, cpu_flags, need});
    return hole_with(addr, end, need);
  }
  const uint64_t pfn = x86::pmd_pfn(pmd) + ((addr & (level_size(Level::pmd) - 1)) >> page_bits);
  machine_.step(RuleId::drv_pmd_fill, {pmd, cpu_flags, pfn});
  fill_pfns(addr, end, pfn, cpu_flags);
  set_last(end);
  return 0;
}

int DriverWalk::ptes(uint64_t addr, uint64_t end) {
  const WordIndex first = mm_.tables().ensure_word(Level::pte, addr);
  const uint64_t start = addr;
  for (; addr < end; addr += page_bytes) {
    const uint64_t pte = machine_.load(first + static_cast<WordIndex>((addr - start) >> page_bits));
    machine_.enter(Function::hmm_vma_handle_pte, {addr});
    const int ret = handle_pte(pte, addr, end);
    machine_.leave(ret);
    if (ret != 0) {
      set_last(addr);
      return ret;
    }
  }
  set_last(end);
  return 0;
}

int DriverWalk::ptes_4_14(uint64_t addr, uint64_t end) {
  const WordIndex first = mm_.tables().ensure_word(Level::pte, addr);
  for (uint64_t at = addr; at < end; at += page_bytes) {
    const uint64_t pte = machine_.load(first + static_cast<WordIndex>((at - addr) >> page_bits));
    if (const int ret = pte_4_14(pte, at, addr, end); ret != 0) return ret;
  }
  return 0;
}

}  // namespace hmmscope
