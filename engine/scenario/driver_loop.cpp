// The driver's side of hmm_range_fault: requests, the retry loop, the commit under the driver lock.
// Source: Documentation/mm/hmm.rst and lib/test_hmm.c (6.12).

#include <cerrno>
#include <string>
#include <utility>

#include "engine/scenario/driver_loop.h"
#include "engine/scenario/fault_script.h"
#include "engine/scenario/outcome_name.h"
#include "engine/scenario/sequence_driver.h"
#include "engine/scenario/task_locks.h"
#include "engine/walk/range_fault.h"
#include "engine/walk/unlocked_fault.h"

namespace hmmscope::scenario {

namespace {

constexpr uint64_t max_array_pages = 1u << 20;

}  // namespace

Result<Array*> Operations::array_for(const RangeFaultOp& op, uint64_t start, Line line) {
  const auto [place, fresh] = world_.arrays().try_emplace(op.array);
  Array& array = place->second;
  if (fresh) {
    if (op.pages > max_array_pages) return fail(world_.error(line, "an array may have at most 1048576 slots"));
    array = {start, op.pages, machine_.add_hmm_pfns(world_.space(), start, static_cast<uint32_t>(op.pages), op.array)};
  }
  if (op.pages > array.pages) {
    return fail(world_.error(line, "array '" + op.array + "' was made with " + std::to_string(array.pages) + " slots"));
  }
  return &array;
}

Result<void> Operations::write_slots(const RangeFaultOp& op, const Array& array, Line line) {
  for (const SlotDecl& slot : op.slots) {
    if (slot.index >= op.pages || op.pages - slot.index < slot.count) return fail(world_.error(line, "a slot lies outside the range"));
    const auto value = world_.flags(slot.value, line);
    if (!value) return fail(value.error());
    machine_.step(RuleId::scenario_array, {slot.index, slot.count, *value});
    machine_.fill_keeping(array.first + static_cast<WordIndex>(slot.index), static_cast<uint32_t>(slot.count), *value, 0, 0);
  }
  return {};
}

Result<RunningMigration*> Operations::prepares(const RangeFaultOp& op, uint64_t start, const Loop& loop, Line line) {
  const KernelModel& model = machine_.model();
  if (model.unified == UnifiedStyle::none)
    return fail(world_.error(line, "kernel " + model.id + " cannot migrate in hmm_range_fault; choose 6.12-unified-rfc or 7.1-unified-later"));
  if (loop.device == nullptr) return fail(world_.error(line, "a call that prepares a migration needs a device, whose driver it is"));
  const auto migration = idle_migration_for(op.prepares->migration, start, op.pages, line);
  if (!migration) return migration;
  RunningMigration& running = **migration;
  running.device = op.device;
  running.walked = true;
  running.args = {};
  running.args.mm = &world_.space();   // start, end and vma the call itself fills in
  running.args.src = running.arrays.src;
  running.args.dst = running.arrays.dst;
  for (const std::string& name : op.prepares->select) running.args.select |= select_bit(model, name);
  running.args.pgmap_owner = op.prepares->owner ? loop.device->owner() : 0;
  running.args.hooks = world_.migrate_hooks();
  if (locks_ != nullptr) {
    // As the patches' drivers do: until migrate-finalize, so that the VMA stays what the walk finds.
    if (!std::exchange(running.holds_mmap, true)) locks_->mmap_lock(world_.space(), false);
    locks_->migration_began(op.prepares->migration);
  }
  return migration;
}

Result<void> Operations::perform(const RangeFaultOp& op, Line line) {
  const auto start = world_.resolve(op.start, line);
  if (!start) return fail(start.error());
  const auto array = array_for(op, *start, line);
  if (!array) return fail(array.error());
  const auto default_flags = world_.flags(op.default_flags, line);
  if (!default_flags) return fail(default_flags.error());
  const auto mask = world_.flags(op.pfn_flags_mask, line);
  if (!mask) return fail(mask.error());

  if (op.page_shift != page_bits && machine_.model().range_api != RangeApi::snapshot_5_2) {
    return fail(world_.error(line, "kernel " + machine_.model().id + " has no hmm_range.page_shift; 5.2 and 5.3 have"));
  }
  Loop loop;
  const auto device = driver(op.device, line);
  if (!device) return fail(device.error());
  loop.device = *device;
  if (op.unlocked && !machine_.model().unlocked_fault) {
    return fail(world_.error(line, "kernel " + machine_.model().id + " has no hmm_range_fault_unlocked_timeout; 7.3 has"));
  }
  if (op.sequence != RangeFaultOp::Sequence::read && (loop.device == nullptr || op.unlocked))
    return fail(world_.error(line, "\"sequence\" is the driver's own: it needs a device and no \"unlocked\" call"));
  if (op.sequence != RangeFaultOp::Sequence::read && loop.tracks_ranges(machine_.model()))
    return fail(world_.error(line, "kernel " + machine_.model().id + " has no notifier sequence that a driver reads; 5.5 has"));
  if (op.unlocked && loop.device == nullptr) return fail(world_.error(line, "the unlocked call needs a device: it reads its notifier"));
  loop.call.mm = &world_.space();
  loop.call.undisturbed = world_.scenario().inject.empty();
  loop.call.start = *start;
  loop.call.end = *start + op.pages * page_bytes;
  if (loop.call.end > world_.space().tables().limit() || loop.call.end < *start) {
    return fail(world_.error(line, "the range ends beyond the address space"));
  }
  loop.call.pfns = (*array)->first;
  loop.call.default_flags = *default_flags;
  loop.call.pfn_flags_mask = *mask;
  if (loop.device != nullptr) {
    loop.call.dev_private_owner = loop.device->owner();
    loop.call.notifier = &loop.device->notifier();
    loop.device->reserve_table(*start, op.pages);
  }
  if (op.prepares) {
    const auto prepared = prepares(op, *start, loop, line);
    if (!prepared) return fail(prepared.error());
    loop.prepared = *prepared;
    loop.call.migrate = &loop.prepared->args;
  }
  Region range;
  range.kind = RegionKind::range;
  range.owner = world_.space().id();
  range.count = static_cast<uint32_t>(RangeWord::count_);
  range.name = op.array + " range";
  loop.call.range = machine_.memory().region(machine_.memory().add_region(std::move(range))).first;

  machine_.enter(Function::device, {*start, op.pages});
  if (auto ok = write_slots(op, **array, line); !ok) return ok;
  const Result<int> ended = driver_loop(op, loop, line);
  const int ret = ended.value_or(-EINVAL);
  machine_.leave(ret);
  if (!ended) return fail(ended.error());
  note(line, "range-fault " + outcome_name(ret));
  const auto code = static_cast<uint64_t>(static_cast<int64_t>(ret));
  if (op.expect) expect_result(*op.expect, outcome_name(ret), code, line);
  if (op.count && loop.call.mm->machine().model().range_api >= RangeApi::snapshot_5_2 &&
      loop.call.mm->machine().model().has_driver_format()) {
    expect_result(std::to_string(*op.count), std::to_string(ret), code, line);
  }
  return {};
}

WalkHooks* Operations::hooks_of(const RangeFaultCall& call, WalkHooks* script) {
  return script != nullptr || locks_ == nullptr ? script : locks_->walk_hooks(*call.mm);
}

RangeFaultResult Operations::walk(const RangeFaultCall& call, WalkHooks* script) {
  const MmapGuard guard(call.migrate != nullptr ? nullptr : locks_, *call.mm, false);   // a migrating call's is kept
  return hmm_range_fault(machine_, call, hooks_of(call, script));
}

RangeFaultResult Operations::unlocked_call(const RangeFaultOp& op, const Loop& loop, RangeFaultCall& call) {
  UnlockedFault options;
  options.timeout = op.unlocked->timeout;
  options.oom_reaped = op.unlocked->oom_reaped;
  options.killed_at_round = op.unlocked->killed_at_round;
  call.fatal_signal = op.unlocked->fatal_signal;
  options.meanwhile = [&](uint32_t round) {
    if (round > op.unlocked->collisions) return;
    const Invalidation running = world_.space().notifiers().start({call.start, call.end});
    if (!running.failed) world_.space().notifiers().end(running);
  };
  return hmm_range_fault_unlocked_timeout(machine_, call, loop.device->notifier(), options);
}

RangeFaultResult Operations::range_call(const RangeFaultOp& op, Loop& loop, RangeFaultCall& call, WalkHooks* hooks) {
  if (machine_.model().walks_old_way()) return old_range_call(op, loop, call, hooks);
  if (op.unlocked) return unlocked_call(op, loop, call);
  RangeFaultResult result = walk(call, hooks);
  if (result.ret == 0 && machine_.model().range_api == RangeApi::owner_5_7) {
    result.ret = static_cast<int>((result.reached - call.start) / page_bytes);
  }
  return result;
}

/// Fills in call.notifier_seq. -EDEADLK: the reader would sleep for ever.
Result<int> Operations::read_sequence(const RangeFaultOp& op, const Loop& loop, RangeFaultCall& call, Line line) {
  IntervalNotifier& notifier = loop.device->notifier();
  const std::string task = locks_ == nullptr ? std::string() : locks_->scheduler().name_of(locks_->scheduler().current());
  auto& known = world_.sequences();
  if (op.sequence == RangeFaultOp::Sequence::earlier) {
    auto found = known.find({op.device, task});
    if (found == known.end()) found = known.find({op.device, {}});   // read before the tasks began
    if (found == known.end())
      return fail(world_.error(line, "no range-fault of device '" + op.device + "' before this one has read the sequence"));
    machine_.step(RuleId::scenario_seq_kept, {found->second, notifier.invalidate_seq()});
    call.notifier_seq = found->second;
    return 0;
  }
  const auto begun = notifier.read_begin();
  if (begun.would_sleep && (locks_ == nullptr || !locks_->wait_for_notifier(notifier))) {
    machine_.step(RuleId::scenario_deadlock, {call.start, 0});
    return -EDEADLK;
  }
  call.notifier_seq = known[{op.device, task}] = begun.seq;
  return 0;
}

Result<int> Operations::driver_loop(const RangeFaultOp& op, Loop& loop, Line line) {
  RangeFaultCall call = loop.call;
  FaultScript script(world_, op, hooks_of(call, nullptr));
  int ret = -EBUSY;
  for (uint64_t round = 1; round <= op.rounds; ++round) {
    if (world_.signal_pending()) {
      ret = -EINTR;
      break;
    }
    if (loop.tracks_ranges(machine_.model())) {
      if ((ret = wait_until_valid(loop, call)) != 0) {
        machine_.step(RuleId::scenario_repeat, {round});
        continue;
      }
    } else if (loop.device != nullptr) {
      const Result<int> read = read_sequence(op, loop, call, line);
      if (!read || *read != 0) return read;
    }
    machine_.step(RuleId::scenario_range, {call.start, call.end, call.default_flags, call.pfn_flags_mask, call.dev_private_owner, call.notifier_seq});
    const auto set = [&](RangeWord word, uint64_t value) { machine_.store(word_of(call.range, word), value); };
    set(RangeWord::notifier_seq, call.notifier_seq);
    set(RangeWord::start, call.start);
    set(RangeWord::end, call.end);
    set(RangeWord::default_flags, call.default_flags);
    set(RangeWord::pfn_flags_mask, call.pfn_flags_mask);
    set(RangeWord::dev_private_owner, call.dev_private_owner);

    if (op.stale && round == 1) script.invalidate(call.start, call.end);
    const RangeFaultResult result = range_call(op, loop, call, script.empty() ? nullptr : &script);
    if (script.failure()) return fail(*script.failure());
    ret = result.ret;
    if (result.stuck != Stuck::no) {
      machine_.step(RuleId::scenario_deadlock, {result.stuck_at, static_cast<uint64_t>(result.stuck)});
      return -EDEADLK;
    }
    if (op.unlocked && ret < 0) break;  // the call has done the repeating
    if (ret == -EBUSY || ret == -EAGAIN) {
      machine_.step(RuleId::scenario_repeat, {round});
      continue;
    }
    if (ret < 0) break;
    if (loop.device == nullptr || loop.prepared != nullptr) return ret;   // what is under migration is mapped when it has moved
    if (op.sequence == RangeFaultOp::Sequence::late) {
      const uint64_t of_the_walk = call.notifier_seq;
      const Result<int> read = read_sequence(op, loop, call, line);
      if (!read || *read != 0) return read;
      machine_.step(RuleId::scenario_seq_late, {call.notifier_seq, of_the_walk});
    }
    const DriverLockGuard locked(loop.device->locks(), loop.device->owner());
    const bool collided = loop.tracks_ranges(machine_.model()) ? !range_still_valid(loop, call)
                                                               : loop.device->notifier().read_retry(call.notifier_seq);
    if (collided) {
      machine_.step(RuleId::scenario_collided, {call.notifier_seq, round});
      ret = -EBUSY;
      continue;
    }
    machine_.step(RuleId::scenario_commit, {call.notifier_seq, call.start, op.pages});
    loop.device->commit(call.start, call.pfns, op.pages);
    return ret;
  }
  machine_.step(RuleId::scenario_give_up, {static_cast<uint64_t>(static_cast<int64_t>(ret)), op.rounds});
  return ret;
}

}  // namespace hmmscope::scenario
