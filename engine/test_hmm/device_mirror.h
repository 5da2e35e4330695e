#pragma once
/// A device's mirror of one address space: its interval notifier over all of it, and its own page table. The table
/// holds the hmm_pfns words the device took, one region a range; lib/test_hmm.c keeps the same in an xarray.
///
/// Ownership: the tables' words belong to the machine; the notifier to the address space. Not movable (it is called
/// back by address). Threads: one at a time.

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "engine/machine/machine.h"
#include "engine/migrate/device_migration.h"
#include "engine/mirror/interval_notifier.h"

namespace hmmscope {

class WalkHooks;

/// The locks and waits of a driver whose machine runs several tasks; a machine of one task has none.
class DriverLocks {
 public:
  virtual ~DriverLocks() = default;
  virtual void mmap_read_lock(const AddressSpace& space) = 0;
  virtual void mmap_read_unlock(const AddressSpace& space) = 0;
  /// The mutex of the device with this owner token: its callback takes it, and so does whoever changes its table.
  virtual void driver_lock(uint64_t owner) = 0;
  virtual void driver_unlock(uint64_t owner) = 0;
  /// The same without waiting, for who may not sleep. False: somebody holds it.
  virtual bool driver_trylock(uint64_t owner) = 0;
  /// The running task holds a device's mutex.
  virtual bool holds_driver_lock() const = 0;
  /// mmu_interval_read_begin has to sleep. False: it would for ever.
  virtual bool wait_for_notifier(IntervalNotifier& notifier) = 0;
  /// For the walks of `space` that the running task makes from now on.
  virtual WalkHooks* walk_hooks(AddressSpace& space) = 0;
};

/// Holds one of them for its life; nothing when there are none.
class DriverLockGuard {
 public:
  DriverLockGuard(DriverLocks* locks, uint64_t owner) : locks_(locks), owner_(owner) {
    if (locks_ != nullptr) locks_->driver_lock(owner_);
  }
  enum Held { held };
  /// driver_trylock() has taken it already.
  DriverLockGuard(DriverLocks* locks, uint64_t owner, Held) : locks_(locks), owner_(owner) {}
  ~DriverLockGuard() {
    if (locks_ != nullptr) locks_->driver_unlock(owner_);
  }
  DriverLockGuard(const DriverLockGuard&) = delete;
  DriverLockGuard& operator=(const DriverLockGuard&) = delete;

 private:
  DriverLocks* locks_;
  uint64_t owner_;
};
class MmapReadGuard {
 public:
  MmapReadGuard(DriverLocks* locks, const AddressSpace& space) : locks_(locks), space_(space) {
    if (locks_ != nullptr) locks_->mmap_read_lock(space_);
  }
  ~MmapReadGuard() {
    if (locks_ != nullptr) locks_->mmap_read_unlock(space_);
  }
  /// Somebody else will give it back.
  void keep() { locks_ = nullptr; }
  MmapReadGuard(const MmapReadGuard&) = delete;
  MmapReadGuard& operator=(const MmapReadGuard&) = delete;

 private:
  DriverLocks* locks_;
  const AddressSpace& space_;
};

class DeviceMirror;

/// struct hmm_range of 4.14 to 5.1: from the call until hmm_vma_range_done() an invalidation that touches its pages makes
/// it invalid and zeroes their slots, requests and results alike. Stops being tracked when it goes.
struct TrackedRange {
  DeviceMirror* device = nullptr;   ///< tracked there; not owned
  uint64_t start = 0, end = 0;
  WordIndex slots = no_word;
  bool valid = true;

  TrackedRange() = default;
  TrackedRange(const TrackedRange&) = delete;
  TrackedRange& operator=(const TrackedRange&) = delete;
  ~TrackedRange();
};

class DeviceMirror final : public IntervalNotifier::Ops, public DeviceDriver {
 public:
  /// `owner` is what dev_private_owner is compared with; `id` becomes the tables' Region::owner.
  DeviceMirror(Machine& machine, AddressSpace& space, std::string name, uint64_t owner, uint32_t id);

