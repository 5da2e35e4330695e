// hmm_vma_walk_pmd, hmm_vma_handle_pmd and hmm_vma_handle_absent_pmd (mm/hmm.c).

#include <cerrno>

#include "engine/walk/range_walk.h"

namespace hmmscope {

int RangeWalk::pmd_entry(WordIndex word, uint64_t addr, uint64_t end) {
  enter(Function::hmm_vma_walk_pmd, addr, end);
  std::optional<int> ret;
  while (!(ret = pmd_decide(word, addr, end))) {
    if (hooks_ != nullptr) hooks_->before_pmd(addr, end);
  }
  return leave(Function::hmm_vma_walk_pmd, addr, *ret);
}

/// Nothing: the pmd changed after it was read, start over. No lock is held between the reads: who takes the pmd away
/// tells the notifier, so that what was read may be out of date but never goes unnoticed; it must only not be taken for
/// what it is not any more.
std::optional<int> RangeWalk::pmd_decide(WordIndex word, uint64_t addr, uint64_t end) {
  const uint64_t pmd = machine_.load(word);
  if (x86::pmd_none(pmd)) {
    machine_.step(RuleId::pmd_none, {pmd});
    return hole(addr, end, -1);
  }
  if (!x86::pmd_present(pmd)) {
    if (is_migration(entry_.swap.kind(pmd))) {
      if (const unsigned need = range_need_fault(addr, end, 0); need != 0) {
        machine_.step(RuleId::pmd_migration_wait, {pmd, need});
        set_last(addr);
        return wait_for_migration(addr, pmd);
      }
      machine_.step(RuleId::pmd_migration_zero, {pmd});
      fill(addr, end, 0);
      return 0;
    }
    if (model_.pmd_device_private) {
      const int ret = absent_pmd(pmd, addr, end);
      const bool device = is_device_private(entry_.swap.kind(pmd)) && owned(entry_.swap.pfn(pmd));
      if (ret != 0 || !device || !prepare_ || !prepare_->wanted() || !prepare_->visits_huge_first()) return ret;
      return prepare_visited(word, pmd, addr, end);
    }
    return not_present_pmd(pmd, addr, end, range_need_fault(addr, end, 0));
  }
  if (prepare_ && prepare_->wanted() && entry_.is_huge(pmd)) return prepare_huge(word, addr, end);
  if (entry_.is_huge(pmd)) {
    machine_.step(RuleId::pmd_huge, {pmd});
    const uint64_t again = machine_.load(word);
    if (entry_.is_huge(again)) return handle_pmd(again, addr, end);
    machine_.step(RuleId::pmd_not_huge_any_more, {pmd, again});
    return std::nullopt;
  }
  if (x86::pmd_bad(pmd)) {
    if (const unsigned need = range_need_fault(addr, end, 0); need != 0) {
      machine_.step(RuleId::pmd_bad_fault, {pmd, need});
      return -EFAULT;
    }
    machine_.step(RuleId::pmd_bad_error, {pmd});
    fill(addr, end, pfn_.error);
    return 0;
  }
  machine_.step(RuleId::pmd_table, {pmd});
  const uint64_t again = machine_.load(word);
  if (model_.pte_table_may_be_gone && !points_to_table(again)) {
    machine_.step(RuleId::pmd_table_gone, {pmd, again});
    return std::nullopt;
  }
  return pte_table(addr, end);
}

/// Kernels with the unified fault-and-migrate patches, when the call migrates.
int RangeWalk::prepare_huge(WordIndex word, uint64_t addr, uint64_t end) {
  if (!prepare_->visits_huge_first()) {
    if (!prepare_->split(word, addr, end)) {
      fill(addr, end, pfn_.error);
      return 0;
    }
  } else {
    const uint64_t pmd = machine_.load(word);
    machine_.step(RuleId::pmd_huge, {pmd});
    if (const int ret = handle_pmd(pmd, addr, end); ret != 0) return ret;
    return prepare_visited(word, pmd, addr, end);
  }
  set_last(addr);
  return -EBUSY;
}

int RangeWalk::prepare_visited(WordIndex word, uint64_t pmd, uint64_t addr, uint64_t end) {
  if (prepare_->huge(word, pmd, slot(addr), addr, end) == MigratePrepare::Next::go_on) return 0;
  set_last(addr);
  return -EBUSY;
}

int RangeWalk::not_present_pmd(uint64_t pmd, uint64_t addr, uint64_t end, unsigned need) {
  if (need != 0) {
    machine_.step(RuleId::pmd_not_present_fault, {pmd, need});
    return -EFAULT;
  }
  machine_.step(RuleId::pmd_not_present_error, {pmd});
  fill(addr, end, pfn_.error);
  return 0;
}

int RangeWalk::absent_pmd(uint64_t pmd, uint64_t addr, uint64_t end) {
  enter(Function::hmm_vma_handle_absent_pmd, addr, end);
  return leave(Function::hmm_vma_handle_absent_pmd, addr, absent_pmd_decide(pmd, addr, end));
}

int RangeWalk::absent_pmd_decide(uint64_t pmd, uint64_t addr, uint64_t end) {
  const SwapKind kind = entry_.swap.kind(pmd);
  if (!is_device_private(kind)) return not_present_pmd(pmd, addr, end, range_need_fault(addr, end, 0));
  const uint64_t pfn = entry_.swap.pfn(pmd);
  if (owned(pfn)) {
    machine_.step(RuleId::pmd_device_private_owner, {pmd, pfn, call_.dev_private_owner});
    // The kernel starts at the entry's first pfn even when addr lies inside the 2M unit.
    fill_pfns(addr, end, pfn,
              access_flags(is_writable(kind)) | pfn_.order(level_order(Level::pmd)) | pfn_.device_private);
    return 0;
  }
  const unsigned need = range_need_fault(addr, end, 0);
  if (need == 0) return not_present_pmd(pmd, addr, end, need);
  machine_.step(RuleId::pmd_device_private_fault, {pmd, machine_.physical().owner_of(pfn).value_or(0), need});
  return need_pages(addr, end, need);
}

int RangeWalk::handle_pmd(uint64_t pmd, uint64_t addr, uint64_t end) {
  enter(Function::hmm_vma_handle_pmd, addr, end);
  const bool protnone = entry_.is_protnone(pmd);
  const uint64_t cpu_flags =
      protnone ? 0 : access_flags(entry_.allows_write(pmd)) | pfn_.order(level_order(Level::pmd));
  if (const unsigned need = range_need_fault(addr, end, cpu_flags); need != 0) {
    machine_.step(RuleId::handle_pmd_fault, {pmd, cpu_flags, need});
    return leave(Function::hmm_vma_handle_pmd, addr, need_pages(addr, end, need));
  }
  const uint64_t pfn = x86::pmd_pfn(pmd) + ((addr & (level_size(Level::pmd) - 1)) >> page_bits);
  machine_.step(protnone ? RuleId::handle_pmd_protnone : RuleId::handle_pmd_fill, {pmd, cpu_flags, pfn});
  fill_pfns(addr, end, pfn, cpu_flags);
  reached_ = end;
  return leave(Function::hmm_vma_handle_pmd, addr, 0);
}

int RangeWalk::pte_table(uint64_t addr, uint64_t end) {
  const int ret = visit_ptes(addr, end);
  if (prepare_) prepare_->part_done(addr, end);
  return ret;
}

int RangeWalk::visit_ptes(uint64_t addr, uint64_t end) {
  const WordIndex first = mm_.tables().ensure_word(Level::pte, addr);
  const WordIndex first_slot = slot(addr);
  const uint32_t count = pages(addr, end);
  for (uint32_t k = 0; k < count; ++k) {
    if (use_block_) {
      uint64_t* words = machine_.memory().data();
      k += convert_ptes(block_, words + first + k, words + first_slot + k, count - k);
      if (k == count) break;
    }
    const uint64_t at = addr + k * page_bytes;
    SpinGuard locked(machine_, pte_lock(mm_.id(), at), SpinGuard::later);
    if (prepare_ && prepare_->holds_lock_throughout()) locked.lock();
    ptl_ = &locked;
    const int ret = handle_pte(first + k, first_slot + k, at, end);
    ptl_ = nullptr;
    if (ret != 0) return ret;
    if (!prepare_ || prepare_->pte(vma_, first + k, first_slot + k, at, locked) == MigratePrepare::Next::go_on) continue;
    set_last(at);
    return -EBUSY;
  }
  reached_ = end;
  return 0;
}

}  // namespace hmmscope
