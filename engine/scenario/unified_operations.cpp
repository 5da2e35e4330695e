// Scenario operations about the unified fault-and-migrate patches, and reclaim, which shows what they lose.

#include <fmt/format.h>

#include "engine/base/in_use.h"
#include "engine/scenario/operations.h"
#include "engine/scenario/reclaim.h"
#include "engine/scenario/sequence_driver.h"
#include "engine/scenario/task_locks.h"

namespace hmmscope::scenario {

namespace {

NotifyEvent interrupt_event(const std::string& name) {
  if (name == "CLEAR") return NotifyEvent::clear;
  if (name == "PROTECTION_VMA") return NotifyEvent::protection_vma;
  if (name == "PROTECTION_PAGE") return NotifyEvent::protection_page;
  return name == "SOFT_DIRTY" ? NotifyEvent::soft_dirty : NotifyEvent::unmap;
}

}  // namespace

Result<void> Operations::perform(const FaultAndMigrateOp& op, Line line) {
  const auto start = world_.resolve(op.at, line);
  if (!start) return fail(start.error());
  const uint64_t slots = op.chunk == 0 ? op.pages : std::min(op.chunk, op.pages);
  const bool patched = machine_.model().unified != UnifiedStyle::none;
  const bool one_pass = op.sequence == FaultAndMigrateOp::Sequence::one_pass ||
                        op.sequence == FaultAndMigrateOp::Sequence::posted;
  if (one_pass && !patched) {
    return fail(world_.error(line, "kernel " + machine_.model().id +
                                       " cannot migrate in hmm_range_fault; choose "
                                       "6.12-unified-rfc or 7.1-unified-later"));
  }
  const auto preset = world_.flags(op.preset, line);
  if (!preset) return fail(preset.error());
  InvalidateRange interrupt;
  if (op.interrupt) {
    const auto at = world_.resolve(op.interrupt->at, line);
    if (!at) return fail(at.error());
    interrupt = {*at, *at + op.interrupt->pages * page_bytes, interrupt_event(op.interrupt->event), 0, true};
    if (interrupt.end > world_.space().tables().limit() || interrupt.end <= interrupt.start)
      return fail(world_.error(line, "the interrupt's range ends beyond the address space"));
  }
  // The arrays are made anew only when another place or size is asked for: what stands in them stays.
  const auto migration = migration_for(op.migration, *start, slots, line);
  if (!migration) return fail(migration.error());
  RunningMigration& running = **migration;
  const InUse in_use(running.users);
  if (op.pages > (world_.space().tables().limit() - *start) / page_bytes)
    return fail(world_.error(line, "the range ends beyond the address space"));
  Array& hmm = world_.arrays()[running.name];
  if (hmm.first == no_word || hmm.start != *start || hmm.pages != slots) {
    hmm = {*start, slots,
           machine_.add_hmm_pfns(world_.space(), *start, static_cast<uint32_t>(slots), running.name)};
  }
  const SequenceArrays all{hmm.first, add_sequence_range(machine_, world_.space(), running.name), running.arrays};
  if (const auto device = driver(op.device, line); !device) return fail(device.error());
  world_.device(op.device)->reserve_table(*start, op.pages);

  SequenceDriver driver(world_, op, *start, all, *preset, interrupt, locks_);
  const SequenceResult result = driver.run();
  running.device = op.device;
  running.args = driver.running();
  // REQ_MIGRATE selects system memory, which migrate-pages reads off the arguments.
  if (one_pass && op.request && !op.select_given) running.args.select |= migrate_select::system;
  running.set_up = result.set_up;
  running.refused = op.until == FaultAndMigrateOp::Until::setup && !result.set_up;
  running.walked = op.until == FaultAndMigrateOp::Until::walk;
  running.holds_mmap = locks_ != nullptr && result.holds_mmap;
  if (running.holds_mmap) locks_->migration_began(op.migration);
  note(line, "fault-and-migrate " + result.outcome + " moved " + std::to_string(result.moved));
  if (op.expect) expect_result(*op.expect, result.outcome, result.rounds, line);
  expect_number("moved", op.moved, result.moved, line);
  return {};
}

Result<void> Operations::perform(const PageOutOp& op, Line line) {
  const auto start = world_.resolve(op.at, line);
  if (!start) return fail(start.error());
  AddressSpace& space = world_.process(op.process);
  const uint64_t limit = space.tables().limit();
  if (*start >= limit || op.pages > (limit - *start) / page_bytes)
    return fail(world_.error(line, "the pages end beyond the address space"));
  uint64_t taken = 0, unwritten = 0;
  const MmapGuard guard(locks_, space, false);
  machine_.enter(Function::madvise, {*start, op.pages * page_bytes});
  for (uint64_t k = 0; k < op.pages; ++k) {
    const PagedOut page = page_out(machine_, space, *start + k * page_bytes);
    taken += page.taken ? 1 : 0;
    unwritten += page.unwritten ? 1 : 0;
  }
  machine_.leave(0);
  note(line, fmt::format("page-out taken {} unwritten {}", taken, unwritten));
  expect_number("taken", op.taken, taken, line);
  expect_number("unwritten", op.unwritten, unwritten, line);
  return {};
}

}  // namespace hmmscope::scenario
