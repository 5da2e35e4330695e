#include "engine/migrate/device_migration.h"

#include <algorithm>
#include <cerrno>

#include "engine/fault/handle_mm_fault.h"
#include "engine/machine/page_data.h"
#include "engine/machine/spin_guard.h"
#include "engine/migrate/migrate_internal.h"
#include "engine/migrate/rmap.h"

namespace hmmscope {

namespace {

constexpr uint64_t chunk_pages = 64;

uint64_t select_of(const DeviceMemory& memory) {
  return memory.coherent ? migrate_select::device_coherent : migrate_select::device_private;
}

WordIndex slot(WordIndex first, uint64_t k) { return first + static_cast<WordIndex>(k); }

/// A destination is the driver's until finalize: one reference, locked.
Folio make_target(Machine& machine, uint64_t pfn) {
  const Folio folio = make_allocated_folio(machine, pfn, 0);
  folio.lock(FolioLocker::driver);
  return folio;
}

/// The driver copies the page, or clears the new one where there was none.
void fill_target(Machine& machine, uint64_t from, uint64_t to) {
  PageData* data = machine.page_data();
  if (data == nullptr) return;
  if (from != 0)
    data->copy(from, to);
  else
    data->clear(to);
}

uint64_t count_moved(const Machine& machine, const MigrateVma& args) {
  const MigrateFormat format = MigrateFormat::from(machine.model());
  uint64_t moved = 0;
  for (uint64_t k = 0; k < args.npages; ++k) {
    const uint64_t src = machine.load(slot(args.src, k));
    if (format.has_page(src) && format.migrates(src)) ++moved;
  }
  return moved;
}

/// Calls `migrate(args)` for every piece; it returns what migrate_vma_setup returned.
template <class Migrate>
DriverResult for_each_piece(AddressSpace& space, uint64_t start, uint64_t end, const MigrateArrays& arrays,
                            const DeviceMemory& memory, uint64_t select, Machine& machine,
                            MigrateHooks* hooks, Migrate migrate) {
  DriverResult result;
  for (uint64_t addr = start, next = addr; addr < end; addr = next) {
    const Vma vma = space.vma_at(addr);
    if (!vma || (vma.flags() & vm::read) == 0) {
      machine.step(RuleId::driver_no_vma, {addr, vma ? vma.flags() : 0});
      result.ret = -EINVAL;
      return result;
    }
    next = std::min({end, addr + chunk_pages * page_bytes, vma.end()});
    MigrateVma args;
    args.mm = &space;
    args.vma = vma;
    args.start = addr;
    args.end = next;
    args.src = slot(arrays.src, (addr - start) / page_bytes);
    args.dst = slot(arrays.dst, (addr - start) / page_bytes);
    args.select = select;
    args.pgmap_owner = memory.owner;
    args.hooks = hooks;
    result.ret = migrate(args);
    result.stuck_at = args.stuck_at;
    if (result.ret != 0) return result;
  }
  return result;
}

/// Nothing of the CPU's table refers to the page any more: MADV_DONTNEED, which needs mmap_lock for reading only, was
/// faster. `from`: 0 for a page that was put into a hole.
bool thrown_away(const Machine& machine, const MigrateVma& args, uint64_t addr, uint64_t from, uint64_t to) {
  return from != 0 ? find_migration_entry(machine, *args.mm, addr, from) == no_word
                   : find_mapping(machine, *args.mm, addr, to) == no_word;
}

class TableLock {
 public:
  explicit TableLock(DeviceDriver& driver) : driver_(driver) { driver_.lock_table(); }
  ~TableLock() { driver_.unlock_table(); }
  TableLock(const TableLock&) = delete;
  TableLock& operator=(const TableLock&) = delete;

