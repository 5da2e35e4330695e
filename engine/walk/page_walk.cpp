// The page walker (mm/pagewalk.c) as far as hmm_range_fault uses it: VMAs and gaps, hugetlb slots, table levels.

#include <algorithm>
#include <cerrno>

#include "engine/fault/cpu_fault.h"
#include "engine/walk/range_walk.h"

namespace hmmscope {

int RangeWalk::walk_page_range(uint64_t start, uint64_t end) {
  machine_.enter(Function::walk_page_range, {start, end});
  int ret = -EINVAL;
  if (start >= end) machine_.step(RuleId::walk_bad_range, {start, end});
  else ret = walk_parts(start, end);
  vma_ = Vma();
  machine_.leave(ret);
  return ret;
}

int RangeWalk::walk_parts(uint64_t start, uint64_t end) {
  uint64_t next = start;
  for (uint64_t addr = start; addr < end; addr = next) {
    if (hooks_ != nullptr) hooks_->before_vma(addr, end);
    const Vma found = mm_.find_vma(addr);
    int ret = 0;
    if (!found) {
      vma_ = Vma();
      next = end;
      machine_.step(RuleId::walk_gap_after, {addr, next});
      ret = hole(addr, next, -1);
    } else if (addr < found.start()) {
      vma_ = Vma();
      next = std::min(end, found.start());
      machine_.step(RuleId::walk_gap_before, {addr, next, found.start()});
      ret = hole(addr, next, -1);
    } else {
      vma_ = found;
      next = std::min(end, found.end());
      machine_.step(RuleId::walk_vma, {addr, next, found.flags()});
      ret = walk_vma_part(addr, next);
    }
    if (ret != 0) return ret;
  }
  return 0;
}

int RangeWalk::walk_vma_part(uint64_t addr, uint64_t end) {
  const int verdict = test_walk(addr, end);
  if (verdict > 0) {
    machine_.step(RuleId::walk_vma_skip, {addr, end});
    return 0;
  }
  if (verdict < 0) return verdict;
  return vma_.is_hugetlb() ? walk_hugetlb_range(addr, end) : walk_upper_range(mm_.tables().top(), addr, end);
}

int RangeWalk::walk_hugetlb_range(uint64_t addr, uint64_t end) {
  const Level level = AddressSpace::hugetlb_level(vma_);
  for (uint64_t next = addr; addr < end; addr = next) {
    next = level_end(level, addr, end);
    if (hooks_ != nullptr) hooks_->before_hugetlb(addr, next, level_size(level));
    const WordIndex word = mm_.find_entry(level, addr);
    int ret = 0;
    if (word != no_word) {
      machine_.step(RuleId::walk_hugetlb_entry, {addr, next, machine_.load(word)});
      ret = hugetlb_entry(word, addr, next);
    } else {
      machine_.step(RuleId::walk_hugetlb_hole, {addr, next});
      ret = hole(addr, next, -1);
    }
    if (ret != 0) return ret;
  }
  return 0;
}

int RangeWalk::walk_upper_range(Level level, uint64_t addr, uint64_t end) {
  const bool is_pgd = level == Level::pgd;
  // Depths follow the kernel's levels; a folded p4d counts as the pgd.
  const int depth = is_pgd || mm_.tables().levels() == 4 ? 0 : 1;
  for (uint64_t next = addr; addr < end; addr = next) {
    next = level_end(level, addr, end);
    if (hooks_ != nullptr) is_pgd ? hooks_->before_pgd(addr, next) : hooks_->before_p4d(addr, next);
    const WordIndex word = mm_.tables().ensure_word(level, addr);
    const uint64_t entry = machine_.load(word);
    int ret = 0;
    if (x86::pte_none(entry)) {
      machine_.step(is_pgd ? RuleId::walk_pgd_hole : RuleId::walk_p4d_hole, {addr, next, entry});
      ret = hole(addr, next, depth);
    } else if (!points_to_table(entry)) {
      machine_.step(RuleId::walk_table_bad, {addr, next, entry});
      machine_.store(word, 0);
      ret = hole(addr, next, depth);
    } else {
      ret = is_pgd ? walk_upper_range(Level::p4d, addr, next) : walk_pud_range(addr, next);
    }
    if (ret != 0) return ret;
  }
  return 0;
}

int RangeWalk::walk_pud_range(uint64_t addr, uint64_t end) {
  for (uint64_t next = addr; addr < end; addr = next) {
    next = level_end(Level::pud, addr, end);
    if (const int ret = walk_pud(addr, next); ret != 0) return ret;
  }
  return 0;
}

int RangeWalk::walk_pud(uint64_t addr, uint64_t next) {
  const WordIndex word = mm_.tables().ensure_word(Level::pud, addr);
  for (;;) {
    if (hooks_ != nullptr) hooks_->before_pud(addr, next);
    const uint64_t entry = machine_.load(word);
    if (x86::pte_none(entry)) {
      machine_.step(RuleId::walk_pud_hole, {addr, next, entry});
      return hole(addr, next, 2);
    }
    Action action = Action::subtree;
    if (model_.config.pud_thp) {
      if (const int ret = pud_entry(word, addr, next, action); ret != 0) return ret;
    }
    if (action == Action::continue_) {
      machine_.step(RuleId::walk_pud_skip, {addr, next});
      return 0;
    }
    const uint64_t below = machine_.load(word);
    if (points_to_table(below)) return walk_pmd_range(addr, next);
    if (x86::pte_none(below)) {   // ACTION_AGAIN, and before it had a name a jump
      machine_.step(RuleId::walk_pud_again, {addr, next});
      continue;
    }
    if (find_pud_leaf(machine_, mm_, addr) != no_word) {
      split_huge_pud(machine_, mm_, addr, RuleId::walk_pud_split, {addr, next, below});
      continue;
    }
    machine_.step(RuleId::walk_table_bad, {addr, next, below});   // cannot be descended into
    machine_.store(word, 0);
  }
}

int RangeWalk::walk_pmd_range(uint64_t addr, uint64_t end) {
  WordIndex word = mm_.tables().ensure_word(Level::pmd, addr);
  for (uint64_t next = addr; addr < end; addr = next, ++word) {
    next = level_end(Level::pmd, addr, end);
    if (hooks_ != nullptr) hooks_->before_pmd(addr, next);
    const uint64_t entry = machine_.load(word);
    int ret = 0;
    if (x86::pmd_none(entry)) {
      machine_.step(RuleId::walk_pmd_hole, {addr, next, entry});
      ret = hole(addr, next, 3);
    } else {
      ret = pmd_entry(word, addr, next);
    }
    if (ret != 0) return ret;
  }
  return 0;
}

}  // namespace hmmscope
