// Scenario operations that migrate pages: the three calls one by one, or a driver's whole sequence.

#include <fmt/format.h>

#include <cerrno>
#include <utility>

#include "engine/base/errno_name.h"
#include "engine/base/in_use.h"
#include "engine/migrate/device_exclusive.h"
#include "engine/migrate/device_migration.h"
#include "engine/scenario/operations.h"
#include "engine/scenario/sequence_driver.h"
#include "engine/scenario/task_locks.h"
#include "engine/unified/migrate_prepare.h"

namespace hmmscope::scenario {

namespace {

std::string result_name(int ret) {
  switch (ret) {
    case 0:
      return "0";
    case -EINVAL:
      return "-EINVAL";
    case -ENOENT:
      return "-ENOENT";
    case -EDEADLK:
      return "deadlock";
    default:
      return std::to_string(ret);
  }
}

}  // namespace

void Operations::expect_number(const std::string& what, const std::optional<uint64_t>& expected,
                               uint64_t found, Line line) {
  if (!expected) return;
  expect_result(fmt::format("{} {}", what, *expected), fmt::format("{} {}", what, found), found, line);
}

Result<RunningMigration*> Operations::migration_for(const std::string& migration, uint64_t start, uint64_t pages,
                                                    Line line) {
  const uint64_t limit = world_.space().tables().limit();
  if (start >= limit || pages > (limit - start) / page_bytes) {
    return fail(world_.error(line, "the range ends beyond the address space"));
  }
  std::string name = migration;
  for (uint32_t others = 1; world_.migrations()[name].users != 0; ++others) name = fmt::format("{} #{}", migration, others + 1);
  RunningMigration& running = world_.migrations()[name];
  running.name = name;
  if (running.set_up) {
    return fail(
        world_.error(line, "migration '" + migration + "' still runs: it needs a migrate-finalize first"));
  }
  if (running.arrays.src == no_word || running.start != start || running.pages != pages) {
    running.start = start;
    running.pages = pages;
    running.arrays =
        add_migrate_arrays(machine_, world_.space(), start, static_cast<uint32_t>(pages), name);
  }
  return &running;
}

Result<RunningMigration*> Operations::idle_migration_for(const std::string& migration, uint64_t start, uint64_t pages, Line line) {
  if (world_.migrations()[migration].users != 0)
    return fail(world_.error(line, "migration '" + migration + "' is the name of a call that another task is in"));
  return migration_for(migration, start, pages, line);
}

Result<void> Operations::perform(const MigrateSetupOp& op, Line line) {
  const auto start = world_.resolve(op.at, line);
  if (!start) return fail(start.error());
  const auto migration = idle_migration_for(op.migration, *start, op.pages, line);
  if (!migration) return fail(migration.error());
  const auto device = driver(op.device, line);
  if (!device) return fail(device.error());
  (*device)->reserve_table(*start, op.pages);
  RunningMigration& running = **migration;
  running.device = op.device;
  running.args = {};
  running.args.mm = &world_.space();
  running.args.vma = world_.space().vma_at(*start);
  running.args.start = *start;
  running.args.end = *start + op.pages * page_bytes;
  running.args.src = running.arrays.src;
  running.args.dst = running.arrays.dst;
  for (const std::string& name : op.select) running.args.select |= select_bit(machine_.model(), name);
  running.args.pgmap_owner = (*device)->owner();
  running.args.hooks = world_.migrate_hooks();
  if (locks_ != nullptr) locks_->mmap_lock(world_.space(), false);
  if (locks_ != nullptr) locks_->migration_began(op.migration);
  const int ret = migrate_vma_setup(machine_, running.args);
  running.set_up = ret == 0;
  running.refused = ret != 0;
  running.holds_mmap = locks_ != nullptr && ret == 0;
  if (locks_ != nullptr && ret != 0) locks_->mmap_unlock(world_.space());
  note(line, fmt::format("migrate-setup {} cpages {}", result_name(ret), ret == 0 ? running.args.cpages : 0));
  if (ret == -EDEADLK) machine_.step(RuleId::scenario_deadlock, {running.args.stuck_at, 1});
  if (op.expect) expect_result(*op.expect, result_name(ret), as_code(ret), line);
  if (ret == 0) expect_number("cpages", op.cpages, running.args.cpages, line);
  return {};
}

Result<void> Operations::perform(const MigrateRangeSetupOp& op, Line line) {
  RunningMigration& running = world_.migrations()[op.migration];
  if (!running.walked) return fail(world_.error(line, "no range-fault before this operation prepares migration '" + op.migration + "'"));
  const auto array = world_.arrays().find(op.array);
  if (array == world_.arrays().end()) return fail(world_.error(line, "no array is named '" + op.array + "'"));
  const MigrateVma& args = running.args;
  if (args.end > args.start && (args.start < array->second.start || (args.end - array->second.start) >> page_bits > array->second.pages))
    return fail(world_.error(line, "array '" + op.array + "' is not the one that was walked"));
  if (locks_ != nullptr && !running.holds_mmap) locks_->mmap_lock(world_.space(), false);   // until migrate-finalize
  // The function takes the array from its start on, as the call filled it.
  const bool sound = migrate_hmm_range_setup(machine_, array->second.first, running.args);
  running.walked = false;
  running.set_up = sound;
  running.refused = !sound;
  running.holds_mmap = locks_ != nullptr && sound;
  if (locks_ != nullptr && !sound) locks_->mmap_unlock(world_.space());
  // REQ_MIGRATE selects system memory, which migrate-pages reads off the arguments.
  if (running.args.select == 0) running.args.select = migrate_select::system;
  const std::string outcome = sound ? "0" : "BUG";
  note(line, fmt::format("migrate-range-setup {} cpages {}", outcome, running.args.cpages));
  if (op.expect) expect_result(*op.expect, outcome, 0, line);
  if (sound) expect_number("cpages", op.cpages, running.args.cpages, line);
  return {};
}

Result<void> Operations::perform(const MigratePagesOp& op, Line line) {
  RunningMigration& running = world_.migrations()[op.migration];
  if (!running.set_up && running.refused) {   // a driver returns when its setup fails
    note(line, "migrate-pages left out");
    expect_number("moved", op.moved, 0, line);
    return {};
  }
  if (!running.set_up) return fail(world_.error(line, "migration '" + op.migration + "' is not set up"));
  Device& device = *world_.device(running.device);
  const MigrateVma& args = running.args;
  const bool to_device = (args.select & migrate_select::system) != 0;
  machine_.enter(Function::device, {args.start, args.npages});
  const auto allocate = [&](uint64_t first, uint64_t count) {
    MigrateVma part = args;
    part.start += first * page_bytes;
    part.src += static_cast<WordIndex>(first);
    part.dst += static_cast<WordIndex>(first);
    part.npages = count;
    if (to_device)
      allocate_device_pages(machine_, part, world_.memory_of(device), &device);
    else
      allocate_system_pages(machine_, part, &device, [&](uint32_t order) { return machine_.physical().allocate(order); },
                            op.slots.has_value());
  };
  if (!op.slots)
    allocate(0, args.npages);
  else {
    for (const SlotDecl& slot : *op.slots) {
      if (slot.index >= args.npages || args.npages - slot.index < slot.count) {
        return fail(world_.error(line, "a slot lies outside the range"));
      }
      allocate(slot.index, slot.count);
    }
  }
  migrate_vma_pages(machine_, args);
  if (to_device) map_migrated_pages(machine_, args, device);
  machine_.leave();
  const MigrateFormat format = MigrateFormat::from(machine_.model());
  uint64_t moved = 0;
  for (uint64_t k = 0; k < args.npages; ++k) {
    moved += format.migrates(machine_.load(args.src + static_cast<WordIndex>(k))) ? 1 : 0;
  }
  note(line, fmt::format("migrate-pages moved {}", moved));
  expect_number("moved", op.moved, moved, line);
  return {};
}

Result<void> Operations::perform(const MigrateFinalizeOp& op, Line line) {
  RunningMigration& running = world_.migrations()[op.migration];
  if (!running.set_up && running.refused) return {};
  if (!running.set_up) return fail(world_.error(line, "migration '" + op.migration + "' is not set up"));
  migrate_vma_finalize(machine_, running.args);
  running.set_up = false;
  if (std::exchange(running.holds_mmap, false) && locks_ != nullptr) locks_->mmap_unlock(world_.space());
  return {};
}

Result<void> Operations::perform(const MigrateOp& op, Line line) {
  const auto start = world_.resolve(op.at, line);
  if (!start) return fail(start.error());
  const auto migration = migration_for(op.migration, *start, op.pages, line);
  if (!migration) return fail(migration.error());
  const InUse in_use((*migration)->users);
  const MigrateArrays& arrays = (*migration)->arrays;
  const auto driver = this->driver(op.device, line);
  if (!driver) return fail(driver.error());
  Device& device = **driver;
  device.reserve_table(*start, op.pages);
  const DeviceMemory& memory = world_.memory_of(device);
  const uint64_t end = *start + op.pages * page_bytes;
  const MmapGuard guard(locks_, world_.space(), false);
  const DriverResult result =
      op.to_device ? migrate_to_device(machine_, world_.space(), *start, end, arrays, memory, device, world_.migrate_hooks())
                   : migrate_to_system(machine_, world_.space(), *start, end, arrays, memory, device,
                                       [&](uint32_t order) { return machine_.physical().allocate(order); }, world_.migrate_hooks());
  if (result.ret == -EDEADLK) machine_.step(RuleId::scenario_deadlock, {result.stuck_at, 1});
  note(line, fmt::format("migrate {} cpages {}", result_name(result.ret), result.cpages));
  if (op.expect) expect_result(*op.expect, result_name(result.ret), as_code(result.ret), line);
  expect_number("cpages", op.cpages, result.cpages, line);
  return {};
}

Result<void> Operations::perform(const EvictOp& op, Line line) {
  const DeviceMemory& memory = world_.memory_of(*world_.device(op.device));
  const uint64_t used = machine_.physical().device_pages_handed_out(memory);
  if (used == 0) {
    expect_number("moved", op.moved, 0, line);
    return {};
  }
  const uint64_t first = memory.first_pfn + memory.pages - used;
  const MigrateArrays arrays =
      add_migrate_arrays(machine_, world_.space(), 0, static_cast<uint32_t>(used), op.device + " evicted");
  const uint64_t moved =
      evict_device(machine_, arrays, first, used, [&](uint32_t order) { return machine_.physical().allocate(order); }, world_.migrate_hooks());
  expect_number("moved", op.moved, moved, line);
  return {};
}

Result<void> Operations::perform(const MakeExclusiveOp& op, Line line) {
  const auto start = world_.resolve(op.at, line);
  if (!start) return fail(start.error());
  const uint64_t limit = world_.space().tables().limit();
  if (*start >= limit || op.pages > (limit - *start) / page_bytes) {
    return fail(world_.error(line, "the range ends beyond the address space"));
  }
  const auto driver = this->driver(op.device, line);
  if (!driver) return fail(driver.error());
  Device& device = **driver;
  device.reserve_table(*start, op.pages);
  const MmapGuard guard(locks_, world_.space(), false);
  const int64_t made = make_device_exclusive_range(
      machine_, world_.space(), *start, *start + op.pages * page_bytes, device.owner(),
      [&](uint64_t addr, uint64_t pfn) {
        const DriverLockGuard table(device.locks(), device.owner());
        device.map_exclusive(addr, pfn);
      });
  note(line, fmt::format("make-exclusive made {}", made));
  expect_number("made", op.made, static_cast<uint64_t>(made), line);
  return {};
}

Result<void> Operations::perform(const ExpectMigrateOp& op, Line line) {
  const RunningMigration& running = world_.migrations()[op.migration];
  if (op.index >= running.pages || running.pages - op.index < op.count) {
    return fail(world_.error(line, "the arrays have " + std::to_string(running.pages) + " slots"));
  }
  const Layout& layout = *machine_.model().migrate_pfn;
  const uint64_t pfn_mask = layout.mask(Role::pfn);
  const Field* pfn = layout.field(Role::pfn);
  std::optional<uint64_t> flags;
  if (op.flags) {
    const auto value = world_.flags(*op.flags, line, layout);
    if (!value) return fail(value.error());
    flags = *value;
  }
  ++outcome_.expectations;
  for (uint64_t k = 0; k < op.count; ++k) {
    const WordIndex word =
        (op.dst ? running.arrays.dst : running.arrays.src) + static_cast<WordIndex>(op.index + k);
    const uint64_t found = machine_.load(word);
    uint64_t expected = found;
    if (flags) expected = (expected & pfn_mask) | (*flags & ~pfn_mask);
    if (op.pfn && pfn != nullptr) expected = (expected & ~pfn_mask) | ((*op.pfn + k) << pfn->shift);
    if (op.word) expected = *op.word;
    if (expected == found) continue;
    machine_.step(RuleId::expect_failed, {word, expected, found});
    failed(line, fmt::format("{}.{}[{}]: expected {} ({:#x}), found {} ({:#x})", op.migration,
                             op.dst ? "dst" : "src", op.index + k, describe(layout, expected), expected,
                             describe(layout, found), found));
    return {};
  }
  machine_.step(RuleId::expect_held, {op.index, op.count});
  return {};
}

}  // namespace hmmscope::scenario
