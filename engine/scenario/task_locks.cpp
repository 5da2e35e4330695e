#include "engine/scenario/task_locks.h"

#include <fmt/format.h>

#include <utility>

#include "engine/machine/folio.h"
#include "engine/scenario/entry_at.h"

namespace hmmscope::scenario {

using schedule::LockId;
using schedule::Wait;

TaskLocks::TaskLocks(World& world, schedule::Scheduler& scheduler) : world_(world), scheduler_(scheduler) {
  scheduler_.set_folio_holder([this](uint64_t pfn) { return holder_of_folio(pfn); });
}

void TaskLocks::mmap_lock(const AddressSpace& space, bool exclusive) { scheduler_.lock({Wait::mmap_lock, space.id()}, exclusive); }
void TaskLocks::mmap_unlock(const AddressSpace& space) { scheduler_.unlock({Wait::mmap_lock, space.id()}); }
void TaskLocks::driver_lock(uint64_t owner) {
  scheduler_.lock({Wait::driver_lock, owner}, true);
  ++driver_locks_[scheduler_.current()];
}
void TaskLocks::driver_unlock(uint64_t owner) {
  --driver_locks_[scheduler_.current()];
  scheduler_.unlock({Wait::driver_lock, owner});
}
bool TaskLocks::driver_trylock(uint64_t owner) {
  const bool locked = scheduler_.try_lock({Wait::driver_lock, owner});
  if (locked) ++driver_locks_[scheduler_.current()];
  return locked;
}
bool TaskLocks::holds_driver_lock() const {
  const auto found = driver_locks_.find(scheduler_.current());
  return found != driver_locks_.end() && found->second != 0;
}

bool TaskLocks::in_migration() const {
  for (const auto& [name, task] : owners_) {
    const auto found = world_.migrations().find(name);
    if (task == scheduler_.current() && found != world_.migrations().end() && found->second.set_up) return true;
  }
  return false;
}

void TaskLocks::ends() {
  for (const auto& [name, task] : owners_) {
    const auto found = world_.migrations().find(name);
    if (task != scheduler_.current() || found == world_.migrations().end() || !found->second.walked) continue;
    if (std::exchange(found->second.holds_mmap, false)) mmap_unlock(world_.space());
  }
}

bool TaskLocks::wait_for_notifier(IntervalNotifier& notifier) {
  const uint64_t seq = notifier.subscriptions().invalidate_seq();
  scheduler_.wait(Wait::notifier, notifier.start(), fmt::format("{} of {}", wait_name(Wait::notifier), notifier.name()),
                  [&notifier, seq] { return notifier.subscriptions().invalidate_seq() != seq; }, nullptr);
  return true;
}

bool TaskLocks::wait_for_migration(uint64_t addr) {
  AddressSpace& space = *walked_.at(scheduler_.current());
  Machine& machine = world_.machine();
  const SwapFormat& format = machine.entry_format().swap;
  const EntryAt entry = entry_at(machine, space, addr);
  const bool migrates = !x86::pte_none(entry.value) && !entry.present() && is_migration(format.kind(entry.value));
  const uint64_t pfn = migrates ? format.pfn(entry.value) : 0;
  scheduler_.wait(Wait::migration, addr, fmt::format("{} at {:#x}", wait_name(Wait::migration), addr),
                  [&machine, pfn] {
                    const Folio folio = Folio::of(machine, pfn);
                    return !folio || !folio.locked();
                  },
                  [this, pfn] { return holder_of_folio(pfn); });
  return true;
}

void TaskLocks::holds_folio(uint64_t pfn, bool holds) {
  if (holds) folios_[pfn] = scheduler_.current();
  else folios_.erase(pfn);
}

std::string TaskLocks::holder_of_folio(uint64_t pfn) const {
  if (const auto holder = folios_.find(pfn); holder != folios_.end()) return scheduler_.name_of(holder->second);
  Machine& machine = world_.machine();
  const MigrateFormat format = MigrateFormat::from(machine.model());
  for (const auto& [name, migration] : world_.migrations()) {
    if (!migration.set_up) continue;
    for (uint64_t k = 0; k < migration.args.npages; ++k) {
      const uint64_t src = machine.load(migration.arrays.src + static_cast<WordIndex>(k));
      if (!format.has_page(src) || format.pfn(src) != pfn) continue;
      const auto owner = owners_.find(name);
      return owner == owners_.end() ? "migration " + name : scheduler_.name_of(owner->second);
    }
  }
  return {};
}

}  // namespace hmmscope::scenario
