// S3: fault and prepare in one pass, as the drivers of the two forms of the unified patches do it.
#include <cerrno>

#include "engine/base/errno_name.h"
#include "engine/migrate/unmapped_pages.h"
#include "engine/scenario/sequence_driver.h"
#include "engine/unified/migrate_prepare.h"

namespace hmmscope::scenario {

namespace {

using Until = FaultAndMigrateOp::Until;

}  // namespace

SequenceDriver::Next SequenceDriver::one_pass(uint64_t start, uint64_t end) {
  // mmap_lock is held over the whole operation, so that the VMA stays what the walk found.
  MmapReadGuard locked(locks_, world_.space());
  mmap_locked_ = true;
  prepare_args(start, end);
  // hmm_range_fault fills these in; until then the structure is empty.
  args_.start = args_.end = 0;
  args_.vma = Vma();
  args_.select = selection(0);
  const bool later = unified_policy(machine_.model().unified).driver_checks_late;
  const Next next = later ? one_pass_later(start, end) : one_pass_as_posted(start, end);
  mmap_locked_ = false;
  if (result_.set_up || (op_.until == Until::walk && result_.outcome != "deadlock")) keep_mmap(locked);
  return next;
}

SequenceDriver::Next SequenceDriver::one_pass_as_posted(uint64_t start, uint64_t end) {
  const int ret = fault(start, end, &args_);
  if (ret == -EDEADLK || op_.until == Until::walk) {
    ended(ret);
    return Next::stop;
  }
  if (ret != 0) machine_.step(RuleId::driver_finish_partial, {as_code(ret), args_.start, args_.end});
  if (!migrate_hmm_range_setup(machine_, arrays_.hmm_pfns, args_)) return ended("BUG");
  if (op_.until == Until::setup) {
    result_.set_up = true;
    ended(ret);
    return Next::stop;
  }
  complete();
  return ended(ret);
}

SequenceDriver::Next SequenceDriver::one_pass_later(uint64_t start, uint64_t end) {
  machine_.step(RuleId::driver_checks_late, {start, (end - start) / page_bytes});
  RangeFaultCall call = range_call(start, end, &args_);
  for (uint64_t round = 1; round <= op_.rounds; ++round) {
    if (!begin_read(call)) return ended(-EDEADLK);
    record_range(call);
    ++result_.rounds;
    const RangeFaultResult walked = walk(call);
    if (walked.stuck != Stuck::no) {
      machine_.step(RuleId::scenario_deadlock, {walked.stuck_at, static_cast<uint64_t>(walked.stuck)});
      return ended(-EDEADLK);
    }
    interrupt();
    if (walked.ret == -EBUSY && op_.retry) {
      machine_.step(RuleId::scenario_repeat, {round});
      continue;
    }
    if (walked.ret != 0 || op_.until == Until::walk) {
      ended(walked.ret);
      return Next::stop;
    }
    migrate_hmm_range_setup(machine_, arrays_.hmm_pfns, args_);
    if (op_.until == Until::setup) {
      result_.set_up = true;
      return Next::stop;
    }
    if (migrate_then_look(call, round) == Next::go_on) return Next::go_on;
    if (!op_.retry) break;
  }
  machine_.step(RuleId::scenario_give_up, {as_code(-EBUSY), op_.rounds});
  return ended(-EBUSY);
}

/// Moves what was prepared. `stop`: the sequence had moved, the device maps nothing and has to look again.
SequenceDriver::Next SequenceDriver::migrate_then_look(const RangeFaultCall& call, uint64_t round) {
  move_pages();
  const DriverLockGuard locked(locks_, device_.owner());
  const bool moved = device_.notifier().read_retry(call.notifier_seq);
  if (moved) {
    machine_.step(RuleId::driver_not_mapped, {call.notifier_seq, round});
    name_pages_left_unmapped(machine_, args_, device_);
  } else {
    map_migrated_pages_locked(machine_, args_, device_);
  }
  migrate_vma_finalize(machine_, args_);
  return moved ? Next::stop : Next::go_on;
}

}  // namespace hmmscope::scenario
