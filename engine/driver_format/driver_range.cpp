// The outer functions: hmm_vma_get_pfns, hmm_vma_fault, hmm_range_snapshot and hmm_range_fault of 4.14 to 5.6.

#include "engine/driver_format/driver_range.h"

#include <algorithm>
#include <cassert>
#include <cerrno>

#include "engine/driver_format/driver_walk.h"

namespace hmmscope {

namespace {

constexpr uint64_t device_vma = vm::io | vm::pfnmap | vm::mixedmap;
constexpr uint64_t special_vma = device_vma | vm::dontexpand;  // VM_SPECIAL

/// Faulted or waited inside the walk: the outer loop walks again. The kernel used -EAGAIN until 5.1, -EBUSY since.
constexpr int walk_again = -EBUSY;

}  // namespace

DriverWalk::DriverWalk(Machine& machine, const RangeFaultCall& call, const DriverRequest& request,
                       WalkHooks* hooks)
    : machine_(machine), call_(call), request_(request), hooks_(hooks), mm_(*call.mm), entry_(machine.entry_format()),
      api_(machine.model().range_api), since_5_3_(machine.model().version >= 5003),
      format_(DriverFormat::from(*machine.model().hmm_pfn)), shift_(request.page_shift), last_(call.start) {}

void DriverWalk::set_last(uint64_t addr) {
  last_ = addr;
  if (call_.range != no_word) machine_.store(word_of(call_.range, RangeWord::last), addr);
}

RangeFaultResult DriverWalk::run() {
  if (const int refused = register_range(); refused != 0) {
    result_.ret = refused;
    result_.last = call_.start;
    return result_;
  }
  const bool one = !since(RangeApi::snapshot_5_2);
  const Function function = one ? (request_.snapshot ? Function::hmm_vma_get_pfns : Function::hmm_vma_fault)
                            : request_.snapshot && api_ == RangeApi::snapshot_5_2 ? Function::hmm_range_snapshot
                                                                                : Function::hmm_range_fault;
  machine_.enter(function, {call_.start, call_.end, call_.default_flags, call_.pfn_flags_mask});
  const int64_t ret = one ? one_vma() : since(RangeApi::interval_5_5) ? whole_range() : vma_by_vma();
  machine_.step(stuck_ && result_.stuck == Stuck::livelock ? RuleId::drv_livelock : RuleId::drv_return,
                {static_cast<uint64_t>(ret), stuck_ && result_.stuck == Stuck::livelock ? result_.walks : last_});
  machine_.leave(ret);
  result_.ret = static_cast<int>(ret);
  result_.last = last_;
  return result_;
}

/// hmm_range_register() of 5.2 and 5.3, as far as it looks at the ends.
int DriverWalk::register_range() {
  if (shift_ == page_bits || ((call_.start | call_.end) & ((1ull << shift_) - 1)) == 0) return 0;
  machine_.enter(Function::hmm_range_register, {call_.start, call_.end, shift_});
  machine_.step(RuleId::drv_register_unaligned, {call_.start, call_.end, shift_});
  machine_.leave(-EINVAL);
  return -EINVAL;
}

int DriverWalk::refuse_page_shift() {
  if (shift_ == page_bits || (vma_.is_hugetlb() && vma_.huge_shift() == shift_)) return 0;
  machine_.step(RuleId::drv_page_shift, {vma_.flags(), vma_.is_hugetlb() ? vma_.huge_shift() : page_bits, shift_});
  return -EINVAL;
}

void DriverWalk::clear_slots(uint64_t addr, uint64_t end) {
  const uint64_t have = (call_.end - call_.start) >> shift_;
  const uint64_t first = (addr - call_.start) >> page_bits, count = (end - addr) >> page_bits;
  if (first + count > have) machine_.step(RuleId::drv_overrun_clear, {first, count, have});
  if (first >= have) return;
  machine_.fill_keeping(call_.pfns + static_cast<WordIndex>(first),
                        static_cast<uint32_t>(std::min(count, have - first)), old() ? 0 : format_.none, 0, 0);
}

int DriverWalk::refuse_one_vma() {
  const bool inside = vma_ && call_.start >= vma_.start() && call_.end <= vma_.end();
  const bool special = vma_ && (vma_.is_hugetlb() || (vma_.flags() & special_vma) != 0);
  if (!inside && !(old() && request_.snapshot && special)) {
    machine_.step(RuleId::drv_outside_vma, {call_.start, call_.end});
    return -EINVAL;
  }
  if (special) {
    const bool success = old() && !request_.snapshot;
    machine_.step(success ? RuleId::drv_special_vma_success : RuleId::drv_special_vma, {vma_.flags()});
    fill(call_.start, call_.end, format_.special);
    return success ? 1 : -EINVAL;
  }
  if (!old() && (vma_.flags() & vm::read) == 0) {
    machine_.step(RuleId::drv_unreadable, {vma_.flags()});
    fill(call_.start, call_.end, format_.none);
    return -EPERM;
  }
  return 0;
}

int64_t DriverWalk::one_vma() {
  vma_ = mm_.find_vma(call_.start);
  if (const int refused = refuse_one_vma(); refused != 0) return refused > 0 ? 0 : refused;
  const Vma vma = vma_;
  int ret = walk_until_done(call_.start, call_.end, false);
  vma_ = vma;
  if (ret == 0 || stuck_) return ret;
  if (request_.snapshot) {
    machine_.step(RuleId::drv_snapshot_ignored, {static_cast<uint64_t>(static_cast<int64_t>(ret)), last_});
    return 0;
  }
  return fail_and_clear(ret);
}

/// Until 5.4 the end of the last running invalidation makes every range valid again: one that came and went between two
/// looks is never noticed.
bool DriverWalk::invalidated() const {
  if (call_.notifier == nullptr) return false;
  return since(RangeApi::interval_5_5) ? call_.notifier->check_retry(call_.notifier_seq) : call_.notifier->being_invalidated();
}

int DriverWalk::invalid() {
  const IntervalNotifier& notifier = *call_.notifier;
  if (since(RangeApi::interval_5_5)) {
    machine_.step(RuleId::drv_invalid_busy, {call_.notifier_seq, notifier.invalidate_seq()});
    return -EBUSY;
  }
  machine_.step(since_5_3_ ? RuleId::drv_invalid_running : RuleId::drv_invalid_again,
                {notifier.invalidate_seq(), notifier.subscriptions().invalidate_seq()});
  return since_5_3_ ? -EBUSY : -EAGAIN;
}

int DriverWalk::refuse_vma(uint64_t addr) {
  vma_ = mm_.find_vma(addr);
  if (!vma_ || (vma_.flags() & device_vma) != 0) {
    machine_.step(RuleId::drv_device_vma, {addr, vma_flags()});
    return -EFAULT;
  }
  if (const int refused = refuse_page_shift(); refused != 0) return refused;
  if ((vma_.flags() & vm::read) == 0) {
    machine_.step(RuleId::drv_unreadable, {vma_.flags()});
    clear_slots(call_.start, call_.end);
    return -EPERM;
  }
  return 0;
}

int64_t DriverWalk::vma_by_vma() {
  for (uint64_t start = call_.start; start < call_.end;) {
    if (invalidated()) return invalid();
    if (const int refused = refuse_vma(start); refused != 0) return refused;
    set_last(start);
    const uint64_t end = std::min(call_.end, vma_.end());
    const Vma vma = vma_;
    if (api_ == RangeApi::flags_5_4) {
      machine_.step(RuleId::drv_first_walk, {start, end});
      walk_page_range(start, end);
      if (stuck_) return -EDEADLK;
      vma_ = vma;
    }
    const int ret = walk_until_done(start, end, true);
    vma_ = vma;
    if (stuck_) return ret;
    const bool separate_snapshot = request_.snapshot && api_ == RangeApi::snapshot_5_2;
    if (ret != 0 && separate_snapshot) {
      machine_.step(RuleId::drv_snapshot_ignored, {static_cast<uint64_t>(static_cast<int64_t>(ret)), last_});
    } else if (ret != 0) {
      return fail_and_clear(ret);
    }
    start = end;
  }
  return pages_before_last();
}

int64_t DriverWalk::whole_range() {
  do {
    if (invalidated()) return invalid();
    const int ret = walk_until_done(last_, call_.end, true);
    if (ret != walk_again) return ret != 0 ? ret : pages_before_last();
  } while (true);
}

int DriverWalk::walk_until_done(uint64_t start, uint64_t end, bool watch_sequence) {
  for (;;) {
    machine_.step(RuleId::drv_walk, {start, end});
    ++result_.walks;
    const int ret = walk_page_range(start, end);
    if (stuck_) return -EDEADLK;
    if (ret != walk_again || request_.snapshot) return ret;
    if (watch_sequence && invalidated()) return ret;
    if (result_.walks > call_.max_restarts || circle_.circles(machine_, last_, hooks_, call_.undisturbed)) {
      stuck_ = true;
      result_.stuck = Stuck::livelock;
      result_.stuck_at = last_;
      return -EDEADLK;
    }
    machine_.step(RuleId::drv_restart, {last_});
    start = last_;
  }
}

int64_t DriverWalk::fail_and_clear(int ret) {
  // -EBUSY of a dropped mmap_sem (until 5.1) carries its own sign here so that it is not taken for a restart.
  const int value = ret == -EINPROGRESS ? -EBUSY : ret;
  machine_.step(RuleId::drv_clear_rest, {last_, call_.end, static_cast<uint64_t>(static_cast<int64_t>(value))});
  clear_slots(last_, call_.end);
  return value;
}

RangeFaultResult driver_range_call(Machine& machine, const RangeFaultCall& call, const DriverRequest& request,
                                   WalkHooks* hooks) {
  assert(call.mm != nullptr && call.pfns != no_word && machine.model().walks_old_way());
  assert(((call.start | call.end) & (page_bytes - 1)) == 0);
  assert(request.page_shift == page_bits || machine.model().range_api == RangeApi::snapshot_5_2);
  return DriverWalk(machine, call, request, hooks).run();
}

}  // namespace hmmscope
