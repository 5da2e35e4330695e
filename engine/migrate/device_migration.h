#pragma once
/// What a driver does around the migrate_vma calls: allocate and lock destinations, update its page table,
/// bring a page home when a CPU touches it. Modelled after lib/test_hmm.c (6.1, 6.12 and, for 2M pages, 7.3); the
/// differences are named below.
///
/// Threads: one at a time. Every function enters and leaves a recorder call of its own.

#include <cstdint>
#include <functional>
#include <optional>

#include "engine/migrate/migrate_vma.h"

namespace hmmscope {

struct DeviceMemory;

/// A device's own page table, as far as migration changes it. A step is open during map and unmap.
class DeviceDriver {
 public:
  virtual ~DeviceDriver() = default;
  virtual void map(AddressSpace& space, uint64_t addr, uint64_t pfn, bool write) = 0;
  virtual void unmap(AddressSpace& space, uint64_t addr) = 0;
  virtual std::optional<uint64_t> mapped_pfn(const AddressSpace& space, uint64_t addr) const = 0;
  /// The driver's lock around a run of map(), which its invalidation callback takes too.
  virtual void lock_table() {}
  virtual void unlock_table() noexcept {}
  /// Asked once for every page or block the driver would allocate; true: it gets none (test_hmm's FAIL_ALLOC). Not asked
  /// for the small pages it takes instead of a block.
  virtual bool allocation_fails() { return false; }
};

/// A free page, or a block of 1 << order pages, of system memory; 0 when there is none.
using AllocatePage = std::function<uint64_t(uint32_t order)>;

/// Between setup and pages: a locked device page for every src slot with MIGRATE, WRITE as the source had it
/// (for a hole: as the VMA allows). A slot with COMPOUND gets a 2M page, or when there is none its 512 slots get small
/// ones. Slots without memory left stay 0 and do not migrate.
void allocate_device_pages(Machine& machine, const MigrateVma& args, const DeviceMemory& memory,
                           DeviceDriver* driver = nullptr);
/// Between setup and pages: a locked system page for every device page with MIGRATE (2M with COMPOUND, as above); the
/// device's mapping goes first. `for_holes`: also one for every hole, as a driver that moves system memory about does.
/// Returns how many could not be allocated; of 512 small pages for a large one it is all or none.
uint64_t allocate_system_pages(Machine& machine, const MigrateVma& args, DeviceDriver* driver,
                               const AllocatePage& allocate, bool for_holes = false);
/// Between pages and finalize: the device maps what has moved.
void map_migrated_pages(Machine& machine, const MigrateVma& args, DeviceDriver& driver);
/// The same for a driver that holds its lock already (DeviceDriver::lock_table is not called).
void map_migrated_pages_locked(Machine& machine, const MigrateVma& args, DeviceDriver& driver);

struct DriverResult {
  int ret = 0;  ///< 0, -EINVAL, -ENOENT (some page is not on the device afterwards), -EDEADLK
  uint64_t cpages =
      0;  ///< to the device: pages found on it, up to the first missing one; to the system: pages moved
  uint64_t stuck_at = 0;  ///< with -EDEADLK
};

/// The driver moves [start, end) to its memory, VMA by VMA and 64 pages at a time (512, with COMPOUND selected, from 6.19
/// on); src and dst are arrays for the whole range.
DriverResult migrate_to_device(Machine& machine, AddressSpace& space, uint64_t start, uint64_t end,
                               const MigrateArrays& arrays, const DeviceMemory& memory, DeviceDriver& driver,
                               MigrateHooks* hooks = nullptr);
DriverResult migrate_to_system(Machine& machine, AddressSpace& space, uint64_t start, uint64_t end,
                               const MigrateArrays& arrays, const DeviceMemory& memory, DeviceDriver& driver,
                               const AllocatePage& allocate, MigrateHooks* hooks = nullptr);
/// The driver empties [first_pfn, first_pfn + pages) of its memory, wherever it is mapped. Returns pages
/// moved.
uint64_t evict_device(Machine& machine, const MigrateArrays& arrays, uint64_t first_pfn, uint64_t pages,
                      const AllocatePage& allocate, MigrateHooks* hooks = nullptr);

/// migrate_device_coherent_folio: a long-term pin is wanted on a device-coherent page. The caller holds a
/// reference, which goes with the page or is dropped. 0 or -EBUSY. Nobody holds the page's lock, unless tasks run that
/// let go of it (device_coherent.wait).
int migrate_device_coherent_folio(Machine& machine, const AddressSpace& space, uint64_t pfn,
                                  const AllocatePage& allocate, MigrateHooks* hooks = nullptr);

/// dev_pagemap_ops.migrate_to_ram: the CPU touched device_pfn at addr (`order` 9: its 2M entry, of which device_pfn is the
/// first page). Returns vm_fault bits: 0 (the access
/// is tried again, whether or not the page moved) or SIGBUS when there is no memory (test_hmm would return 0
/// and fault for ever). The fault path holds a reference on the page, from 6.15 on its lock too.
uint32_t migrate_to_ram(Machine& machine, AddressSpace& space, Vma vma, uint64_t addr, uint64_t device_pfn,
                        const AllocatePage& allocate, MigrateHooks* hooks = nullptr, uint32_t order = 0);

}  // namespace hmmscope
