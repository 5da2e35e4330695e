#include "engine/schedule/scheduler.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

#include "engine/machine/folio.h"

namespace hmmscope::schedule {
namespace {

constexpr uint64_t mix(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15ull;
  return hash ^ (hash >> 29);
}

}  // namespace

std::string_view wait_name(Wait wait) {
  switch (wait) {
    case Wait::mmap_lock: return "mmap_lock";
    case Wait::driver_lock: return "the driver's lock";
    case Wait::migration: return "the end of a migration";
    case Wait::folio_lock: return "a folio's lock";
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

Scheduler::Scheduler(Machine& machine, Recorder& recorder, Policy& policy)
    : machine_(machine), recorder_(recorder), policy_(policy) {}

Scheduler::~Scheduler() {
  for (const auto& task : tasks_) {
    if (task->thread.joinable()) task->thread.join();
  }
}

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
  for (const auto& task : tasks_) task->call = outside;
  for (uint32_t k = 0; k < tasks_.size(); ++k) tasks_[k]->thread = std::thread([this, k] { body(k); });
  running_ = true;
  current_ = 0;
  const uint32_t first = choose();
  if (first == Policy::stop) stop_all(0, true);
  else hand_to(first);
  finished_.acquire();
  running_ = false;
  for (const auto& task : tasks_) task->thread.join();
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

void Scheduler::body(uint32_t index) {
  Task& task = *tasks_[index];
  task.baton.acquire();
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
  pass_on(true);
}

void Scheduler::resume(uint32_t index) {
  current_ = index;
  machine_.set_task(tasks_[index]->recorder_task);
  recorder_.switch_to(tasks_[index]->call);
}

void Scheduler::hand_to(uint32_t index) { tasks_[index]->baton.release(); }

void Scheduler::stop_all(uint32_t index, bool finished) {
  stopping_ = true;
  const auto next = std::find_if(tasks_.begin(), tasks_.end(), [&](const auto& t) { return !t->done; });
  if (next == tasks_.end()) {
    finished_.release();
    return;
  }
  const auto to = static_cast<uint32_t>(next - tasks_.begin());
  if (to == index && !finished) throw Stopped();
  hand_to(to);
  if (finished) return;
  tasks_[index]->baton.acquire();
  resume(index);
  throw Stopped();
}

void Scheduler::pass_on(bool finished) {
  const uint32_t self = current_;
  tasks_[self]->call = recorder_.current_call();
  if (stopping_) return stop_all(self, finished);
  const uint32_t next = choose();
  if (next == Policy::stop) return stop_all(self, finished);
  if (next == self && !finished) return;
  hand_to(next);
  if (finished) return;
  tasks_[self]->baton.acquire();
  resume(self);
  if (stopping_) throw Stopped();
}

uint32_t Scheduler::choose() {
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
  if (nothing_new()) return Policy::stop;
  uint32_t chosen = runnable_.front();
  if (runnable_.size() > 1) {
    chosen = policy_.choose({runnable_, current_, policy_.wants_state() ? full_state() : 0});
    if (chosen == Policy::stop) {
      ended_.end = End::stopped;
      return chosen;
    }
    assert(std::find(runnable_.begin(), runnable_.end(), chosen) != runnable_.end());
    if (!ran_.empty() && ran_.back().first == chosen) ++ran_.back().second;
    else ran_.emplace_back(chosen, 1);
  }
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
  uint64_t key = machine_key(machine_);
  for (const auto& task : tasks_) key = mix(key, task->done ? 0 : mix(task->place, task->operation));
  const auto [place, fresh] = seen_.try_emplace(key, points_);
  if (fresh) return false;
  if (runnable_.size() < 2) return false;
  // Those who have run since have got nowhere. The others come first now, so that no unlucky choice alone keeps
  // everybody here; when there are no others it is a livelock.
  const auto ran_since = [&](uint32_t k) { return tasks_[k]->last_run > place->second; };
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
  for (const auto& task : tasks_) key = mix(mix(key, task->history), task->done ? 1 : task->ready ? 2 : 3);
  return key;
}

// --- what tasks call

void Scheduler::point() {
  if (running_ && !inside_) pass_on(false);
}

void Scheduler::wait(Wait kind, uint64_t what, std::string text, std::function<bool()> ready, std::function<std::string()> holder) {
  if (ready()) return;
  const uint32_t self = current_;
  Task& task = *tasks_[self];
  inside_ = true;
  machine_.step(RuleId::schedule_block, {self, static_cast<uint64_t>(kind), what});
  inside_ = false;
  task.wait = kind;
  task.what = what;
  task.waits_for = std::move(text);
  task.holder = std::move(holder);
  task.ready = std::move(ready);
  pass_on(false);
  task.ready = nullptr;
  task.holder = nullptr;
  inside_ = true;
  machine_.step(RuleId::schedule_wake, {self, static_cast<uint64_t>(kind), what});
  inside_ = false;
}

void Scheduler::lock(LockId id, bool exclusive) {
  tasks_[current_]->place = mix(mix(tasks_[current_]->place, static_cast<uint64_t>(id.kind) + 1), id.whose);
  point();
  Lock& lock = locks_[id];
  const uint32_t self = current_;
  // A writer that waits keeps new readers out, as the kernel's semaphores do.
  const auto free = [&lock, exclusive] {
    if (lock.writer != Policy::stop) return false;
    return exclusive ? lock.readers.empty() : lock.waiting_writers == 0;
  };
  std::string text(wait_name(id.kind));
  if (exclusive && id.kind == Wait::mmap_lock) text += " (to write)";
  // A second read lock of one task is harmless until a writer has queued between the two.
  if (!exclusive && lock.waiting_writers != 0 &&
      std::find(lock.readers.begin(), lock.readers.end(), self) != lock.readers.end()) {
    text += " (again, behind a writer)";
    inside_ = true;
    machine_.step(RuleId::stuck_mmap_lock, {self, lock.waiting_writers});
    inside_ = false;
  }
  if (exclusive) ++lock.waiting_writers;
  try {
    wait(id.kind, id.whose, text, free, [this, id] { return holders(id); });
  } catch (...) {
    if (exclusive) --lock.waiting_writers;
    throw;
  }
  if (exclusive) {
    --lock.waiting_writers;
    lock.writer = self;
  } else {
    lock.readers.push_back(self);
  }
}

void Scheduler::unlock(LockId id) {
  Lock& lock = locks_[id];
  if (lock.writer == current_) {
    lock.writer = Policy::stop;
    return;
  }
  const auto mine = std::find(lock.readers.begin(), lock.readers.end(), current_);
  if (mine != lock.readers.end()) lock.readers.erase(mine);
}

std::string Scheduler::holders(LockId id) const {
  const auto found = locks_.find(id);
  if (found == locks_.end()) return {};
  if (found->second.writer != Policy::stop) return tasks_[found->second.writer]->name;
  std::string names;
  for (const uint32_t reader : found->second.readers) names += (names.empty() ? "" : " and ") + tasks_[reader]->name;
  return names;
}

// --- what the machine announces

void Scheduler::announced_wait(RuleId rule, std::initializer_list<uint64_t> operands) {
  const uint64_t addr = operands.begin()[0], second = operands.begin()[1];
  const bool names_pfn = rule == RuleId::exclusive_wait;
  const uint64_t pfn = names_pfn ? second : machine_.entry_format().swap.pfn(second);
  const auto unlocked = [this, pfn] {
    const Folio folio = Folio::of(machine_, pfn);
    return !folio || !folio.locked();
  };
  const Wait kind = names_pfn ? Wait::folio_lock : Wait::migration;
  wait(kind, addr, fmt::format("{} at {:#x}", wait_name(kind), addr), unlocked,
       [this, pfn] { return folio_holder_ ? folio_holder_(pfn) : std::string(); });
}

void Scheduler::before_step(RuleId rule, std::initializer_list<uint64_t> operands) {
  if (!running_ || inside_) return;
  switch (rule) {
    case RuleId::swap_migration_wait:
    case RuleId::fault_pmd_migration:
    case RuleId::hugetlb_migration:
    case RuleId::exclusive_wait:
      announced_wait(rule, operands);
      break;
    default:
      tasks_[current_]->place = mix(static_cast<uint64_t>(rule), operands.size() == 0 ? 0 : *operands.begin());
      if (is_point(rule)) pass_on(false);
      break;
  }
  Task& task = *tasks_[current_];
  if (rule == RuleId::scenario_touch) task.touches = 1;
  task.history = mix(task.history, static_cast<uint64_t>(rule));
  for (const uint64_t operand : operands) task.history = mix(task.history, operand);
}

void Scheduler::before_enter(Function function) {
  if (!running_ || inside_) return;
  Task& task = *tasks_[current_];
  task.place = mix(task.place, static_cast<uint64_t>(function) << 32);
  // A touch that tries again starts over: nothing it did before matters but whether the VMA's own lock is still tried.
  if (task.touches != 0 && function == Function::handle_mm_fault) {
    if (task.touches < 3) ++task.touches;
    task.history = mix(task.operation, task.touches);
  }
  if (is_point(function)) pass_on(false);
}

// --- policies

namespace {

uint32_t go_on(const Choice& choice) {
  const bool can = std::binary_search(choice.runnable.begin(), choice.runnable.end(), choice.current);
  return can ? choice.current : choice.runnable.front();
}

}  // namespace

Result<TextPolicy> TextPolicy::parse(std::string_view text, std::span<const std::string> names) {
  TextPolicy policy;
  while (!text.empty()) {
    const size_t space = text.find(' ');
    const std::string_view item = text.substr(0, space);
    text = space == std::string_view::npos ? std::string_view() : text.substr(space + 1);
    if (item.empty()) continue;
    const size_t colon = item.find(':');
    const std::string_view name = item.substr(0, colon);
    uint64_t count = 1;
    if (colon != std::string_view::npos) {
      const std::string_view digits = item.substr(colon + 1);
      if (digits.empty() || digits.size() > 9 || digits.find_first_not_of("0123456789") != std::string_view::npos) {
        return fail("schedule: '" + std::string(item) + "' is not TASK:COUNT");
      }
      count = std::stoull(std::string(digits));
    }
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) return fail("schedule: no task is named '" + std::string(name) + "'");
    if (count != 0) policy.runs_.emplace_back(static_cast<uint32_t>(found - names.begin()), count);
  }
  return policy;
}

uint32_t TextPolicy::choose(const Choice& choice) {
  while (next_ < runs_.size()) {
    const auto [task, count] = runs_[next_];
    if (used_ < count && std::binary_search(choice.runnable.begin(), choice.runnable.end(), task)) {
      ++used_;
      return task;
    }
    ++next_;
    used_ = 0;
  }
  return go_on(choice);
}

uint32_t SeededPolicy::choose(const Choice& choice) {
  state_ ^= state_ << 13;
  state_ ^= state_ >> 7;
  state_ ^= state_ << 17;
  return choice.runnable[(state_ >> 33) % choice.runnable.size()];
}

}  // namespace hmmscope::schedule
