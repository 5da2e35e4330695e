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

constexpr uint64_t small_chunk = 64;   // pages of a migrate_vma call
constexpr uint32_t compound_order = level_order(Level::pmd);
constexpr uint64_t compound_pages = 1ull << compound_order;

uint64_t chunk_of(const KernelModel& model) { return model.compound_migration ? compound_pages : small_chunk; }
uint64_t compound_select(const KernelModel& model) {
  return model.compound_migration ? migrate_select::compound : 0;
}

uint64_t select_of(const DeviceMemory& memory) {
  return memory.coherent ? migrate_select::device_coherent : migrate_select::device_private;
}

WordIndex slot(WordIndex first, uint64_t k) { return first + static_cast<WordIndex>(k); }

/// A destination is the driver's until finalize: one reference, locked.
Folio make_target(Machine& machine, uint64_t pfn, uint32_t order = 0) {
  const Folio folio = make_allocated_folio(machine, pfn, order);
  folio.lock(FolioLocker::driver);
  return folio;
}

/// The driver copies the page, or clears the new one where there was none.
void fill_target(Machine& machine, uint64_t from, uint64_t to, uint64_t pages = 1) {
  PageData* data = machine.page_data();
  if (data == nullptr) return;
  if (from != 0)
    data->copy(from, to, pages);
  else
    data->clear(to, pages);
}

bool has_memory(const MigrateVma& args, DeviceDriver* driver, MigrateMemory what, uint64_t k) {
  if (driver != nullptr && driver->allocation_fails()) return false;
  return args.hooks == nullptr || args.hooks->has_memory(what, k, args.start + k * page_bytes);
}

/// A slot with COMPOUND: what its 512 pages get. `allocate(order)` gives memory, 0 when there is none.
class CompoundTarget {
 public:
  CompoundTarget(Machine& machine, const MigrateVma& args, uint64_t k, MigrateMemory what)
      : machine_(machine), args_(args), format_(MigrateFormat::from(machine.model())), first_(k), what_(what),
        src_(machine.load(slot(args.src, k))), from_(format_.has_page(src_) ? format_.pfn(src_) : 0) {}

  /// False: no block is free.
  bool whole(const AllocatePage& allocate, DeviceDriver* driver, bool write) {
    const uint64_t pfn = has_memory(args_, driver, what_, first_) ? allocate(compound_order) : 0;
    if (pfn == 0) return false;
    const uint64_t dst = format_.make(pfn) | format_.compound | (write ? format_.write : 0);
    machine_.step(RuleId::driver_compound, {first_, src_, dst});
    make_target(machine_, pfn, compound_order);
    fill_target(machine_, from_, pfn, compound_pages);
    machine_.store(slot(args_.dst, first_), dst);
    return true;
  }

  /// Small pages, as many as there are; returns how many slots got none.
  uint64_t small(const AllocatePage& allocate, bool write) {
    machine_.step(RuleId::driver_compound_failed, {first_, src_});
    uint64_t missing = 0;
    for (uint64_t k = first_; k < first_ + compound_pages && k < args_.npages; ++k) {
      const uint64_t pfn = has_memory(args_, nullptr, what_, k) ? allocate(0) : 0;
      if (pfn == 0) {
        machine_.step(RuleId::driver_no_memory, {k, src_});
        ++missing;
        continue;
      }
      const uint64_t dst = format_.make(pfn) | (write ? format_.write : 0);
      machine_.step(RuleId::driver_allocate, {k, src_, dst});
      make_target(machine_, pfn);
      fill_target(machine_, from_ == 0 ? 0 : from_ + (k - first_), pfn);
      machine_.store(slot(args_.dst, k), dst);
    }
    return missing;
  }

  /// The driver wants all or none: unlocks and frees what it has got.
  void give_back() {
    machine_.step(RuleId::driver_compound_given_back, {first_, src_});
    for (uint64_t k = first_; k < first_ + compound_pages && k < args_.npages; ++k) {
      const uint64_t dst = machine_.load(slot(args_.dst, k));
      if (!format_.has_page(dst)) continue;
      const Folio folio = Folio::of(machine_, format_.pfn(dst));
      folio.unlock();
      folio.put();
      machine_.store(slot(args_.dst, k), 0);
    }
  }

