// The ptes: the loop body of 4.14's hmm_vma_walk_pmd, and hmm_vma_handle_pte of 4.17 to 5.6.

#include <cerrno>

#include "engine/driver_format/driver_walk.h"

namespace hmmscope {

int DriverWalk::pte_4_14(uint64_t pte, uint64_t at, uint64_t start, uint64_t end) {
  const bool faults = !request_.snapshot, writes = faults && request_.write;
  if (x86::pte_none(pte)) {
    if (faults) {
      machine_.step(RuleId::drv_pte_call_fault, {pte, writes});
      machine_.store(slot(at), format_.none);
      return clear(start, end);
    }
    machine_.step(RuleId::drv_pte_empty, {pte});
    machine_.store(slot(at), format_.none);
    return 0;
  }
  if (!x86::pte_present(pte)) return nonpresent_4_14(pte, at, start, end);
  if (writes && !x86::pte_write(pte)) {
    machine_.step(RuleId::drv_pte_call_fault, {pte, writes});
    machine_.store(slot(at), 0);
    return clear(start, end);
  }
  uint64_t flags = (vma_.flags() & vm::read) != 0 ? format_.read : 0;
  if (x86::pte_write(pte)) flags |= format_.write;
  machine_.step(RuleId::drv_pte_fill_old, {pte, flags});
  machine_.store(slot(at), format_.from_pfn(x86::pte_pfn(pte)) | flags);
  return 0;
}

int DriverWalk::nonpresent_4_14(uint64_t pte, uint64_t at, uint64_t start, uint64_t end) {
  const bool faults = !request_.snapshot, writes = faults && request_.write;
  const SwapKind kind = entry_.swap.kind(pte);
  if (is_device_private(kind) && (!writes || is_writable(kind))) {
    const uint64_t pfn = entry_.swap.pfn(pte);
    uint64_t flags = format_.device_private | ((vma_.flags() & vm::read) != 0 ? format_.read : 0);
    if (is_writable(kind)) flags |= format_.write;
    machine_.step(RuleId::drv_pte_device_old, {pte, pfn});
    machine_.store(slot(at), format_.from_pfn(pfn) | flags);
    return 0;
  }
  const bool migration = is_migration(kind);
  if (migration && faults) {
    machine_.step(RuleId::drv_pte_migration_wait, {pte, writes});
    machine_.store(slot(at), 0);
    set_last(at);
    return wait_for_migration(at, pte);
  }
  if (kind == SwapKind::swap || is_device_private(kind)) {
    if (faults) {
      machine_.step(RuleId::drv_pte_call_fault, {pte, writes});
      machine_.store(slot(at), 0);
      return clear(start, end);
    }
  } else if (!migration) {
    machine_.step(RuleId::drv_pte_odd_error, {pte});
    machine_.store(slot(at), format_.error);
    return 0;
  }
  machine_.step(RuleId::drv_pte_skip, {pte});
  machine_.store(slot(at), 0);
  return 0;
}

int DriverWalk::handle_pte(uint64_t pte, uint64_t addr, uint64_t end) {
  return pte_decide(pte, machine_.load(slot(addr)), addr, end);
}

int DriverWalk::pte_decide(uint64_t pte, uint64_t in, uint64_t addr, uint64_t end) {
  if (x86::pte_none(pte)) {
    if (const unsigned need = pte_need(in, 0); need != 0) {
      machine_.step(RuleId::drv_pte_none_fault, {pte, need});
      return fault_from(addr, end, need);
    }
    machine_.step(RuleId::drv_pte_none, {pte});
    machine_.store(slot(addr), format_.none);
    return 0;
  }
  return x86::pte_present(pte) ? present_pte(pte, in, addr, end) : nonpresent_pte(pte, in, addr, end);
}

int DriverWalk::nonpresent_pte(uint64_t pte, uint64_t in, uint64_t addr, uint64_t end) {
  const SwapKind kind = entry_.swap.kind(pte);
  const bool early = !since(RangeApi::snapshot_5_2);
  const auto none = [&](RuleId rule, std::initializer_list<uint64_t> operands) {
    machine_.step(rule, operands);
    machine_.store(slot(addr), format_.none);
    return 0;
  };
  if (kind == SwapKind::swap) {
    if (api_ == RangeApi::snapshot_5_2) return none(RuleId::drv_pte_swap_unasked, {pte, in});
    const unsigned need = pte_need(in, 0);
    if (need == 0) return none(RuleId::drv_pte_swap_none, {pte});
    machine_.step(RuleId::drv_pte_swap_fault, {pte, need});
    return fault_from(addr, end, need);
  }
  if (is_device_private(kind)) {
    const uint64_t cpu_flags = access_flags(is_writable(kind)) | format_.device_private;
    if (const unsigned need = pte_need(in, cpu_flags); need != 0) {
      machine_.step(RuleId::drv_pte_device_fault, {pte, need});
      return fault_from(addr, end, need);
    }
    machine_.step(RuleId::drv_pte_device, {pte, entry_.swap.pfn(pte)});
    machine_.store(slot(addr), format_.from_pfn(entry_.swap.pfn(pte)) | cpu_flags);
    return 0;
  }
  if (is_migration(kind)) {
    if (!early) return none(RuleId::drv_pte_migration_unasked, {pte, in});
    const unsigned need = pte_need(in, 0);
    if (need == 0) return none(RuleId::drv_pte_migration_none, {pte});
    machine_.step(RuleId::drv_pte_migration_wait, {pte, need});
    machine_.store(slot(addr), format_.none);
    set_last(addr);
    return wait_for_migration(addr, pte);
  }
  machine_.step(RuleId::drv_pte_other, {pte});
  machine_.store(slot(addr), format_.error);
  return -EFAULT;
}

int DriverWalk::present_pte(uint64_t pte, uint64_t in, uint64_t addr, uint64_t end) {
  const bool hint = since_5_3_ && protnone(pte);
  const uint64_t cpu_flags = hint ? 0 : access_flags(x86::pte_write(pte));
  if (const unsigned need = pte_need(in, cpu_flags); need != 0) {
    machine_.step(RuleId::drv_pte_fault, {pte, cpu_flags, need});
    return fault_from(addr, end, need);
  }
  const bool special = x86::pte_special(pte) && !entry_.is_devmap(pte);
  const bool zero_passes = since(RangeApi::interval_5_5) && machine_.physical().is_zero_pfn(x86::pte_pfn(pte));
  if (since(RangeApi::snapshot_5_2) && special && !zero_passes) {
    machine_.step(RuleId::drv_pte_special, {pte});
    machine_.store(slot(addr), format_.special);
    return -EFAULT;
  }
  machine_.step(RuleId::drv_pte_fill, {pte, cpu_flags});
  machine_.store(slot(addr), format_.from_pfn(x86::pte_pfn(pte)) | cpu_flags);
  return 0;
}

}  // namespace hmmscope
