#include "engine/mirror/interval_notifier.h"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <utility>

#include "engine/machine/machine.h"
#include "engine/machine/spin_guard.h"

namespace hmmscope {
namespace {

constexpr uint64_t first_mm_seq = 2;   // even: idle

/// Enters a recorded call and leaves it without a result if nobody did.
class CallScope {
 public:
  CallScope(Machine& machine, Function function, std::initializer_list<uint64_t> arguments) : machine_(&machine) {
    machine.enter(function, arguments);
  }
  CallScope(const CallScope&) = delete;
  CallScope& operator=(const CallScope&) = delete;
  ~CallScope() {
    if (machine_ != nullptr) machine_->leave();
  }
  template <class T>
  T leave(T result) {
    machine_->leave(static_cast<int64_t>(result));
    machine_ = nullptr;
    return result;
  }

 private:
  Machine* machine_;
};

}  // namespace

// --- one subscription ------------------------------------------------------------------------------------------

uint64_t IntervalNotifier::start() const { return subscriptions_->machine().load(word(NotifierWord::start)); }
uint64_t IntervalNotifier::last() const { return subscriptions_->machine().load(word(NotifierWord::last)); }
uint64_t IntervalNotifier::invalidate_seq() const {
  return subscriptions_->machine().load(word(NotifierWord::invalidate_seq));
}
bool IntervalNotifier::inserted() const {
  const NotifierState state = subscriptions_->state_of(*this);
  return state == NotifierState::inserted || state == NotifierState::remove_deferred;
}
bool IntervalNotifier::removed() const { return subscriptions_->state_of(*this) == NotifierState::removed; }

void IntervalNotifier::set_seq(uint64_t cur_seq) {
  Machine& machine = subscriptions_->machine();
  answered_ = true;
  machine.step(RuleId::callback_set_seq, {start(), last(), invalidate_seq(), cur_seq});
  machine.store(word(NotifierWord::invalidate_seq), cur_seq);
}

IntervalNotifier::ReadBegin IntervalNotifier::read_begin() {
  Machine& machine = subscriptions_->machine();
  CallScope call(machine, Function::mmu_interval_read_begin, {start(), last()});
  const SpinGuard locked(machine, notifier_lock(subscriptions_->owner_));
  const uint64_t seq = invalidate_seq();
  const uint64_t mm_seq = subscriptions_->invalidate_seq();
  const bool would_sleep = seq == mm_seq;
  machine.step(would_sleep ? RuleId::read_begin_sleep : RuleId::read_begin_return, {seq, mm_seq});
  call.leave(seq);
  return {seq, would_sleep};
}

bool IntervalNotifier::read_retry(uint64_t seq) {
  Machine& machine = subscriptions_->machine();
  CallScope call(machine, Function::mmu_interval_read_retry, {seq});
  const bool collided = check_retry(seq);
  machine.step(collided ? RuleId::read_retry_collided : RuleId::read_retry_valid, {seq, invalidate_seq()});
  return call.leave(collided);
}

bool IntervalNotifier::being_invalidated() const { return invalidate_seq() == subscriptions_->invalidate_seq(); }

// --- the subscriptions of one address space --------------------------------------------------------------------

NotifierSubscriptions::NotifierSubscriptions(Machine& machine, uint32_t owner, WordIndex mm)
    : machine_(&machine), owner_(owner), mm_(mm) {
  machine.store(word_of(mm_, MmWord::invalidate_seq), first_mm_seq);
}

uint64_t NotifierSubscriptions::invalidate_seq() const {
  return machine_->load(word_of(mm_, MmWord::invalidate_seq));
}
uint64_t NotifierSubscriptions::active_invalidate_ranges() const {
  return machine_->load(word_of(mm_, MmWord::active_invalidate_ranges));
}
NotifierState NotifierSubscriptions::state_of(const IntervalNotifier& notifier) const {
  return static_cast<NotifierState>(machine_->load(notifier.word(NotifierWord::state)));
}

IntervalNotifier& NotifierSubscriptions::insert(uint64_t start, uint64_t length, std::string name,
                                                IntervalNotifier::Ops* ops) {
  assert(length > 0 && start + (length - 1) >= start);
  Region region;
  region.kind = RegionKind::notifier;
  region.owner = owner_;
  region.count = static_cast<uint32_t>(NotifierWord::count_);
  region.address = start;
  region.name = name;
  const WordIndex first = machine_->add_region(std::move(region));
  notifiers_.push_back(
      std::unique_ptr<IntervalNotifier>(new IntervalNotifier(*this, first, std::move(name), ops)));

  const uint64_t last = start + (length - 1);
  CallScope call(*machine_, Function::mmu_interval_notifier_insert, {start, last});
  const SpinGuard locked(*machine_, notifier_lock(owner_));
  uint64_t mm_seq = invalidate_seq();
  NotifierState state = NotifierState::inserted;
  RuleId rule = RuleId::notifier_insert;
  uint64_t seq = mm_seq - 1;
  if (active_invalidate_ranges() != 0) {
    if (is_invalidating()) {
      rule = RuleId::notifier_insert_deferred;
      state = NotifierState::insert_deferred;
    } else {
      rule = RuleId::notifier_insert_force_odd;
      mm_seq |= 1;
    }
    seq = mm_seq;
  }
  machine_->step(rule, {start, last, mm_seq, seq});
  if (rule == RuleId::notifier_insert_force_odd) machine_->store(word_of(mm_, MmWord::invalidate_seq), mm_seq);
  machine_->store(word_of(first, NotifierWord::start), start);
  machine_->store(word_of(first, NotifierWord::last), last);
  machine_->store(word_of(first, NotifierWord::invalidate_seq), seq);
  machine_->store(word_of(first, NotifierWord::state), static_cast<uint64_t>(state));
  call.leave(0);
  return *notifiers_.back();
}

bool NotifierSubscriptions::remove(IntervalNotifier& notifier) {
  CallScope call(*machine_, Function::mmu_interval_notifier_remove, {notifier.start(), notifier.last()});
  const SpinGuard locked(*machine_, notifier_lock(owner_));
  RuleId rule = RuleId::notifier_remove;
  NotifierState state = NotifierState::removed;
  if (is_invalidating()) {
    if (notifier.inserted()) {
      rule = RuleId::notifier_remove_deferred;
      state = NotifierState::remove_deferred;
    } else {
      rule = RuleId::notifier_remove_never_inserted;
    }
  }
  machine_->step(rule, {notifier.start(), notifier.last(), invalidate_seq()});
  machine_->store(notifier.word(NotifierWord::state), static_cast<uint64_t>(state));
  return state == NotifierState::remove_deferred;
}

Invalidation NotifierSubscriptions::start(const InvalidateRange& range) {
  assert(range.start < range.end);
  CallScope call(*machine_, Function::mmu_notifier_invalidate_range_start,
                 {range.start, range.end, static_cast<uint64_t>(range.event), range.owner});
  SpinGuard locked(*machine_, notifier_lock(owner_));
  std::vector<IntervalNotifier*> hit;
  for (const auto& notifier : notifiers_) {
    if (notifier->inserted() && notifier->start() <= range.end - 1 && notifier->last() >= range.start) {
      hit.push_back(notifier.get());
    }
  }
  // The interval tree is read in order of start addresses.
  std::stable_sort(hit.begin(), hit.end(),
                   [](const IntervalNotifier* a, const IntervalNotifier* b) { return a->start() < b->start(); });

  Invalidation running;
  running.range = range;
  running.cur_seq = hit.empty() ? invalidate_seq() : invalidate_seq() | 1;
  machine_->step(hit.empty() ? RuleId::notifier_start_untouched : RuleId::notifier_start_overlap,
                 {range.start, range.end, static_cast<uint64_t>(range.event), running.cur_seq});
  machine_->store(word_of(mm_, MmWord::active_invalidate_ranges), active_invalidate_ranges() + 1);
  if (!hit.empty()) machine_->store(word_of(mm_, MmWord::invalidate_seq), running.cur_seq);
  locked.unlock();   // callbacks sleep

  for (IntervalNotifier* notifier : hit) {
    ++running.callbacks;
    if (call_back(*notifier, range, running.cur_seq)) continue;
    running.failed = true;
    machine_->step(RuleId::notifier_start_refused,
                   {range.start, range.end, static_cast<uint64_t>(range.event), running.cur_seq});
    finish(range);
    call.leave(-EAGAIN);
    return running;
  }
  call.leave(0);
  return running;
}

bool NotifierSubscriptions::call_back(IntervalNotifier& notifier, const InvalidateRange& range, uint64_t cur_seq) {
  const auto event = static_cast<uint64_t>(range.event);
  CallScope call(*machine_, Function::invalidate_callback, {notifier.start(), notifier.last(), event, cur_seq});
  notifier.answered_ = false;
  bool done = true;
  if (notifier.ops_ != nullptr) done = notifier.ops_->invalidate(notifier, range, cur_seq);
  else notifier.set_seq(cur_seq);
  assert((done || !range.blockable) && "a blockable invalidation may not be refused");
  if (!done && !range.blockable) {
    machine_->step(RuleId::callback_refuse, {notifier.start(), notifier.last(), event});
    return call.leave(false);
  }
  if (!notifier.answered_) {
    machine_->step(RuleId::callback_skip, {notifier.start(), notifier.last(), event, range.owner});
  }
  return call.leave(true);
}

bool NotifierSubscriptions::end(const Invalidation& invalidation) {
  assert(!invalidation.failed && "a refused invalidation has already ended");
  const InvalidateRange& range = invalidation.range;
  CallScope call(*machine_, Function::mmu_notifier_invalidate_range_end,
                 {range.start, range.end, static_cast<uint64_t>(range.event)});
  return finish(range);
}

bool NotifierSubscriptions::finish(const InvalidateRange& range) {
  const SpinGuard locked(*machine_, notifier_lock(owner_));
  assert(active_invalidate_ranges() > 0);
  const uint64_t active = active_invalidate_ranges() - 1;
  const uint64_t mm_seq = invalidate_seq();
  const bool advance = active == 0 && (mm_seq & 1) != 0;
  const RuleId rule = active != 0 ? RuleId::notifier_end_nested
                      : advance   ? RuleId::notifier_end_advance
                                  : RuleId::notifier_end_even;
  machine_->step(rule, {range.start, range.end, mm_seq, active});
  machine_->store(word_of(mm_, MmWord::active_invalidate_ranges), active);
  if (!advance) return false;
  machine_->store(word_of(mm_, MmWord::invalidate_seq), mm_seq + 1);
  process_deferred();
  return true;
}

void NotifierSubscriptions::process_deferred() {
  for (const auto& notifier : notifiers_) {
    const NotifierState state = state_of(*notifier);
    if (state != NotifierState::insert_deferred && state != NotifierState::remove_deferred) continue;
    const bool joins = state == NotifierState::insert_deferred;
    machine_->step(joins ? RuleId::notifier_end_insert : RuleId::notifier_end_remove,
                   {notifier->start(), notifier->last()});
    machine_->store(notifier->word(NotifierWord::state),
                    static_cast<uint64_t>(joins ? NotifierState::inserted : NotifierState::removed));
  }
}

}  // namespace hmmscope
