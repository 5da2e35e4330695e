#include "engine/schedule/scheduler.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

#include "engine/machine/folio.h"
#include "engine/schedule/state.h"

namespace hmmscope::schedule {

std::string_view wait_name(Wait wait) {
  switch (wait) {
    case Wait::mmap_lock: return "mmap_lock";
    case Wait::driver_lock: return "the driver's lock";
    case Wait::migration: return "the end of a migration";
    case Wait::folio_lock: return "a folio's lock";
    case Wait::page_table_lock: return "a page-table lock";
    case Wait::notifier_lock: return "the lock of the notifiers";
    case Wait::notifier: break;
  }
  return "the end of an invalidation";
}

std::string_view end_name(End end) {
  switch (end) {
    case End::finished: return "finished";
    case End::deadlock: return "deadlock";
    case End::livelock: return "livelock";
    case End::stopped: break;
  }
  return "stopped";
}

Scheduler::Scheduler(Machine& machine, Recorder& recorder, Policy& policy, Granularity granularity)
    : machine_(machine), recorder_(recorder), policy_(policy), granularity_(granularity) {}

uint32_t Scheduler::add_task(std::string name, std::function<void()> body) {
  auto task = std::make_unique<Task>();
  task->recorder_task = recorder_.add_task({static_cast<int32_t>(tasks_.size()) + 2, name});
  task->name = std::move(name);
  task->body = std::move(body);
  tasks_.push_back(std::move(task));
  return static_cast<uint32_t>(tasks_.size() - 1);
}

Ended Scheduler::run() {
  if (tasks_.empty()) return ended_;
  const CallId outside = recorder_.current_call();
  for (uint32_t k = 0; k < tasks_.size(); ++k) {
    tasks_[k]->call = outside;
    tasks_[k]->fiber = std::make_unique<Fiber>([this, k]() -> Fiber& { return body(k); });
  }
  running_ = true;
  current_ = 0;
  outside_.switch_to(*tasks_[next_task()]->fiber);   // returns when all are over
  running_ = false;
  machine_.memory().log_accesses(nullptr);
  recorder_.switch_to(outside);
  machine_.set_task(0);
  for (const auto& [task, count] : ran_) {
    ended_.schedule += fmt::format("{}{}:{}", ended_.schedule.empty() ? "" : " ", tasks_[task]->name, count);
  }
  if (failure_) std::rethrow_exception(failure_);
  for (const auto& [id, lock] : locks_) {
    if (ended_.end != End::finished || (lock.readers.empty() && lock.writer == Policy::stop)) continue;
    ended_.locks_left += fmt::format("{}{} of {}", ended_.locks_left.empty() ? "" : ", ", wait_name(id.kind), holders(id));
  }
  return ended_;
}

Fiber& Scheduler::body(uint32_t index) {
  Task& task = *tasks_[index];
  resume(index);
  try {
    if (!stopping_) task.body();
  } catch (const Stopped&) {
    // The run is over; the task's calls have been left on the way here.
  } catch (...) {
    failure_ = std::current_exception();
    stopping_ = true;
  }
  task.done = true;
  task.call = recorder_.current_call();
  const uint32_t next = next_task();
  return next == Policy::stop ? outside_ : *tasks_[next]->fiber;
}

void Scheduler::resume(uint32_t index) {
  current_ = index;
  machine_.set_task(tasks_[index]->recorder_task);
  recorder_.switch_to(tasks_[index]->call);
}

uint32_t Scheduler::next_task() {
  if (!stopping_) {
    if (const uint32_t chosen = choose(); chosen != Policy::stop) return chosen;
    stopping_ = true;
  }
  const auto left = std::find_if(tasks_.begin(), tasks_.end(), [](const auto& task) { return !task->done; });
  return left == tasks_.end() ? Policy::stop : static_cast<uint32_t>(left - tasks_.begin());
}

void Scheduler::pass_on() {
  const uint32_t self = current_;
  tasks_[self]->call = recorder_.current_call();
  if (const uint32_t next = next_task(); next != self) {
    tasks_[self]->fiber->switch_to(*tasks_[next]->fiber);
    resume(self);
  }
  if (stopping_) throw Stopped();
}

uint32_t Scheduler::choose() {
  close_segment();
  runnable_.clear();
  bool all_done = true;
  for (uint32_t k = 0; k < tasks_.size(); ++k) {
    all_done = all_done && tasks_[k]->done;
    if (can_run(*tasks_[k])) runnable_.push_back(k);
  }
  if (runnable_.empty()) {
    if (!all_done) found_deadlock();
    return Policy::stop;
  }
  if (runnable_.size() > 1) ++choices_;
  if (nothing_new()) return Policy::stop;
  uint32_t chosen = runnable_.front();
  if (runnable_.size() > 1) {
    chosen = policy_.choose({runnable_, current_, state_, positions_, points_});
    if (chosen == Policy::stop) {
      ended_.end = End::stopped;
      return chosen;
    }
    assert(std::find(runnable_.begin(), runnable_.end(), chosen) != runnable_.end());
    if (!ran_.empty() && ran_.back().first == chosen) ++ran_.back().second;
    else ran_.emplace_back(chosen, 1);
  }
  open_segment(chosen);
  tasks_[chosen]->last_run = ++points_;
  tasks_[chosen]->history = mix(tasks_[chosen]->history, 1);   // it gets past the point where it stands
  return chosen;
}

// --- what can go wrong

void Scheduler::found_deadlock() {
  ended_.end = End::deadlock;
  inside_ = true;
  for (uint32_t k = 0; k < tasks_.size(); ++k) {
    const Task& task = *tasks_[k];
    if (task.done) continue;
    const std::string holder = task.holder ? task.holder() : std::string();
    ended_.text += fmt::format("{}{} waits for {}{}", ended_.text.empty() ? "" : "; ", task.name, task.waits_for,
                               holder.empty() ? std::string(", which nobody will let go of")
                               : holder == task.name ? std::string(", which it holds itself")
                                                     : " held by " + holder);
    machine_.step(RuleId::schedule_deadlock, {k, static_cast<uint64_t>(task.wait), task.what, 0});
  }
  inside_ = false;
}

bool Scheduler::nothing_new() {
  const std::optional<uint64_t> known = policy_.state_at(points_);
  state_ = known ? *known : full_state();
  assert(state_ == full_state());   // or the same choices have not led to the same place
  if (!known) policy_.reached(points_, state_);
  const auto [place, fresh] = seen_.try_emplace(state_, points_);
  if (fresh) return false;
  if (runnable_.size() < 2) return false;
  // Those who have run since have got nowhere. The others come first now, so that no unlucky choice alone keeps
  // everybody here; when there are no others it is a livelock.
  const auto ran_since = [this, seen_at = place->second](uint32_t k) { return tasks_[k]->last_run > seen_at; };
  if (!std::all_of(runnable_.begin(), runnable_.end(), ran_since)) {
    std::erase_if(runnable_, ran_since);
    return false;
  }
  ended_.end = End::livelock;
  for (const uint32_t k : runnable_) ended_.text += (ended_.text.empty() ? "" : " and ") + tasks_[k]->name;
  ended_.text += " undo each other's work for ever";
  inside_ = true;
  machine_.step(RuleId::schedule_livelock, {points_ - place->second});
  inside_ = false;
  return true;
}

uint64_t Scheduler::full_state() const {
  uint64_t key = machine_key(machine_);
  bool compares = false;
  for (const auto& task : tasks_) {
    key = mix(mix(mix(key, task->history), task->remembered), task->done ? 1 : task->ready ? 2 : 3);
    compares = compares || (task->reads_sequence && !task->done);
  }
  if (!compares) return key;
  // Somebody holds a sequence number: what it is compared with counts as it is.
  for (const auto& space : machine_.address_spaces()) {
    key = mix(key, space->notifiers().invalidate_seq());
    for (const auto& notifier : space->notifiers().all()) key = mix(key, notifier->invalidate_seq());
  }
  return key;
}

// --- what a task reads and writes

void Scheduler::open_segment(uint32_t task) {
  if (!policy_.wants_segments() || !policy_.wants_segment(points_)) return;
  segment_ = {task, positions_[task], 0, {}, {}};
  segment_open_ = true;
  machine_.memory().log_accesses(&log_);
}

void Scheduler::close_segment() {
  if (!policy_.wants_segments()) return;
  machine_.memory().log_accesses(nullptr);
  positions_.clear();
  for (const auto& task : tasks_) {
    positions_.push_back(task->done ? 0 : mix(mix(task->history, task->remembered), task->ready ? 2 : 3));
  }
  if (!segment_open_) return;
  segment_open_ = false;
  segment_.to = positions_[segment_.task];
  add_accesses(machine_, log_, segment_);
  log_.reads.clear();
  log_.writes.clear();
  policy_.ran(segment_);
}

void Scheduler::accessed(uint64_t object, bool written) {
  if (segment_open_) (written ? segment_.writes : segment_.reads).push_back(object);
}

// --- what tasks say

void Scheduler::begin_operation(bool keeps) {
  Task& task = *tasks_[current_];
  ++task.operation;
  if (keeps) return;
  task.history = mix(1, task.operation);
  task.reads_sequence = false;
}

void Scheduler::starts_over(uint64_t local) {
  Task& task = *tasks_[current_];
  task.history = mix(mix(2, task.operation), local);
  task.reads_sequence = false;
}

void Scheduler::remember(std::string_view result) { tasks_[current_]->remembered = mix(tasks_[current_]->remembered, result); }

// --- what the machine announces

void Scheduler::before_step(RuleId rule, std::initializer_list<uint64_t> operands) {
  if (!running_ || inside_) return;
  switch (rule) {
    case RuleId::swap_migration_wait:
    case RuleId::fault_pmd_migration:
    case RuleId::hugetlb_migration:
    case RuleId::exclusive_wait:
    case RuleId::coherent_wait:
      announced_wait(rule, operands);
      break;
    default:
      if (granularity_ == Granularity::rule || is_point(rule)) point();
      break;
  }
  Task& task = *tasks_[current_];
  const bool read = rule == RuleId::read_begin_return || rule == RuleId::read_begin_sleep || rule == RuleId::scenario_seq_kept;
  if (read) task.reads_sequence = true;
  task.history = mix(task.history, static_cast<uint64_t>(rule));
  // The sequence of an invalidation only ever grows and would hide that nothing else has changed; what a reader holds of
  // it is told by read_begin.
  const uint32_t left_out = read ? 0 : sequence_operands(rule);
  uint32_t k = 0;
  for (const uint64_t operand : operands) {
    if ((left_out >> k++ & 1) == 0) task.history = mix(task.history, operand);
  }
}

void Scheduler::before_enter(Function function) {
  if (!running_ || inside_) return;
  if (is_point(function)) point();
}

}  // namespace hmmscope::schedule
