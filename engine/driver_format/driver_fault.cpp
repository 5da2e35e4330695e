// Holes, the fault step and the requests: hmm_vma_walk_hole, hmm_vma_do_fault, hmm_pte_need_fault (4.14 to 5.6).

#include <cerrno>

#include "engine/driver_format/driver_walk.h"
#include "engine/walk/fault_answer.h"

namespace hmmscope {

namespace {

/// handle_mm_fault dropped mmap_sem (until 5.1): the kernel's -EBUSY, kept apart from a restart.
constexpr int lock_dropped = -EINPROGRESS;

}  // namespace

int DriverWalk::hole(uint64_t addr, uint64_t end) {
  // 4.14's request is the call's: every hole of a fault call is faulted.
  if (old()) return hole_with(addr, end, request_.snapshot ? 0 : request_.write ? drv_fault_bit | drv_write_bit : drv_fault_bit);
  return hole_with(addr, end, range_need(addr, end, 0));
}

int DriverWalk::hole_with(uint64_t addr, uint64_t end, unsigned need) {
  machine_.enter(Function::hmm_vma_walk_hole, {addr, end, need});
  const int ret = hole_decide(addr, end, need);
  machine_.leave(ret);
  return ret;
}

int DriverWalk::hole_decide(uint64_t addr, uint64_t end, unsigned need) {
  machine_.step(RuleId::drv_hole_begin, {addr, end, need});
  set_last(addr);
  if ((need & drv_write_bit) != 0 && since(RangeApi::flags_5_4) && vma_ && (vma_.flags() & vm::write) == 0) {
    machine_.step(RuleId::drv_hole_write_denied, {addr, vma_.flags()});
    return -EPERM;
  }
  if (need == 0) {
    machine_.step(RuleId::drv_hole_fill, {addr, end, format_.none});
    fill(addr, end, format_.none);
    return 0;
  }
  return fault_pages(addr, end, need, format_.none, RuleId::drv_hole_forget);
}

int DriverWalk::clear(uint64_t start, uint64_t end) {
  machine_.enter(Function::hmm_vma_walk_clear, {start, end});
  int ret = 0;
  const unsigned need = request_.write ? drv_fault_bit | drv_write_bit : drv_fault_bit;
  machine_.step(RuleId::drv_hole_begin, {start, end, request_.snapshot ? 0 : need});
  set_last(start);
  if (request_.snapshot) {
    machine_.step(RuleId::drv_hole_fill, {start, end, 0});
    fill(start, end, 0);
  } else {
    ret = fault_pages(start, end, need, 0, RuleId::drv_clear_forget);
  }
  machine_.leave(ret);
  return ret;
}

int DriverWalk::fault_pages(uint64_t addr, uint64_t end, unsigned need, uint64_t forget_value, RuleId forget) {
  for (uint64_t page = addr; page < end; page += 1ull << shift_) {
    machine_.step(forget, {page, forget_value});
    machine_.store(slot(page), forget_value);
    if (const int ret = do_fault(page, need); ret != -EBUSY) return ret;
  }
  machine_.step(RuleId::drv_hole_again, {addr, end});
  return -EBUSY;
}

int DriverWalk::do_fault(uint64_t addr, unsigned need) {
  machine_.enter(Function::hmm_vma_do_fault, {addr, need});
  const int ret = do_fault_decide(addr, need);
  machine_.leave(ret);
  return ret;
}

int DriverWalk::do_fault_decide(uint64_t addr, unsigned need) {
  if (!vma_ && api_ == RangeApi::snapshot_5_2) {
    machine_.step(RuleId::drv_do_fault_null_vma, {addr});
    return -EFAULT;
  }
  if (!vma_) {
    machine_.step(RuleId::drv_do_fault_no_vma, {addr});
    machine_.store(slot(addr), format_.error);
    return -EFAULT;
  }
  uint32_t flags = fault_flag::remote;
  if (request_.allow_retry || !since_5_3_) flags |= fault_flag::allow_retry;
  if ((need & drv_write_bit) != 0) flags |= fault_flag::write;
  const uint32_t fault = handle_mm_fault(addr, flags);
  if ((fault & vm_fault::retry) != 0) {
    const bool again = since(RangeApi::snapshot_5_2);
    machine_.step(again ? RuleId::drv_do_fault_retry_again : RuleId::drv_do_fault_retry_busy, {addr, fault});
    return again ? -EAGAIN : lock_dropped;
  }
  if ((fault & vm_fault::error) != 0) {
    machine_.step(RuleId::drv_do_fault_error, {addr, fault});
    machine_.store(slot(addr), format_.error);
    return -EFAULT;
  }
  return -EBUSY;
}

uint32_t DriverWalk::handle_mm_fault(uint64_t addr, uint32_t flags) {
  ++result_.faults;
  machine_.enter(Function::handle_mm_fault, {addr, flags});
  const uint32_t fault = fault_answer(machine_, hooks_, mm_, addr, flags);
  machine_.leave(fault);
  return fault;
}

int DriverWalk::wait_for_migration(uint64_t addr, uint64_t entry) {
  machine_.enter(Function::migration_entry_wait, {addr, entry});
  const bool over = hooks_ != nullptr && hooks_->wait_for_migration(addr);
  machine_.step(over ? RuleId::migration_wait_over : RuleId::migration_wait_stuck, {addr, entry});
  machine_.leave();
  if (over) return -EBUSY;
  stuck_ = true;
  result_.stuck = Stuck::migration_wait;
  result_.stuck_at = addr;
  return -EDEADLK;
}

/// The kernel sets the slot to NONE before it decides anything, so a request that is refused is gone as well.
int DriverWalk::fault_from(uint64_t addr, uint64_t end, unsigned need) {
  machine_.store(slot(addr), format_.none);
  return hole_with(addr, end, need);
}

unsigned DriverWalk::need_of(uint64_t in, uint64_t cpu_flags, RuleId& rule) const {
  const bool masked = since(RangeApi::snapshot_5_2);
  const uint64_t request = masked ? (in & call_.pfn_flags_mask) | call_.default_flags : in;
  if (request_.snapshot) {
    rule = RuleId::drv_need_snapshot;
    return 0;
  }
  if ((request & format_.valid) == 0) {
    rule = RuleId::drv_need_no_request;
    return 0;
  }
  const bool write = (request & format_.write) != 0;
  if ((cpu_flags & format_.device_private) != 0) {
    const bool back = (request & format_.device_private) != 0;
    rule = back ? RuleId::drv_need_device : RuleId::drv_need_device_keep;
    return !back ? 0 : write ? drv_fault_bit | drv_write_bit : drv_fault_bit;
  }
  if (write && (cpu_flags & format_.write) == 0) {
    rule = RuleId::drv_need_write;
    return drv_fault_bit | drv_write_bit;
  }
  const bool valid = (cpu_flags & format_.valid) != 0;
  rule = valid ? RuleId::drv_need_satisfied : RuleId::drv_need_fault;
  return valid ? 0 : drv_fault_bit;
}

unsigned DriverWalk::pte_need(uint64_t in, uint64_t cpu_flags) {
  RuleId rule{};
  const unsigned need = need_of(in, cpu_flags, rule);
  const bool masked = since(RangeApi::snapshot_5_2);
  if (rule == RuleId::drv_need_snapshot) {
    machine_.step(rule, {in, cpu_flags});
  } else {
    machine_.step(rule, {in, masked ? (in & call_.pfn_flags_mask) | call_.default_flags : in, cpu_flags});
  }
  return need;
}

unsigned DriverWalk::range_need(uint64_t addr, uint64_t end, uint64_t cpu_flags) {
  machine_.enter(Function::hmm_range_need_fault, {addr, end, cpu_flags});
  const bool first_decides = !since(RangeApi::snapshot_5_2);
  // Slots are found and counted as if each stood for 4K.
  const uint64_t have = (call_.end - call_.start) >> shift_, first = (addr - call_.start) >> page_bits;
  const uint32_t count = pages(addr, end);
  if (!request_.snapshot && first + count > have) machine_.step(RuleId::drv_overrun_need, {first, count, have});
  unsigned need = 0;
  uint32_t read = 0;
  while (!request_.snapshot && read < count) {
    RuleId rule{};
    const uint64_t at = first + read;
    need |= need_of(at < have ? machine_.load(call_.pfns + static_cast<WordIndex>(at)) : 0, cpu_flags, rule);
    ++read;
    if (first_decides ? need != 0 : (need & drv_write_bit) != 0) break;
  }
  const RuleId rule = need == 0         ? RuleId::drv_range_need_none
                      : first_decides ? RuleId::drv_range_need_first
                                      : RuleId::drv_range_need_or;
  machine_.step(rule, {count, cpu_flags, read, need});
  machine_.leave(need);
  return need;
}

}  // namespace hmmscope
