#include "engine/walk/unlocked_fault.h"

#include <cassert>
#include <cerrno>

#include "engine/machine/machine.h"

namespace hmmscope {

namespace {

struct Clock {
  uint64_t now = 0, deadline = 0;
};

/// Whether the call goes on after a round that ended with -EBUSY.
bool try_again(Machine& machine, const UnlockedFault& options, uint32_t round, bool dropped, Clock& clock) {
  clock.now += options.ticks_per_round;
  if (dropped) {
    clock.deadline = clock.now + options.timeout;
    machine.step(RuleId::unlocked_dropped, {round, clock.deadline});
    return true;
  }
  const bool late = options.timeout != 0 && clock.now >= clock.deadline;
  machine.step(late ? RuleId::unlocked_timeout : RuleId::unlocked_busy, {round, clock.now, clock.deadline});
  return !late;
}

}  // namespace

RangeFaultResult hmm_range_fault_unlocked_timeout(Machine& machine, RangeFaultCall& call, IntervalNotifier& notifier,
                                                  const UnlockedFault& options) {
  assert(machine.model().unlocked_fault);
  call.notifier = &notifier;
  call.may_drop_lock = true;
  machine.enter(Function::hmm_range_fault_unlocked_timeout, {call.start, call.end, options.timeout});
  Clock clock{0, options.timeout};
  RangeFaultResult result;
  uint32_t round = 1;
  for (;; ++round) {
    const IntervalNotifier::ReadBegin begun = notifier.read_begin();
    call.notifier_seq = begun.seq;
    if (options.meanwhile) options.meanwhile(round);
    if (round == options.killed_at_round) {
      machine.step(RuleId::unlocked_lock_killed, {round});
      result.ret = -EINTR;
      break;
    }
    if (options.oom_reaped || call.mm->unstable()) {
      machine.step(RuleId::unlocked_unstable, {round});
      result.ret = -EFAULT;
      break;
    }
    machine.step(RuleId::unlocked_round, {round, call.notifier_seq, clock.deadline});
    const RangeFaultResult walked = hmm_range_fault(machine, call);
    result.ret = walked.ret;
    result.stuck = walked.stuck;
    result.stuck_at = walked.stuck_at;
    result.last = walked.last;
    result.walks += walked.walks;
    result.faults += walked.faults;
    const bool dropped = walked.lock_dropped && walked.ret == -EBUSY;
    if (walked.ret != -EBUSY || !try_again(machine, options, round, dropped, clock)) break;
    if (round >= options.max_rounds) {
      result.stuck = Stuck::livelock;
      result.ret = -EDEADLK;
      break;
    }
  }
  machine.step(RuleId::unlocked_return, {static_cast<uint64_t>(static_cast<int64_t>(result.ret)), round});
  machine.leave(result.ret);
  return result;
}

}  // namespace hmmscope