  const std::string& name() const { return name_; }
  uint64_t owner() const { return owner_; }
  AddressSpace& space() const { return *space_; }
  IntervalNotifier& notifier() const { return *notifier_; }
  /// Not owned; nullptr: nothing ever waits.
  void set_locks(DriverLocks* locks) { locks_ = locks; }
  DriverLocks* locks() const { return locks_; }
  /// Takes the notifier away, and what the device maps with it (dmirror_fops_release). A step must be open. Nothing may
  /// be mapped afterwards: nobody would be told to take it away.
  void close();
  bool closed() const { return notifier_->removed(); }

  /// Maps the valid slots of the array in the device's table for [start, ...). A step must be open.
  void commit(uint64_t start, WordIndex slots, uint64_t pages);
  /// Makes room for a table; regions may be added at any time.
  void reserve_table(uint64_t start, uint64_t pages);

  // DeviceDriver: what migration changes in the table. Only the address space of the device counts.
  void map(AddressSpace& space, uint64_t addr, uint64_t pfn, bool write) override;
  void unmap(AddressSpace& space, uint64_t addr) override;
  std::optional<uint64_t> mapped_pfn(const AddressSpace& space, uint64_t addr) const override;
  void lock_table() override {
    if (locks_ != nullptr) locks_->driver_lock(owner_);
  }
  void unlock_table() noexcept override {
    if (locks_ != nullptr) locks_->driver_unlock(owner_);
  }
  bool allocation_fails() override { return std::exchange(fail_allocation_, false); }
  /// The next allocation for a migration fails (HMM_DMIRROR_FLAG_FAIL_ALLOC).
  void set_fail_allocation(bool on) { fail_allocation_ = on; }
  /// The hmm_pfns word the device maps addr with; 0 when it does not.
  uint64_t entry(uint64_t addr) const;
  /// Calls visit(addr, entry) for every page the device maps.
  template <class Visit>
  void for_each_entry(Visit visit) const {
    for_each_entry_in(0, ~uint64_t{0}, visit);
  }

  /// The same for the pages of [start, end).
  template <class Visit>
  void for_each_entry_in(uint64_t start, uint64_t end, Visit visit) const {
    for (const Table& table : tables_) {
      const uint64_t table_end = table.start + table.pages * page_bytes;
      if (table.start >= end || start >= table_end) continue;
      const uint64_t first = start <= table.start ? 0 : (start - table.start) / page_bytes;
      const uint64_t last = (std::min(table_end, end) - table.start + page_bytes - 1) / page_bytes;
      for (uint64_t k = first; k < last; ++k) {
        const uint64_t entry = machine_->load(table.first + static_cast<WordIndex>(k));
        if (entry != 0) visit(table.start + k * page_bytes, entry);
      }
    }
  }

  /// A page the device has for itself now (make_device_exclusive), mapped for writing. test_hmm's driver takes its lock
  /// for it, which the caller holds, and does not ask its notifier's sequence: the entry may be gone again.
  void map_exclusive(uint64_t addr, uint64_t pfn);
  /// The ATOMIC tag of device-exclusive pages; it holds as long as the page stays mapped.
  void map_atomic(uint64_t addr, uint64_t pfn);
  bool is_atomic(uint64_t addr) const;

  /// Kernels until 5.1; `range` is tracked until untrack() or its end.
  void track(TrackedRange& range, uint64_t start, uint64_t end, WordIndex slots);
  void untrack(TrackedRange& range);

  /// Its own migrations are skipped; anything else moves the sequence and drops the range from the table.
  bool invalidate(IntervalNotifier& notifier, const InvalidateRange& range, uint64_t cur_seq) override;
  /// Kernels with the unified fault-and-migrate patches: does it skip CLEAR by current (patch 1/4)? At first yes.
  void skip_current(bool on) { skip_current_ = on; }

 private:
  struct Table {
    uint64_t start, pages;
    WordIndex first;
    WordIndex atomic = no_word;   ///< one word a page: 1 = ATOMIC
  };
  void store_entry(uint64_t addr, uint64_t entry);
  void invalidate_tracked(const InvalidateRange& range);
  WordIndex add_words(RegionKind kind, uint64_t start, uint64_t pages, const char* what);

  Machine* machine_;
  AddressSpace* space_;
  std::string name_;
  uint64_t owner_;
  uint32_t id_;
  std::vector<Table> tables_;
  std::vector<TrackedRange*> tracked_;
  IntervalNotifier* notifier_ = nullptr;
  bool skip_current_ = true;
  bool fail_allocation_ = false;
  DriverLocks* locks_ = nullptr;
};

}  // namespace hmmscope
