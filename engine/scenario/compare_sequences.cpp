#include "engine/scenario/compare_sequences.h"

#include <fmt/format.h>

#include <set>

#include "engine/migrate/entry_conversion.h"
#include "engine/recording/recorder.h"
#include "engine/scenario/sequence_driver.h"

namespace hmmscope::scenario {

namespace {

using Counts = SequenceCounts;

constexpr std::array columns{
    CountColumn{"migrated_slots", &Counts::migrated_slots},
    CountColumn{"walk_page_range", &Counts::walk_page_range},
    CountColumn{"hmm_vma_walk_test", &Counts::hmm_vma_walk_test},
    CountColumn{"pmd_entry_calls", &Counts::pmd_entry_calls},
    CountColumn{"hole_calls", &Counts::hole_calls},
    CountColumn{"pte_visits_hmm", &Counts::pte_visits_hmm},
    CountColumn{"pte_visits_prepare_locked", &Counts::pte_visits_prepare_locked},
    CountColumn{"prepare_calls_returning_at_once", &Counts::prepare_calls_returning_at_once},
    CountColumn{"pte_visits_old_collector", &Counts::pte_visits_old_collector},
    CountColumn{"handle_mm_fault", &Counts::handle_mm_fault},
    CountColumn{"flush_tlb_mm_range", &Counts::flush_tlb_mm_range},
    CountColumn{"notifier_starts", &Counts::notifier_starts},
    CountColumn{"driver_invalidate_calls", &Counts::driver_invalidate_calls},
    CountColumn{"hmm_range_fault_calls", &Counts::hmm_range_fault_calls},
    CountColumn{"migrate_vma_setup_calls", &Counts::migrate_vma_setup_calls},
    CountColumn{"migrate_hmm_range_setup_calls", &Counts::migrate_hmm_range_setup_calls},
    CountColumn{"restarts", &Counts::restarts},
    CountColumn{"zero_page_faults", &Counts::zero_page_faults},
    CountColumn{"new_page_faults", &Counts::new_page_faults},
    CountColumn{"copy_faults", &Counts::copy_faults},
    CountColumn{"swap_ins", &Counts::swap_ins},
    CountColumn{"pages_home", &Counts::pages_home},
    CountColumn{"pages_moved", &Counts::pages_moved},
    CountColumn{"pages_inserted", &Counts::pages_inserted},
    CountColumn{"page_tables_made", &Counts::page_tables_made},
    CountColumn{"anon_vmas_made", &Counts::anon_vmas_made},
    CountColumn{"dirty_bits_kept", &Counts::dirty_bits_kept},
};

uint64_t Counts::*counter_of(Function function) {
  switch (function) {
    case Function::walk_page_range:
      return &Counts::walk_page_range;
    case Function::hmm_vma_walk_test:
      return &Counts::hmm_vma_walk_test;
    case Function::hmm_vma_walk_pmd:
    case Function::migrate_vma_collect_pmd:
      return &Counts::pmd_entry_calls;
    case Function::hmm_vma_walk_hole:
    case Function::migrate_vma_collect_hole:
      return &Counts::hole_calls;
    case Function::hmm_vma_handle_pte:
      return &Counts::pte_visits_hmm;
    case Function::hmm_vma_handle_migrate_prepare:
      return &Counts::pte_visits_prepare_locked;
    case Function::handle_mm_fault:
      return &Counts::handle_mm_fault;
    case Function::mmu_notifier_invalidate_range_start:
      return &Counts::notifier_starts;
    case Function::invalidate_callback:
      return &Counts::driver_invalidate_calls;
    case Function::hmm_range_fault:
      return &Counts::hmm_range_fault_calls;
    case Function::migrate_vma_setup:
      return &Counts::migrate_vma_setup_calls;
    case Function::migrate_hmm_range_setup:
      return &Counts::migrate_hmm_range_setup_calls;
    default:
      return nullptr;
  }
}

/// The collector enters no call for a pte; each one it looks at fires exactly one of its rules here.
uint64_t Counts::*counter_of(RuleId rule) {
  switch (rule) {
    case RuleId::collect_pte_none_anonymous:
    case RuleId::collect_pte_none_other:
    case RuleId::collect_pte_swap:
    case RuleId::collect_pte_other_entry:
    case RuleId::collect_pte_device_not_selected:
    case RuleId::collect_pte_device:
    case RuleId::collect_pte_zero_page:
    case RuleId::collect_pte_system_not_selected:
    case RuleId::collect_pte_coherent_not_selected:
    case RuleId::collect_pte_no_page:
    case RuleId::collect_pte_coherent:
    case RuleId::collect_pte_present:
      return &Counts::pte_visits_old_collector;
    case RuleId::prepare_not_wanted:
      return &Counts::prepare_calls_returning_at_once;
    case RuleId::range_restart:
    case RuleId::scenario_repeat:
    case RuleId::scenario_collided:
      return &Counts::restarts;
    case RuleId::anon_zero_page:
      return &Counts::zero_page_faults;
    case RuleId::anon_new_page:
      return &Counts::new_page_faults;
    case RuleId::wp_zero_page:
    case RuleId::wp_copy:
      return &Counts::copy_faults;
    case RuleId::swap_in:
      return &Counts::swap_ins;
    case RuleId::swap_device_private:
      return &Counts::pages_home;
    case RuleId::pages_moved:
      return &Counts::pages_moved;
    case RuleId::insert_table:
      return &Counts::page_tables_made;
    case RuleId::insert_device_writable:
    case RuleId::insert_device_readable:
      return &Counts::pages_inserted;
    default:
      return nullptr;
  }
}

/// Faults that begin a table of ptes: each makes the pmd that the next ones find.
uint64_t first_faults(const Recording& recording) {
  std::set<uint64_t> tables;
  for (StepIndex step = 0; step < recording.steps(); ++step) {
    if (recording.rule_of(step) == RuleId::fault_pmd_none_small)
      tables.insert(recording.operands(step)[0] >> level_shift(Level::pmd));
  }
  return tables.size();
}

/// Ptes that the old collector found dirty.
uint64_t dirty_ptes_collected(const Recording& recording) {
  uint64_t dirty = 0;
  for (StepIndex step = 0; step < recording.steps(); ++step) {
    if (recording.rule_of(step) == RuleId::collect_pte_present && entry_dirty(recording.operands(step)[1])) ++dirty;
  }
  return dirty;
}

/// The last rule that says what a hanging call waits for; empty when none did.
std::string named_hang(const Recording& recording) {
  for (StepIndex step = recording.steps(); step-- > 0;) {
    const std::string_view id = rule(recording.rule_of(step)).id;
    if (id.starts_with("stuck.")) return std::string(id);
  }
  return {};
}

void count(const Recording& recording, Counts& counts) {
  for (const Call& call : recording.calls()) {
    if (const auto counter = counter_of(call.function)) ++(counts.*counter);
  }
  for (StepIndex step = 0; step < recording.steps(); ++step) {
    if (const auto counter = counter_of(recording.rule_of(step))) ++(counts.*counter);
  }
  counts.page_tables_made += first_faults(recording);
  counts.dirty_bits_kept = dirty_ptes_collected(recording);
  // Calls that return at once take no lock and look at no pte.
  counts.pte_visits_prepare_locked -= counts.prepare_calls_returning_at_once;
}

Scenario scenario_of(PageMix mix, uint64_t pages) {
  Scenario s;
  s.file = "compare-sequences";
  s.devices = {{"gpu0", 4 * pages + 16, false, 0}, {"gpu1", 16, false, 0}};
  VmaDecl heap;
  heap.name = "heap";
  heap.start = 0x7f0000000000;
  heap.bytes = pages * page_bytes;
  heap.flags = vm::read | vm::write;
  s.vmas = {heap};
  const auto put = [&](PageState state, uint64_t first, uint64_t count) {
    PageDecl page;
    page.at = {"heap", first};
    page.pages = count;
    page.state = state;
    s.pages.push_back(page);
  };
  switch (mix) {
    case PageMix::present:
      put(PageState::present, 0, pages);
      break;
    case PageMix::zero:
      put(PageState::zero_page, 0, pages);
      break;
    case PageMix::swapped:
      put(PageState::swapped, 0, pages);
      break;
    case PageMix::half:
      for (uint64_t k = 0; k < pages; ++k) put(k % 2 == 0 ? PageState::present : PageState::swapped, k, 1);
      break;
    case PageMix::none:
      break;
  }
  return s;
}

/// The mapping has an anon_vma before the sequence runs.
bool has_pages_of_its_own(PageMix mix) { return mix != PageMix::none && mix != PageMix::zero; }

FaultAndMigrateOp operation_of(Contender contender, bool write, uint64_t pages) {
  using Sequence = FaultAndMigrateOp::Sequence;
  const bool s1 = contender == Contender::control_s1 || contender == Contender::rfc_s1;
  FaultAndMigrateOp op;
  op.pages = pages;
  op.device = "gpu0";
  op.write = write;
  op.sequence = contender == Contender::rfc_s3 ? Sequence::one_pass
                : s1                           ? Sequence::fault_then_migrate
                                               : Sequence::migrate_then_fault;
  return op;
}

}  // namespace

std::span<const CountColumn> count_columns() { return columns; }

Result<SequenceCell> run_sequence(PageMix mix, bool write, uint64_t pages, Contender contender) {
  if (pages == 0 || pages > max_compared_pages)
    return fail(fmt::format("a range has 1 to {} pages", max_compared_pages));
  const bool patched = contender >= Contender::rfc_s1;
  const Scenario scenario = scenario_of(mix, pages);
  auto world = World::build(scenario, patched ? "6.12-unified-rfc" : "6.12-fixed");
  if (!world) return fail(world.error());
  Machine& machine = (*world)->machine();
  const WordIndex flushes = (*world)->space().word(MmWord::tlb_flushes);
  const uint64_t flushed_before = machine.load(flushes);
  Recorder recorder(machine.memory());
  recorder.add_task({1, "driver"});
  machine.set_recorder(&recorder);
  Device& device = *(*world)->device("gpu0");
  const uint64_t start = scenario.vmas.front().start;
  const SequenceArrays arrays = make_sequence_arrays(machine, (*world)->space(), "range", start, pages);
  device.reserve_table(start, pages);
  const FaultAndMigrateOp op = operation_of(contender, write, pages);
  const SequenceResult result = SequenceDriver(**world, op, start, arrays, 0, {}).run();
  machine.set_recorder(nullptr);
  SequenceCell cell{mix, write, pages, contender, {}, result.outcome};
  cell.counts.migrated_slots = result.moved;
  cell.counts.flush_tlb_mm_range = machine.load(flushes) - flushed_before;
  const Recording recording = std::move(recorder).finish();
  count(recording, cell.counts);
  const Counts& c = cell.counts;
  const bool own_pages = c.zero_page_faults + c.new_page_faults + c.copy_faults + c.pages_inserted != 0;
  if (!has_pages_of_its_own(mix) && own_pages) cell.counts.anon_vmas_made = 1;
  if (!cell.ended()) cell.hang = named_hang(recording);
  return cell;
}

Result<std::vector<SequenceCell>> compare_sequences(std::span<const PageMix> mixes,
                                                    std::span<const uint64_t> sizes) {
  std::vector<SequenceCell> cells;
  for (const PageMix mix : mixes) {
    for (const bool write : {false, true}) {
      for (const uint64_t pages : sizes) {
        for (size_t k = 0; k < contender_names.size(); ++k) {
          auto cell = run_sequence(mix, write, pages, static_cast<Contender>(k));
          if (!cell) return fail(cell.error());
          cells.push_back(*cell);
        }
      }
    }
  }
  return cells;
}

}  // namespace hmmscope::scenario
