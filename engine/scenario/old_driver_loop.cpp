// The driver's side of the range calls until 5.6, and how it learned until 5.4 that a range was no longer valid.
// Source: mm/hmm.c of 4.14, 4.18, 5.2 and 5.4 (hmm_vma_range_done, hmm_range_wait_until_valid, hmm_range_valid).

#include <cerrno>

#include "engine/driver_format/driver_format.h"
#include "engine/driver_format/driver_range.h"
#include "engine/scenario/driver_loop.h"
#include "engine/scenario/task_locks.h"

namespace hmmscope::scenario {

RangeFaultResult Operations::old_range_call(const RangeFaultOp& op, Loop& loop, const RangeFaultCall& call,
                                            WalkHooks* script) {
  const KernelModel& model = machine_.model();
  const DriverFormat format = DriverFormat::from(*model.hmm_pfn);
  const auto request = [&](uint64_t in) { return (in & call.pfn_flags_mask) | call.default_flags; };
  bool asks = ((call.default_flags | call.pfn_flags_mask) & format.valid) != 0, writes = false;
  if (model.range_api < RangeApi::snapshot_5_2) {
    asks = false;
    for (uint32_t k = 0; k < op.pages; ++k) {
      const uint64_t wanted = request(machine_.load(call.pfns + k));
      asks = asks || (wanted & format.valid) != 0;
      writes = writes || (wanted & format.write) != 0;
    }
  }
  if (model.range_api == RangeApi::get_pfns_4_17) {
    machine_.step(RuleId::drv_prefill, {0, op.pages, call.default_flags});
    machine_.fill_keeping(call.pfns, static_cast<uint32_t>(op.pages), call.default_flags, 0, call.pfn_flags_mask);
  }
  const MmapGuard guard(locks_, *call.mm, false);
  if (loop.device != nullptr && model.range_api < RangeApi::snapshot_5_2) {
    loop.device->track(loop.tracked, call.start, call.end, call.pfns);
  }
  const RangeFaultResult result = driver_range_call(
      machine_, call, {op.snapshot.value_or(!asks), op.write.value_or(writes), !op.block, op.page_shift}, hooks_of(call, script));
  if (result.ret < 0 && loop.device != nullptr) loop.device->untrack(loop.tracked);
  return result;
}

/// Before the call. 0, or -EBUSY: still being invalidated after the time the driver was willing to wait.
int Operations::wait_until_valid(const Loop& loop, const RangeFaultCall& call) {
  if (machine_.model().range_api < RangeApi::snapshot_5_2) return 0;
  IntervalNotifier& notifier = loop.device->notifier();
  machine_.enter(Function::hmm_range_wait_until_valid, {call.start, call.end});
  while (notifier.being_invalidated() && locks_ != nullptr) locks_->wait_for_notifier(notifier);
  const bool valid = !notifier.being_invalidated();
  machine_.step(RuleId::drv_wait_valid, {call.start, call.end, valid});
  machine_.leave(valid);
  return valid ? 0 : -EBUSY;
}

/// After the call, under the driver's lock.
bool Operations::range_still_valid(Loop& loop, const RangeFaultCall& call) {
  if (machine_.model().range_api < RangeApi::snapshot_5_2) {
    machine_.enter(Function::hmm_vma_range_done);
    machine_.step(RuleId::drv_range_done, {loop.tracked.valid});
    machine_.leave(loop.tracked.valid);
    loop.device->untrack(loop.tracked);
    return loop.tracked.valid;
  }
  const bool valid = !loop.device->notifier().being_invalidated();
  machine_.enter(Function::hmm_range_valid, {call.start, call.end});
  machine_.step(RuleId::drv_range_valid, {valid});
  machine_.leave(valid);
  return valid;
}

}  // namespace hmmscope::scenario