 private:
  Machine& machine_;
  const MigrateVma& args_;
  const MigrateFormat format_;
  const uint64_t first_;
  const MigrateMemory what_;
  const uint64_t src_, from_;
};

uint64_t count_moved(const Machine& machine, const MigrateVma& args) {
  const MigrateFormat format = MigrateFormat::from(machine.model());
  uint64_t moved = 0;
  for (uint64_t k = 0; k < args.npages; ++k) {
    const uint64_t src = machine.load(slot(args.src, k));
    if (format.has_page(src) && format.migrates(src)) ++moved;   // one for a whole 2M page
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
    next = std::min({end, addr + chunk_of(machine.model()) * page_bytes, vma.end()});
    MigrateVma args;
    args.mm = &space;
    args.vma = vma;
    args.start = addr;
    args.end = next;
    args.src = slot(arrays.src, (addr - start) / page_bytes);
    args.dst = slot(arrays.dst, (addr - start) / page_bytes);
    args.select = select | compound_select(machine.model());
    args.pgmap_owner = memory.owner;
    args.hooks = hooks;
    result.ret = migrate(args);
    result.stuck_at = args.stuck_at;
    if (result.ret != 0) return result;
  }
  return result;
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

bool thrown_away(const Machine& machine, const MigrateVma& args, uint64_t addr, uint64_t from, uint64_t to) {
  const AddressSpace& mm = *args.mm;
  if (from == 0) return find_mapping(machine, mm, addr, to) == no_word && find_pmd_mapping(machine, mm, addr, to) == no_word;
  return find_migration_entry(machine, mm, addr, from) == no_word &&
         find_pmd_migration_entry(machine, mm, addr, from) == no_word;
}

void allocate_device_pages(Machine& machine, const MigrateVma& args, const DeviceMemory& memory,
                           DeviceDriver* driver) {
  const MigrateFormat format = MigrateFormat::from(machine.model());
  const AllocatePage allocate = [&](uint32_t order) { return machine.physical().allocate_device_page(memory, order); };
  for (uint64_t k = 0; k < args.npages; ++k) {
    const uint64_t src = machine.load(slot(args.src, k));
    if (!format.migrates(src)) continue;
    const bool device_page = format.has_page(src) && machine.physical().device_of(format.pfn(src)) != nullptr;
    if (format.is_compound(src) && device_page) {
      machine.step(RuleId::driver_already_device, {k, src});
      continue;
    }
    const bool write = format.has_page(src) ? (src & format.write) != 0 : (args.vma.flags() & vm::write) != 0;
    if (format.is_compound(src)) {
      CompoundTarget target(machine, args, k, MigrateMemory::device_page);
      if (!target.whole(allocate, driver, write)) target.small(allocate, write);
      k += compound_pages - 1;
      continue;
    }
    const uint64_t pfn = has_memory(args, driver, MigrateMemory::device_page, k) ? allocate(0) : 0;
    if (pfn == 0) {
      machine.step(RuleId::driver_no_memory, {k, src});
      continue;
    }
    const uint64_t dst = format.make(pfn) | (write ? format.write : 0);
    machine.step(RuleId::driver_allocate, {k, src, dst});
    make_target(machine, pfn);
    fill_target(machine, format.has_page(src) ? format.pfn(src) : 0, pfn);
    machine.store(slot(args.dst, k), dst);
  }
}

uint64_t allocate_system_pages(Machine& machine, const MigrateVma& args, DeviceDriver* driver,
                               const AllocatePage& allocate, bool for_holes) {
  const MigrateFormat format = MigrateFormat::from(machine.model());
  uint64_t missing = 0;
  for (uint64_t k = 0; k < args.npages; ++k) {
    const uint64_t src = machine.load(slot(args.src, k));
    if (!format.migrates(src) || (!format.has_page(src) && !for_holes)) continue;
    if (format.has_page(src) && machine.physical().device_of(format.pfn(src)) == nullptr) {
      machine.step(RuleId::driver_system_page, {k, src});
      continue;
    }
    const uint64_t addr = args.start + k * page_bytes;
    DeviceDriver* const maps = args.mm != nullptr ? driver : nullptr;
    if (format.is_compound(src)) {
      CompoundTarget target(machine, args, k, MigrateMemory::system_page);
      if (!target.whole(allocate, driver, (src & format.write) != 0) && target.small(allocate, false) != 0) {
        target.give_back();
        missing += compound_pages;
      } else if (maps != nullptr) {
        for (uint64_t j = 0; j < compound_pages; ++j) maps->unmap(*args.mm, addr + j * page_bytes);
      }
      k += compound_pages - 1;
      continue;
    }
    const uint64_t pfn = has_memory(args, driver, MigrateMemory::system_page, k) ? allocate(0) : 0;
    if (pfn == 0) {
      machine.step(RuleId::driver_no_memory, {k, src});
      ++missing;
      continue;
    }
    const uint64_t dst = format.make(pfn) | (src & format.write);
    machine.step(RuleId::driver_allocate, {k, src, dst});
    if (maps != nullptr) maps->unmap(*args.mm, addr);
    make_target(machine, pfn);
    fill_target(machine, format.pfn(src), pfn);
    machine.store(slot(args.dst, k), dst);
  }
  return missing;
}

void map_migrated_pages(Machine& machine, const MigrateVma& args, DeviceDriver& driver) {
  const TableLock locked(driver);
  map_migrated_pages_locked(machine, args, driver);
}

void map_migrated_pages_locked(Machine& machine, const MigrateVma& args, DeviceDriver& driver) {
  const MigrateFormat format = MigrateFormat::from(machine.model());
  for (uint64_t k = 0; k < args.npages; ++k) {
    const uint64_t src = machine.load(slot(args.src, k)), dst = machine.load(slot(args.dst, k));
    if (!format.migrates(src) || !format.has_page(dst)) continue;
    const uint64_t addr = args.start + k * page_bytes;
    const AtomicGuard whole(machine);   // so that the rule says what is so when the device maps
    const bool compound = format.is_compound(dst);
    if (thrown_away(machine, args, addr, format.has_page(src) ? format.pfn(src) : 0, format.pfn(dst)))
      machine.step(RuleId::driver_map_thrown_away, {k, addr, src, dst});
    else
      machine.step(compound ? RuleId::driver_map_compound : RuleId::driver_map, {k, addr, dst});
    for (uint64_t j = 0; j < (compound ? compound_pages : 1); ++j) {
      driver.map(*args.mm, addr + j * page_bytes, format.pfn(dst) + j, (dst & format.write) != 0);
    }
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
                                         allocate_device_pages(machine, args, memory, &driver);
                                         migrate_vma_pages(machine, args);
                                         map_migrated_pages(machine, args, driver);
                                         migrate_vma_finalize(machine, args);
                                         return 0;
                                       });
  if (result.ret == 0) {
    uint64_t addr = start;
    while (addr < end && driver.mapped_pfn(space, addr)) addr += page_bytes;
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
  for (bool locked = false; !locked;) {
    {
      const AtomicGuard lock_page(machine);
      if (!folio.locked()) {
        machine.step(RuleId::coherent_begin, {pfn, folio.refcount()});
        folio.lock(FolioLocker::migration);
        locked = true;
      }
    }
    if (!locked) machine.step(RuleId::coherent_wait, {pfn, folio.get(FolioWord::lock_owner)});
  }
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
                        const AllocatePage& allocate, MigrateHooks* hooks, uint32_t order) {
  const DeviceMemory* memory = machine.physical().device_of(device_pfn);
  machine.enter(Function::migrate_to_ram, {addr, device_pfn});
  const uint64_t pages = 1ull << order, bytes = pages * page_bytes, start = addr & ~(bytes - 1);
  const MigrateArrays arrays = add_migrate_arrays(machine, space, start, static_cast<uint32_t>(pages), "fault");
  MigrateVma args;
  args.mm = &space;
  args.vma = vma;
  args.start = start;
  args.end = start + bytes;
  args.src = arrays.src;
  args.dst = arrays.dst;
  args.select = select_of(*memory) | (order != 0 ? migrate_select::compound : 0);
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
