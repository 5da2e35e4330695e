// hmm_vma_handle_pte (mm/hmm.c).

#include <cerrno>

#include "engine/walk/range_walk.h"

namespace hmmscope {

int RangeWalk::handle_pte(WordIndex word, WordIndex slot, uint64_t addr, uint64_t end) {
  if (hooks_ != nullptr) hooks_->before_pte(addr, end);
  // Called for every page: one argument less keeps recordings small.
  machine_.enter(Function::hmm_vma_handle_pte, {addr});
  if (hooks_ != nullptr) hooks_->entered(Function::hmm_vma_handle_pte, addr, end, 0);
  return leave(Function::hmm_vma_handle_pte, addr, pte_decide(machine_.load(word), slot, addr, end));
}

bool RangeWalk::like_none(uint64_t pte) const {
  if (!model_.markers_like_none || x86::pte_present(pte)) return false;
  if (entry_.swap.kind(pte) != SwapKind::pte_marker) return false;
  return !model_.only_uffd_wp_marker_like_none || (entry_.swap.offset(pte) & marker_uffd_wp) != 0;
}

int RangeWalk::pte_decide(uint64_t pte, WordIndex slot, uint64_t addr, uint64_t end) {
  const bool none = x86::pte_none(pte);
  if (none || like_none(pte)) {
    if (const unsigned need = pte_need_fault(machine_.load(slot), 0); need != 0) {
      machine_.step(none ? RuleId::pte_none_fault : RuleId::pte_marker_fault, {pte, need});
      return need_pages(addr, end, need);
    }
    machine_.step(none ? RuleId::pte_none_zero : RuleId::pte_marker_zero, {pte});
    set_slot(slot, 0);
    return 0;
  }
  return x86::pte_present(pte) ? present_pte(pte, slot, addr, end) : nonpresent_pte(pte, slot, addr, end);
}

int RangeWalk::nonpresent_pte(uint64_t pte, WordIndex slot, uint64_t addr, uint64_t end) {
  const SwapKind kind = entry_.swap.kind(pte);
  const uint64_t pfn = entry_.swap.pfn(pte);
  if (is_device_private(kind) && owned(pfn)) {
    machine_.step(RuleId::pte_device_private_owner, {pte, pfn, call_.dev_private_owner});
    set_slot(slot, pfn_.pfn(pfn) | access_flags(is_writable(kind)) | pfn_.device_private);
    return 0;
  }
  const unsigned need = pte_need_fault(machine_.load(slot), 0);
  if (need == 0) {
    machine_.step(RuleId::pte_nonpresent_zero, {pte});
    set_slot(slot, 0);
    return 0;
  }
  if (kind == SwapKind::swap) {
    machine_.step(RuleId::pte_swap_fault, {pte, need});
    return need_pages(addr, end, need);
  }
  if (is_device_private(kind) && model_.foreign_device_private_faults) {
    machine_.step(RuleId::pte_device_private_fault, {pte, machine_.physical().owner_of(pfn).value_or(0), need});
    return need_pages(addr, end, need);
  }
  if (is_device_exclusive(kind) && model_.device_exclusive) {
    machine_.step(RuleId::pte_device_exclusive_fault, {pte, need});
    return need_pages(addr, end, need);
  }
  if (is_migration(kind)) {
    machine_.step(RuleId::pte_migration_wait, {pte, need});
    set_last(addr);
    return wait_for_migration(addr, pte);
  }
  machine_.step(RuleId::pte_other_fault, {pte, need});
  return -EFAULT;
}

bool RangeWalk::no_normal_page(uint64_t pte) const {
  if (!x86::pte_special(pte) || machine_.physical().is_zero_pfn(x86::pte_pfn(pte))) return false;
  return model_.special_test_is_pte_special || !entry_.is_devmap(pte);
}

int RangeWalk::present_pte(uint64_t pte, WordIndex slot, uint64_t addr, uint64_t end) {
  const uint64_t cpu_flags = entry_.is_protnone(pte) ? 0 : access_flags(entry_.allows_write(pte));
  const uint64_t in = machine_.load(slot);
  if (const unsigned need = pte_need_fault(in, cpu_flags); need != 0) {
    machine_.step(RuleId::pte_present_fault, {pte, cpu_flags, need});
    return need_pages(addr, end, need);
  }
  if (no_normal_page(pte)) {
    if (const unsigned need = pte_need_fault(in, 0); need != 0) {
      machine_.step(RuleId::pte_special_fault, {pte, need});
      return -EFAULT;
    }
    machine_.step(RuleId::pte_special_error, {pte});
    set_slot(slot, pfn_.special);
    return 0;
  }
  const uint64_t pfn = x86::pte_pfn(pte);
  const RuleId rule = cpu_flags == 0                       ? RuleId::pte_protnone
                      : machine_.physical().is_zero_pfn(pfn) ? RuleId::pte_zero_page
                                                           : RuleId::pte_present;
  machine_.step(rule, {pte});   // cpu_flags is an operand of the step before, pfn stands in the slot
  set_slot(slot, pfn_.pfn(pfn) | cpu_flags);
  return 0;
}

}  // namespace hmmscope
