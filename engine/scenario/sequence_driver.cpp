#include "engine/scenario/sequence_driver.h"

#include <algorithm>
#include <cerrno>

#include "engine/base/errno_name.h"
#include "engine/scenario/outcome_name.h"
#include "engine/unified/migrate_prepare.h"

namespace hmmscope::scenario {

namespace {

using Sequence = FaultAndMigrateOp::Sequence;
using Until = FaultAndMigrateOp::Until;

}  // namespace

uint64_t select_bit(const KernelModel& model, const std::string& name) {
  if (name == "system") return migrate_select::system;
  if (name == "device-private") return migrate_select::device_private;
  if (name == "device-coherent") return migrate_select::device_coherent;
  if (name == "compound") return model.compound_migration ? migrate_select::compound : 0;   // the bit is another's before
  return name == "fault" ? select_fault(model) : select_write(model);
}

WordIndex add_sequence_range(Machine& machine, const AddressSpace& space, const std::string& name) {
  Region range;
  range.kind = RegionKind::range;
  range.owner = space.id();
  range.count = static_cast<uint32_t>(RangeWord::count_);
  range.name = name + " range";
  return machine.add_region(std::move(range));
}

SequenceArrays make_sequence_arrays(Machine& machine, const AddressSpace& space, const std::string& name,
                                    uint64_t start, uint64_t slots) {
  const auto count = static_cast<uint32_t>(slots);
  return {machine.add_hmm_pfns(space, start, count, name), add_sequence_range(machine, space, name),
          add_migrate_arrays(machine, space, start, count, name)};
}

SequenceDriver::SequenceDriver(World& world, const FaultAndMigrateOp& op, uint64_t start,
                               const SequenceArrays& arrays, uint64_t preset,
                               const InvalidateRange& interrupt, DriverLocks* locks)
    : world_(world),
      machine_(world.machine()),
      device_(*world.device(op.device)),
      op_(op),
      start_(start),
      end_(start + op.pages * page_bytes),
      arrays_(arrays),
      preset_(preset),
      interrupt_(interrupt),
      locks_(locks) {}

SequenceResult SequenceDriver::run() {
  machine_.enter(Function::device, {start_, op_.pages});
  const uint64_t flags = (op_.fault ? machine_.pfn_format().req_fault() : 0) |
                         (op_.write ? machine_.pfn_format().req_write() : 0);
  machine_.step(RuleId::driver_sequence, {static_cast<uint64_t>(op_.sequence), start_, op_.pages, flags});
  device_.skip_current(op_.filter);
  const uint64_t step = (op_.chunk == 0 ? op_.pages : op_.chunk) * page_bytes;
  Next next = Next::go_on;
  for (uint64_t at = start_; at < end_ && next == Next::go_on; at += step)
    next = chunk(at, std::min(at + step, end_));
  if (op_.sequence == Sequence::posted && result_.outcome == "0" && op_.until == Until::end) read_back();
  device_.skip_current(true);
  machine_.leave();
  return result_;
}

SequenceDriver::Next SequenceDriver::chunk(uint64_t start, uint64_t end) {
  switch (op_.sequence) {
    case Sequence::fault_then_migrate:
      return fault_then_migrate(start, end);
    case Sequence::migrate_then_fault:
      return migrate_then_fault(start, end);
    case Sequence::migrate_only:
      return migrate(start, end);
    case Sequence::posted:
    case Sequence::one_pass:
      break;
  }
  return one_pass(start, end);
}

SequenceDriver::Next SequenceDriver::ended(const char* outcome) {
  result_.outcome = outcome;
  return Next::stop;
}

SequenceDriver::Next SequenceDriver::ended(int ret) {
  result_.outcome = outcome_name(ret);
  return ret == 0 ? Next::go_on : Next::stop;
}

SequenceDriver::Next SequenceDriver::fault_then_migrate(uint64_t start, uint64_t end) {
  const int ret = fault(start, end, nullptr);
  if (ret != 0 || op_.until == Until::walk) return ended(ret);
  return migrate(start, end);
}

SequenceDriver::Next SequenceDriver::migrate_then_fault(uint64_t start, uint64_t end) {
  if (migrate(start, end) == Next::stop || !any_missing(start, end))
    return result_.outcome == "0" ? Next::go_on : Next::stop;
  if (const int ret = fault(start, end, nullptr); ret != 0) return ended(ret);
  return migrate(start, end);
}

bool SequenceDriver::any_missing(uint64_t start, uint64_t end) {
  const MigrateFormat format = MigrateFormat::from(machine_.model());
  for (uint64_t k = 0; k < (end - start) / page_bytes; ++k) {
    const uint64_t src = machine_.load(args_.src + static_cast<WordIndex>(k));
    if (format.migrates(src)) continue;
    machine_.step(RuleId::driver_missing, {k, src});
    return true;
  }
  return false;
}

uint64_t SequenceDriver::selection(uint64_t otherwise) const {
  if (!op_.select_given) return otherwise;
  uint64_t bits = 0;
  for (const std::string& name : op_.select) bits |= select_bit(machine_.model(), name);
  return bits;
}

void SequenceDriver::prepare_args(uint64_t start, uint64_t end) {
  args_ = {};
  args_.mm = &world_.space();
  args_.vma = world_.space().vma_at(start);
  args_.start = start;
  args_.end = end;
  args_.src = arrays_.migrate.src;
  args_.dst = arrays_.migrate.dst;
  args_.select = selection(migrate_select::system);
  args_.pgmap_owner = op_.owner ? device_.owner() : 0;
}

SequenceDriver::Next SequenceDriver::migrate(uint64_t start, uint64_t end) {
  MmapReadGuard locked(locks_, world_.space());
  prepare_args(start, end);
  const int ret = migrate_vma_setup(machine_, args_);
  if (ret == -EDEADLK) {
    machine_.step(RuleId::scenario_deadlock, {args_.stuck_at, 1});
    return ended(ret);
  }
  const bool prepared = ret == 0 || args_.cpages != 0;
  if (ret != 0 && !op_.finish) {
    if (prepared) machine_.step(RuleId::stuck_locked_pages, {as_code(ret), args_.cpages, args_.start});
    return ended(ret);
  }
  if (!prepared) return ended(ret);
  if (op_.until == Until::setup) {
    result_.set_up = true;
    keep_mmap(locked);
    return ended(ret);
  }
  complete();
  return ended(ret);
}

void SequenceDriver::keep_mmap(MmapReadGuard& locked) {
  result_.holds_mmap = true;
  locked.keep();
}

void SequenceDriver::move_pages() {
  if (op_.memory) allocate_device_pages(machine_, args_, world_.memory_of(device_));
  migrate_vma_pages(machine_, args_);
  const MigrateFormat format = MigrateFormat::from(machine_.model());
  for (uint64_t k = 0; k < args_.npages; ++k) {
    const uint64_t src = machine_.load(args_.src + static_cast<WordIndex>(k));
    if (format.migrates(src)) result_.moved += (src & format.compound) != 0 ? entries_per_table : 1;
  }
}

void SequenceDriver::complete() {
  move_pages();
  map_migrated_pages(machine_, args_, device_);
  migrate_vma_finalize(machine_, args_);
}

bool SequenceDriver::begin_read(RangeFaultCall& call) {
  const auto begun = device_.notifier().read_begin();
  call.notifier_seq = begun.seq;
  if (!begun.would_sleep || (locks_ != nullptr && locks_->wait_for_notifier(device_.notifier()))) return true;
  machine_.step(RuleId::stuck_notifier, {begun.seq, world_.space().notifiers().active_invalidate_ranges()});
  machine_.step(RuleId::scenario_deadlock, {call.start, 0});
  return false;
}

void SequenceDriver::record_range(const RangeFaultCall& call) {
  machine_.step(RuleId::scenario_range, {call.start, call.end, call.default_flags, call.pfn_flags_mask,
                                         call.dev_private_owner, call.notifier_seq});
  const auto set = [&](RangeWord word, uint64_t value) { machine_.store(word_of(call.range, word), value); };
  set(RangeWord::start, call.start);
  set(RangeWord::end, call.end);
  set(RangeWord::default_flags, call.default_flags);
  set(RangeWord::pfn_flags_mask, call.pfn_flags_mask);
  set(RangeWord::dev_private_owner, call.dev_private_owner);
  set(RangeWord::notifier_seq, call.notifier_seq);
}

void SequenceDriver::interrupt() {
  if (interrupt_.end == 0) return;
  machine_.step(RuleId::driver_interrupt,
                {interrupt_.start, interrupt_.end, static_cast<uint64_t>(interrupt_.event)});
  const Invalidation running = world_.space().notifiers().start(interrupt_);
  if (!running.failed) world_.space().notifiers().end(running);
  interrupt_.end = 0;
}

RangeFaultCall SequenceDriver::range_call(uint64_t start, uint64_t end, MigrateVma* migrate) {
  const PfnFormat& pfn = machine_.pfn_format();
  RangeFaultCall call;
  call.mm = &world_.space();
  call.undisturbed = world_.scenario().inject.empty();
  call.start = start;
  call.end = end;
  call.pfns = arrays_.hmm_pfns;
  call.range = arrays_.range;
  call.notifier = &device_.notifier();
  call.default_flags = (op_.fault ? pfn.req_fault() : 0) | (op_.write ? pfn.req_write() : 0);
  if (migrate != nullptr && op_.request) call.default_flags |= machine_.model().hmm_pfn->mask(Role::migrate);
  call.dev_private_owner = op_.owner ? device_.owner() : 0;
  call.migrate = migrate;
  const auto pages = static_cast<uint32_t>((end - start) / page_bytes);
  machine_.step(RuleId::driver_preset, {0, pages, preset_});
  machine_.fill_keeping(arrays_.hmm_pfns, pages, preset_, 0, 0);
  return call;
}

RangeFaultResult SequenceDriver::walk(const RangeFaultCall& call) {
  WalkHooks* hooks = locks_ == nullptr ? nullptr : locks_->walk_hooks(world_.space());
  const bool later = unified_policy(machine_.model().unified).driver_checks_late;
  const bool again = mmap_locked_ && op_.sequence == Sequence::posted && !later;
  if (again) machine_.step(RuleId::driver_mmap_lock_again, {2, call.start});
  const MmapReadGuard locked(mmap_locked_ && !again ? nullptr : locks_, world_.space());
  return hmm_range_fault(machine_, call, hooks);
}

int SequenceDriver::fault(uint64_t start, uint64_t end, MigrateVma* migrate) {
  RangeFaultCall call = range_call(start, end, migrate);
  int ret = -EBUSY;
  for (uint64_t round = 1; round <= op_.rounds; ++round) {
    if (!begin_read(call)) return -EDEADLK;
    record_range(call);
    ++result_.rounds;
    const RangeFaultResult walked = walk(call);
    ret = walked.ret;
    if (walked.stuck != Stuck::no) {
      machine_.step(RuleId::scenario_deadlock, {walked.stuck_at, static_cast<uint64_t>(walked.stuck)});
      return -EDEADLK;
    }
    interrupt();
    if (ret == 0) {
      // A reader of the sequence sleeps while an invalidation of it has not ended.
      const DriverLockGuard locked(locks_, device_.owner());
      if (!device_.notifier().read_retry(call.notifier_seq)) {
        if (migrate != nullptr && op_.mirror && op_.until != Until::walk) mirror(start, end, op_.fault);
        return 0;
      }
      machine_.step(RuleId::scenario_collided, {call.notifier_seq, round});
      ret = -EBUSY;
    } else if (ret == -EBUSY) {
      machine_.step(RuleId::scenario_repeat, {round});
    }
    if (ret != -EBUSY || !op_.retry) break;
  }
  machine_.step(RuleId::scenario_give_up, {static_cast<uint64_t>(static_cast<int64_t>(ret)), op_.rounds});
  return ret;
}

void SequenceDriver::mirror(uint64_t start, uint64_t end, bool promised) {
  const PfnFormat& format = machine_.pfn_format();
  const uint64_t pfn_mask = machine_.model().hmm_pfn->mask(Role::pfn);
  const uint64_t pages = (end - start) / page_bytes;
  machine_.step(RuleId::driver_mirror, {start, pages});
  for (uint64_t k = 0; k < pages; ++k) {
    const uint64_t word = machine_.load(arrays_.hmm_pfns + static_cast<WordIndex>(k)), pfn = word & pfn_mask;
    const uint64_t addr = start + k * page_bytes;
    // The test driver takes the page of the word without a further look once the call has returned 0.
    if (promised && (word & format.valid) == 0) machine_.step(RuleId::driver_warn_not_valid, {k, word});
    if (pfn == 0) machine_.step(RuleId::driver_mirror_page_zero, {k, word});
    const DeviceMemory* memory = machine_.physical().device_of(pfn);
    if (memory != nullptr && !memory->coherent) {
      machine_.step(RuleId::driver_mirror_placeholder, {k, addr, word, pfn});
      placeholders_.push_back(addr);
    } else if (pfn != 0) {
      machine_.step(RuleId::driver_mirror_page, {k, addr, word});
    }
    device_.map(world_.space(), addr, pfn, (word & format.write) != 0);
  }
}

void SequenceDriver::read_back() {
  const uint64_t pfn_mask = machine_.model().hmm_pfn->mask(Role::pfn);
  for (uint64_t addr = start_; addr < end_; addr += page_bytes) {
    const uint64_t entry = device_.entry(addr);
    if (std::find(placeholders_.begin(), placeholders_.end(), addr) != placeholders_.end()) {
      machine_.step(RuleId::driver_read_oops, {addr, entry});
      ended("oops");
      return;
    }
    if (entry == 0 || (entry & pfn_mask) != 0) continue;
    machine_.step(RuleId::driver_read_page_zero, {addr, entry});
    result_.outcome = "page-0";
  }
}

}  // namespace hmmscope::scenario