 private:
  DeviceDriver& driver_;
};

}  // namespace

void allocate_device_pages(Machine& machine, const MigrateVma& args, const DeviceMemory& memory) {
  const MigrateFormat format = MigrateFormat::from(machine.model());
  for (uint64_t k = 0; k < args.npages; ++k) {
    const uint64_t src = machine.load(slot(args.src, k));
    if (!format.migrates(src)) continue;
    const uint64_t addr = args.start + k * page_bytes;
    const bool room = args.hooks == nullptr || args.hooks->has_memory(MigrateMemory::device_page, k, addr);
    const uint64_t pfn = room ? machine.physical().allocate_device_page(memory) : 0;
    if (pfn == 0) {
      machine.step(RuleId::driver_no_memory, {k, src});
      continue;
    }
    const bool write = format.has_page(src) ? (src & format.write) != 0 : (args.vma.flags() & vm::write) != 0;
    const uint64_t dst = format.make(pfn) | (write ? format.write : 0);
    machine.step(RuleId::driver_allocate, {k, src, dst});
    make_target(machine, pfn);
    fill_target(machine, format.has_page(src) ? format.pfn(src) : 0, pfn);
    machine.store(slot(args.dst, k), dst);
  }
}

uint64_t allocate_system_pages(Machine& machine, const MigrateVma& args, DeviceDriver* driver,
                               const AllocatePage& allocate) {
  const MigrateFormat format = MigrateFormat::from(machine.model());
  uint64_t missing = 0;
  for (uint64_t k = 0; k < args.npages; ++k) {
    const uint64_t src = machine.load(slot(args.src, k));
    if (!format.migrates(src) || !format.has_page(src)) continue;
    if (machine.physical().device_of(format.pfn(src)) == nullptr) {
      machine.step(RuleId::driver_system_page, {k, src});
      continue;
    }
    const uint64_t addr = args.start + k * page_bytes;
    const bool room = args.hooks == nullptr || args.hooks->has_memory(MigrateMemory::system_page, k, addr);
    const uint64_t pfn = room ? allocate() : 0;
    if (pfn == 0) {
      machine.step(RuleId::driver_no_memory, {k, src});
      ++missing;
      continue;
    }
    const uint64_t dst = format.make(pfn) | (src & format.write);
    machine.step(RuleId::driver_allocate, {k, src, dst});
    if (driver != nullptr && args.mm != nullptr) driver->unmap(*args.mm, addr);
    make_target(machine, pfn);
    fill_target(machine, format.pfn(src), pfn);
    machine.store(slot(args.dst, k), dst);
  }
  return missing;
}

void map_migrated_pages(Machine& machine, const MigrateVma& args, DeviceDriver& driver) {
  const MigrateFormat format = MigrateFormat::from(machine.model());
  const TableLock locked(driver);
  for (uint64_t k = 0; k < args.npages; ++k) {
    const uint64_t src = machine.load(slot(args.src, k)), dst = machine.load(slot(args.dst, k));
    if (!format.migrates(src) || !format.has_page(dst)) continue;
    const uint64_t addr = args.start + k * page_bytes;
    const AtomicGuard whole(machine);   // so that the rule says what is so when the device maps
    if (thrown_away(machine, args, addr, format.has_page(src) ? format.pfn(src) : 0, format.pfn(dst)))
      machine.step(RuleId::driver_map_thrown_away, {k, addr, src, dst});
    else
      machine.step(RuleId::driver_map, {k, addr, dst});
    driver.map(*args.mm, addr, format.pfn(dst), (dst & format.write) != 0);
  }
}

DriverResult migrate_to_device(Machine& machine, AddressSpace& space, uint64_t start, uint64_t end,
                               const MigrateArrays& arrays, const DeviceMemory& memory, DeviceDriver& driver,
                               MigrateHooks* hooks) {
  machine.enter(Function::device, {start, (end - start) / page_bytes});
  DriverResult result = for_each_piece(space, start, end, arrays, memory, migrate_select::system, machine,
                                       hooks, [&](MigrateVma& args) {
                                         if (const int ret = migrate_vma_setup(machine, args); ret != 0)
                                           return ret;
                                         allocate_device_pages(machine, args, memory);
                                         migrate_vma_pages(machine, args);
                                         map_migrated_pages(machine, args, driver);
                                         migrate_vma_finalize(machine, args);
                                         return 0;
                                       });
  if (result.ret == 0) {
    uint64_t addr = start;
    while (addr < end && driver.maps(space, addr)) addr += page_bytes;
    result.cpages = (addr - start) / page_bytes;
    if (addr < end) {
      machine.step(RuleId::driver_not_mirrored, {addr});
      result.ret = -ENOENT;
    }
  }
  machine.leave(result.ret);
  return result;
}

DriverResult migrate_to_system(Machine& machine, AddressSpace& space, uint64_t start, uint64_t end,
                               const MigrateArrays& arrays, const DeviceMemory& memory, DeviceDriver& driver,
                               const AllocatePage& allocate, MigrateHooks* hooks) {
  machine.enter(Function::device, {start, (end - start) / page_bytes});
  uint64_t moved = 0;
  DriverResult result = for_each_piece(space, start, end, arrays, memory, select_of(memory), machine, hooks,
                                       [&](MigrateVma& args) {
                                         if (const int ret = migrate_vma_setup(machine, args); ret != 0)
                                           return ret;
                                         allocate_system_pages(machine, args, &driver, allocate);
                                         migrate_vma_pages(machine, args);
                                         moved += count_moved(machine, args);
                                         migrate_vma_finalize(machine, args);
                                         return 0;
                                       });
  result.cpages = moved;
  machine.leave(result.ret);
  return result;
}

uint64_t evict_device(Machine& machine, const MigrateArrays& arrays, uint64_t first_pfn, uint64_t pages,
                      const AllocatePage& allocate, MigrateHooks* hooks) {
  machine.enter(Function::device, {first_pfn, pages});
  MigrateVma args;  // only the arrays count: the pages are found by pfn
  args.src = arrays.src;
  args.dst = arrays.dst;
  args.npages = pages;
  args.hooks = hooks;
  migrate_device_range(machine, arrays.src, first_pfn, pages, hooks);
  allocate_system_pages(machine, args, nullptr, allocate);
  migrate_device_pages(machine, arrays.src, arrays.dst, pages, hooks);
  const uint64_t moved = count_moved(machine, args);
  migrate_device_finalize(machine, arrays.src, arrays.dst, pages, hooks);
  machine.leave(static_cast<int64_t>(moved));
  return moved;
}

int migrate_device_coherent_folio(Machine& machine, const AddressSpace& space, uint64_t pfn,
                                  const AllocatePage& allocate, MigrateHooks* hooks) {
  machine.enter(Function::migrate_device_coherent_folio, {pfn});
  const MigrateArrays arrays = add_migrate_arrays(machine, space, 0, 1, "coherent");
  const MigrateFormat format = MigrateFormat::from(machine.model());
  const Folio folio = Folio::of(machine, pfn);
  machine.step(RuleId::coherent_begin, {pfn, folio.refcount()});
  folio.lock(FolioLocker::migration);
  machine.store(arrays.src, format.make(pfn) | format.migrate);
  MigrateVma args;  // only the arrays count: there is no VMA
  args.src = arrays.src;
  args.dst = arrays.dst;
  args.npages = 1;
  args.hooks = hooks;
  const bool ready = unmap_collected({machine, format, arrays.src, arrays.dst, 1, 0, nullptr, hooks}) != 0;
  if (ready) {
    allocate_system_pages(machine, args, nullptr, allocate);
    migrate_device_pages(machine, arrays.src, arrays.dst, 1, hooks);
    migrate_device_finalize(machine, arrays.src, arrays.dst, 1, hooks);
  }
  const uint64_t src = machine.load(arrays.src);
  const bool moved = ready && format.migrates(src);
  if (moved)
    machine.step(RuleId::coherent_moved, {pfn, format.pfn(machine.load(arrays.dst))});
  else
    machine.step(RuleId::coherent_busy, {pfn, src});
  machine.leave(moved ? 0 : -EBUSY);
  return moved ? 0 : -EBUSY;
}

uint32_t migrate_to_ram(Machine& machine, AddressSpace& space, Vma vma, uint64_t addr, uint64_t device_pfn,
                        const AllocatePage& allocate, MigrateHooks* hooks) {
  const DeviceMemory* memory = machine.physical().device_of(device_pfn);
  machine.enter(Function::migrate_to_ram, {addr, device_pfn});
  const MigrateArrays arrays = add_migrate_arrays(machine, space, addr, 1, "fault");
  MigrateVma args;
  args.mm = &space;
  args.vma = vma;
  args.start = addr;
  args.end = addr + page_bytes;
  args.src = arrays.src;
  args.dst = arrays.dst;
  args.select = select_of(*memory);
  args.pgmap_owner = memory->owner;
  args.fault_page = device_pfn;
  args.hooks = hooks;
  uint64_t missing = 0;
  const bool failed = migrate_vma_setup(machine, args) != 0;
  if (!failed) {
    missing = allocate_system_pages(machine, args, memory->driver, allocate);
    migrate_vma_pages(machine, args);
    migrate_vma_finalize(machine, args);
  }
  const uint32_t ret = failed || missing != 0 ? vm_fault::sigbus : 0;
  machine.leave(ret);
  return ret;
}

}  // namespace hmmscope
