// How tasks wait: for locks that sleep, for spinlocks, for what a rule announces.

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

#include "engine/machine/folio.h"
#include "engine/schedule/scheduler.h"

namespace hmmscope::schedule {

void Scheduler::point() {
  if (running_ && !inside_ && tasks_[current_]->atomic == 0) pass_on();
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
  pass_on();
  // Asked again, so that it counts as read by what follows.
  [[maybe_unused]] const bool over = task.ready();
  assert(over);
  task.ready = nullptr;
  task.holder = nullptr;
  inside_ = true;
  machine_.step(RuleId::schedule_wake, {self, static_cast<uint64_t>(kind), what});
  inside_ = false;
}

namespace {

constexpr uint64_t sleeping_lock = 0x21, spinlock = 0x22;

uint64_t object_of(const LockId& id) { return mix(mix(mix(1, sleeping_lock), static_cast<uint64_t>(id.kind)), id.whose); }
uint64_t object_of(const SpinLock& lock) {
  return mix(mix(mix(mix(1, spinlock), static_cast<uint64_t>(lock.kind)), lock.space), lock.part);
}

}  // namespace

void Scheduler::lock(LockId id, bool exclusive) {
  point();
  accessed(object_of(id), exclusive);   // a writer that only waits keeps readers out
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
  accessed(object_of(id), exclusive);
  if (exclusive) {
    --lock.waiting_writers;
    lock.writer = self;
  } else {
    lock.readers.push_back(self);
  }
}

bool Scheduler::try_lock(LockId id) {
  point();
  accessed(object_of(id), true);
  Lock& lock = locks_[id];
  if (lock.writer != Policy::stop || !lock.readers.empty()) return false;
  lock.writer = current_;
  return true;
}

void Scheduler::unlock(LockId id) {
  Lock& lock = locks_[id];
  accessed(object_of(id), lock.writer == current_);
  if (lock.writer == current_) {
    lock.writer = Policy::stop;
    return;
  }
  const auto mine = std::find(lock.readers.begin(), lock.readers.end(), current_);
  if (mine != lock.readers.end()) lock.readers.erase(mine);
}

void Scheduler::spin_lock(const SpinLock& lock) {
  if (!running_ || inside_ || granularity_ != Granularity::rule) return;
  point();
  const Wait kind = lock.kind == SpinLockKind::notifier ? Wait::notifier_lock : Wait::page_table_lock;
  const auto holder = [this, lock] {
    const auto found = spin_holders_.find(lock);
    return found == spin_holders_.end() ? std::string() : tasks_[found->second]->name;
  };
  accessed(object_of(lock), true);
  wait(kind, lock.part, std::string(wait_name(kind)), [this, lock] { return !spin_holders_.contains(lock); }, holder);
  accessed(object_of(lock), true);
  spin_holders_[lock] = current_;
}

void Scheduler::spin_unlock(const SpinLock& lock) noexcept {
  const auto found = spin_holders_.find(lock);
  if (found == spin_holders_.end() || found->second != current_) return;
  spin_holders_.erase(found);
  accessed(object_of(lock), true);
}

void Scheduler::atomic_begin(bool may_wait) {
  if (!running_ || inside_) return;
  if (may_wait && granularity_ == Granularity::rule) point();
  ++tasks_[current_]->atomic;
}

void Scheduler::atomic_end() noexcept {
  if (running_ && !inside_ && tasks_[current_]->atomic != 0) --tasks_[current_]->atomic;
}

std::string Scheduler::holders(LockId id) const {
  const auto found = locks_.find(id);
  if (found == locks_.end()) return {};
  if (found->second.writer != Policy::stop) return tasks_[found->second.writer]->name;
  std::string names;
  for (const uint32_t reader : found->second.readers) names += (names.empty() ? "" : " and ") + tasks_[reader]->name;
  return names;
}

void Scheduler::announced_wait(RuleId rule, std::initializer_list<uint64_t> operands) {
  const bool pinning = rule == RuleId::coherent_wait;   // it knows no address
  const uint64_t addr = operands.begin()[0], second = operands.begin()[pinning ? 0 : 1];
  const bool names_pfn = pinning || rule == RuleId::exclusive_wait;
  const uint64_t pfn = names_pfn ? second : machine_.entry_format().swap.pfn(second);
  const auto unlocked = [this, pfn] {
    const Folio folio = Folio::of(machine_, pfn);
    return !folio || !folio.locked();
  };
  const Wait kind = names_pfn ? Wait::folio_lock : Wait::migration;
  wait(kind, addr, fmt::format("{} at {:#x}", wait_name(kind), addr), unlocked,
       [this, pfn] { return folio_holder_ ? folio_holder_(pfn) : std::string(); });
}

}  // namespace hmmscope::schedule
