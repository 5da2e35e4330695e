// The mirror page table of 2015: making it, running iterators in a chosen order, looking at it.

#include <fmt/format.h>

#include <random>

#include "engine/scenario/operations.h"

namespace hmmscope::scenario {

namespace {

constexpr uint64_t max_turns = 100000;   // random turns of one mirror-run

std::string_view violation_name(const MirrorIterators::Outcome& outcome) {
  switch (outcome.violation) {
    case MirrorViolation::lost_directory: return "lost-directory";
    case MirrorViolation::wrong_count: return "wrong-count";
    case MirrorViolation::dangling_entry: return "dangling-entry";
    case MirrorViolation::use_after_free: return "use-after-free";
    case MirrorViolation::none: break;
  }
  return outcome.deadlock ? "deadlock" : "ok";
}

}  // namespace

Result<MirrorState*> Operations::mirror_state(const std::string& table, Line line) {
  const auto found = world_.mirror_tables().find(table);
  if (found == world_.mirror_tables().end()) return fail(world_.error(line, "no mirror table is named '" + table + "'"));
  return found->second.get();
}

Result<void> Operations::perform(const MirrorTableOp& op, Line line) {
  const auto geometry = MirrorGeometry::of(op.last, op.page_shift, op.entry_bytes, op.rounding);
  if (!geometry) return fail(world_.error(line, geometry.error().message));
  const MirrorOptions options{*geometry, op.generation, op.keep, op.compare, op.grace};
  world_.mirror_tables()[op.table] = std::make_unique<MirrorState>(machine_, options, op.table);
  return {};
}

Result<void> Operations::perform(const MirrorRunOp& op, Line line) {
  const auto state = mirror_state(op.table, line);
  if (!state) return fail(state.error());
  MirrorIterators& iterators = (*state)->iterators;
  for (const MirrorProgram& program : op.programs) {
    for (const MirrorAction& action : program.actions) {
      if (action.addr > (*state)->table.geometry().last) {
        return fail(world_.error(line, fmt::format("{:#x} lies beyond the table's last address {:#x}", action.addr,
                                                   (*state)->table.geometry().last)));
      }
      if (action.role() && (*state)->table.pte_layout().mask(*action.role()) == 0) {
        return fail(world_.error(line, fmt::format("{} has no flag for that action", (*state)->table.pte_layout().title)));
      }
    }
    MirrorIterator& iterator = iterators.named(program.iterator);
    iterator.begin(program.actions);
  }
  std::vector<MirrorIterator*> schedule;
  for (const std::string& name : op.schedule) schedule.push_back(&iterators.named(name));
  if (op.seed) {
    std::mt19937_64 random(*op.seed);
    for (uint64_t k = 0; k < max_turns / 100; ++k) {
      schedule.push_back(&iterators.named(op.programs[random() % op.programs.size()].iterator));
    }
  }
  const MirrorIterators::Outcome outcome = iterators.run(schedule);
  expect_result(op.expect, std::string(violation_name(outcome)), static_cast<uint64_t>(outcome.violation), line);
  return {};
}

Result<void> Operations::perform(const MirrorUnmapOp& op, Line line) {
  const auto state = mirror_state(op.table, line);
  if (!state) return fail(state.error());
  (*state)->table.fini();
  return {};
}

Result<void> Operations::perform(const ExpectMirrorOp& op, Line line) {
  const auto state = mirror_state(op.table, line);
  if (!state) return fail(state.error());
  const MirrorTable& table = (*state)->table;
  expect_number("llevel", op.llevel, table.geometry().llevel, line);
  expect_number("root entries", op.root_entries, table.geometry().root_entries, line);
  expect_number("directories allocated", op.allocated, table.counter(MirrorCounterWord::allocated), line);
  expect_number("directories freed", op.freed, table.counter(MirrorCounterWord::freed), line);
  expect_number("grace periods", op.grace_periods, table.counter(MirrorCounterWord::grace_periods), line);
  expect_number("live directories", op.live, table.counter(MirrorCounterWord::live), line);
  expect_number("most directories", op.peak, table.counter(MirrorCounterWord::peak), line);
  if (!op.at) return {};
  if (*op.at > table.geometry().last) return fail(world_.error(line, "the address lies beyond the table"));
  const uint64_t pte = table.pte(*op.at);
  if (op.mapped) expect_number("valid leaf entry", uint64_t{*op.mapped}, table.pte_valid(pte) ? 1 : 0, line);
  expect_number("leaf entry", op.word, pte, line);
  return {};
}

}  // namespace hmmscope::scenario
