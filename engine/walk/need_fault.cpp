// hmm_pte_need_fault and hmm_range_need_fault (mm/hmm.c): does a slot's request ask for more than the mapping gives?

#include "engine/walk/range_walk.h"

namespace hmmscope {

RangeWalk::Need RangeWalk::need_of(uint64_t in, uint64_t cpu_flags) const {
  const uint64_t request = (in & call_.pfn_flags_mask) | call_.default_flags;
  if ((request & pfn_.req_fault()) == 0) return {0, RuleId::need_no_request};
  if ((request & pfn_.req_write()) != 0 && (cpu_flags & pfn_.write) == 0) {
    return {need_fault_bit | need_write_bit, RuleId::need_write};
  }
  if ((cpu_flags & pfn_.valid) == 0) return {need_fault_bit, RuleId::need_fault};
  return {0, RuleId::need_satisfied};
}

unsigned RangeWalk::pte_need_fault(uint64_t in, uint64_t cpu_flags) {
  const Need need = need_of(in, cpu_flags);
  machine_.step(need.rule, {in, (in & call_.pfn_flags_mask) | call_.default_flags, cpu_flags});
  return need.mask;
}

unsigned RangeWalk::range_need_fault(uint64_t addr, uint64_t end, uint64_t cpu_flags) {
  const uint32_t count = pages(addr, end);
  if (!can_ask_) {   // recorded as a step of the caller's, as those of hmm_pte_need_fault are
    if (hooks_ != nullptr) hooks_->entered(Function::hmm_range_need_fault, addr, end, cpu_flags);
    machine_.step(RuleId::range_need_no_request, {count, cpu_flags});
    if (hooks_ != nullptr) hooks_->left(Function::hmm_range_need_fault, addr, 0);
    return 0;
  }
  enter_with(Function::hmm_range_need_fault, addr, end, cpu_flags);
  unsigned mask = 0;
  uint32_t read = 0;
  const WordIndex first = slot(addr);
  while (read < count && mask != (need_fault_bit | need_write_bit)) {
    mask |= need_of(machine_.load(first + read), cpu_flags).mask;
    ++read;
  }
  const RuleId rule = mask == 0                      ? RuleId::range_need_none
                      : (mask & need_write_bit) != 0 ? RuleId::range_need_write
                                                     : RuleId::range_need_fault;
  machine_.step(rule, {count, cpu_flags, read, mask});
  leave(Function::hmm_range_need_fault, addr, static_cast<int>(mask));
  return mask;
}

}  // namespace hmmscope
