// hmm_vma_walk_test, hmm_vma_walk_hole, hmm_vma_walk_pud and hmm_vma_walk_hugetlb_entry (mm/hmm.c).

#include <cerrno>

#include "engine/walk/range_walk.h"

namespace hmmscope {

int RangeWalk::test_walk(uint64_t start, uint64_t end) {
  enter(Function::hmm_vma_walk_test, start, end);
  return leave(Function::hmm_vma_walk_test, start, test_walk_decide(start, end));
}

int RangeWalk::test_walk_decide(uint64_t start, uint64_t end) {
  if (prepare_) {
    if (const int ret = prepare_->capture(vma_, start, end); ret != 0) return ret;
  }
  const uint64_t flags = vma_.flags();
  if ((flags & (vm::io | vm::pfnmap)) != 0) {
    machine_.step(RuleId::test_walk_io, {flags});
  } else if (model_.rejects_mixedmap && (flags & vm::mixedmap) != 0) {
    machine_.step(RuleId::test_walk_mixedmap, {flags});
  } else if ((flags & vm::read) == 0) {
    machine_.step(RuleId::test_walk_unreadable, {flags});
  } else {
    machine_.step(RuleId::test_walk_walk, {flags});
    return 0;
  }
  if (const unsigned need = range_need_fault(start, end, 0); need != 0) {
    machine_.step(RuleId::test_walk_fault, {start, end, need});
    return -EFAULT;
  }
  machine_.step(RuleId::test_walk_error, {start, end});
  fill(start, end, pfn_.error);
  reached_ = end;
  return 1;
}

int RangeWalk::hole(uint64_t addr, uint64_t end, int depth) {
  enter_with(Function::hmm_vma_walk_hole, addr, end, static_cast<uint64_t>(static_cast<int64_t>(depth)));
  return leave(Function::hmm_vma_walk_hole, addr, hole_decide(addr, end));
}

int RangeWalk::hole_decide(uint64_t addr, uint64_t end) {
  const unsigned need = range_need_fault(addr, end, 0);
  if (!vma_) {
    if (need != 0) {
      machine_.step(RuleId::hole_no_vma_fault, {addr, end, need});
      return -EFAULT;
    }
    machine_.step(RuleId::hole_no_vma_error, {addr, end});
    fill(addr, end, pfn_.error);
    return 0;
  }
  if (need != 0) {
    machine_.step(RuleId::hole_fault, {addr, end, need});
    return need_pages(addr, end, need);
  }
  machine_.step(RuleId::hole_zero, {addr, end});
  fill(addr, end, 0);
  reached_ = addr;
  return 0;
}

int RangeWalk::pud_entry(WordIndex word, uint64_t addr, uint64_t end, Action& action) {
  enter(Function::hmm_vma_walk_pud, addr, end);
  return leave(Function::hmm_vma_walk_pud, addr, pud_decide(word, addr, end, action));
}

int RangeWalk::pud_decide(WordIndex word, uint64_t addr, uint64_t end, Action& action) {
  const uint64_t pud = machine_.load(word);
  if (!entry_.is_huge(pud)) {
    machine_.step(RuleId::pud_not_huge, {pud});
    return 0;
  }
  action = Action::continue_;
  // 6.1 asked pud_none here, which a huge pud never is.
  if (!model_.walk_pud_checks_none_only && !x86::pud_present(pud)) {
    machine_.step(RuleId::pud_not_present, {pud});
    return hole(addr, end, -1);
  }
  if (x86::pud_leaf(pud) && (!model_.devmap || entry_.is_devmap(pud))) {
    const uint64_t cpu_flags = access_flags(x86::pte_write(pud)) | pfn_.order(level_order(Level::pud));
    if (const unsigned need = range_need_fault(addr, end, cpu_flags); need != 0) {
      machine_.step(RuleId::pud_leaf_fault, {pud, cpu_flags, need});
      return need_pages(addr, end, need);
    }
    const uint64_t pfn = x86::pud_pfn(pud) + ((addr & (level_size(Level::pud) - 1)) >> page_bits);
    machine_.step(RuleId::pud_leaf_fill, {pud, cpu_flags, pfn});
    fill_pfns(addr, end, pfn, cpu_flags);
    reached_ = end;
    return 0;
  }
  machine_.step(RuleId::pud_split, {pud});
  action = Action::subtree;
  return 0;
}

int RangeWalk::hugetlb_entry(WordIndex word, uint64_t addr, uint64_t end) {
  enter(Function::hmm_vma_walk_hugetlb_entry, addr, end);
  return leave(Function::hmm_vma_walk_hugetlb_entry, addr, hugetlb_decide(word, addr, end));
}

int RangeWalk::hugetlb_decide(WordIndex word, uint64_t addr, uint64_t end) {
  const uint64_t entry = machine_.load(word);
  const bool usable = x86::pte_present(entry) && !entry_.is_protnone(entry);
  const uint64_t order = pfn_.order(vma_.huge_shift() - page_bits);
  const uint64_t cpu_flags = (usable ? access_flags(x86::pte_write(entry)) : 0) | order;
  if (const unsigned need = pte_need_fault(machine_.load(slot(addr)), cpu_flags); need != 0) {
    machine_.step(RuleId::hugetlb_entry_fault, {entry, cpu_flags, need});
    return need_pages(addr, end, need);
  }
  // The pfn bits are read the same way whether or not the entry is present.
  const uint64_t offset = addr & ((1ull << vma_.huge_shift()) - 1);
  const uint64_t pfn = x86::pte_pfn(entry) + (offset >> page_bits);
  machine_.step(usable ? RuleId::hugetlb_entry_fill : RuleId::hugetlb_entry_not_valid, {entry, cpu_flags, pfn});
  fill_pfns(addr, end, pfn, cpu_flags);
  reached_ = end;
  return 0;
}

}  // namespace hmmscope
