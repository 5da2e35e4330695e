#pragma once
/// How the tasks of a scenario wait for each other: mmap_lock, the driver's lock of each device, the interval
/// notifier's sequence, migrations. A scenario without tasks has no TaskLocks and nothing waits.
///
/// Threads: the running task's. Ownership: refers to the world and the scheduler.

#include <map>
#include <memory>
#include <string>

#include "engine/scenario/world.h"
#include "engine/schedule/scheduler.h"
#include "engine/walk/hooks.h"

namespace hmmscope::scenario {

class TaskLocks final : public DriverLocks, public WalkHooks {
 public:
  TaskLocks(World& world, schedule::Scheduler& scheduler);

  schedule::Scheduler& scheduler() { return scheduler_; }
  void mmap_lock(const AddressSpace& space, bool exclusive);
  void mmap_unlock(const AddressSpace& space);
  /// A migration that a task has set up and not yet finalized holds the locks of its pages.
  void migration_began(const std::string& name) { owners_[name] = scheduler_.current(); }

  /// The running task ends. A driver's sequence that the scenario has left behind its walk for good gives mmap_lock back.
  void ends();

  /// The running task has taken the folio's lock, or given it back.
  void holds_folio(uint64_t pfn, bool holds);
  /// Who has the folio's lock, a task or a migration; empty when nobody that is known here.
  std::string holder_of_folio(uint64_t pfn) const;

  /// The running task has set up a migration and not finalized it.
  bool in_migration() const;

  // DriverLocks
  void mmap_read_lock(const AddressSpace& space) override { mmap_lock(space, false); }
  void mmap_read_unlock(const AddressSpace& space) override { mmap_unlock(space); }
  void driver_lock(uint64_t owner) override;
  void driver_unlock(uint64_t owner) override;
  bool driver_trylock(uint64_t owner) override;
  bool holds_driver_lock() const override;
  bool wait_for_notifier(IntervalNotifier& notifier) override;
  WalkHooks* walk_hooks(AddressSpace& space) override {
    walked_[scheduler_.current()] = &space;
    return this;
  }

  // WalkHooks: the walk meets a migration entry
  bool wait_for_migration(uint64_t addr) override;
  std::optional<uint64_t> turns_of_others() const override { return scheduler_.choices(); }

 private:
  World& world_;
  schedule::Scheduler& scheduler_;
  std::map<std::string, uint32_t> owners_;              ///< migration -> task
  std::map<uint64_t, uint32_t> folios_;                 ///< pfn -> task
  std::map<uint32_t, uint32_t> driver_locks_;           ///< how many a task holds
  std::map<uint32_t, AddressSpace*> walked_;            ///< task -> space
};

/// mmap_lock for the life of the guard; nothing without tasks.
class MmapGuard {
 public:
  MmapGuard(TaskLocks* locks, const AddressSpace& space, bool exclusive) : locks_(locks), space_(space) {
    if (locks_ != nullptr) locks_->mmap_lock(space_, exclusive);
  }
  ~MmapGuard() {
    if (locks_ != nullptr) locks_->mmap_unlock(space_);
  }
  MmapGuard(const MmapGuard&) = delete;
  MmapGuard& operator=(const MmapGuard&) = delete;

 private:
  TaskLocks* locks_;
  const AddressSpace& space_;
};

}  // namespace hmmscope::scenario
