// Scenario operations about the unified fault-and-migrate patches, and reclaim, which shows what they lose.

#include <fmt/format.h>

#include <optional>

#include "engine/machine/page_data.h"
#include "engine/machine/spin_guard.h"
#include "engine/migrate/entry_conversion.h"
#include "engine/scenario/operations.h"
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

/// The page that reclaim would take at addr; empty when it would leave it alone.
Folio reclaimable(Machine& m, uint64_t pte) {
  const bool mapped = x86::pte_present(pte) && !x86::pte_special(pte);
  const Folio folio = mapped ? Folio::of(m, x86::pte_pfn(pte)) : Folio();
  const uint64_t cache = folio && folio.has(folio_flag::swapcache) ? 1 : 0;
  const bool ordinary = folio && folio.has(folio_flag::anon) && !folio.large() && !folio.zone_device();
  const bool busy = !ordinary || folio.locked() || folio.refcount() != folio.mapcount() + cache || folio.mapcount() != 1;
  return busy ? Folio() : folio;
}

uint64_t busy(Machine& m, uint64_t addr, uint64_t pte) {
  const Folio folio = x86::pte_present(pte) && !x86::pte_special(pte) ? Folio::of(m, x86::pte_pfn(pte)) : Folio();
  m.step(RuleId::pageout_busy, {addr, pte, folio ? folio.refcount() : 0});
  return 0;
}

/// One page goes to swap. 1 when it was dropped without being written.
uint64_t page_out(Machine& m, AddressSpace& space, uint64_t addr) {
  const WordIndex word = space.find_entry(Level::pte, addr);
  const uint64_t seen = word == no_word ? 0 : m.load(word);
  if (!reclaimable(m, seen)) return busy(m, addr, seen);
  const Invalidation running = space.notifiers().start({addr, addr + page_bytes});
  SpinGuard locked(m, pte_lock(space.id(), addr));
  std::optional<AtomicGuard> unmap_and_freeze(std::in_place, m);
  const uint64_t pte = m.load(word);
  const Folio folio = reclaimable(m, pte);
  if (!folio) {   // somebody took hold of it while devices were told
    unmap_and_freeze.reset();
    locked.unlock();
    if (!running.failed) space.notifiers().end(running);
    return busy(m, addr, pte);
  }
  const uint64_t cache = folio.has(folio_flag::swapcache) ? 1 : 0;
  const bool clean = cache != 0 && !entry_dirty(pte) && !folio.has(folio_flag::dirty);
  m.step(clean ? RuleId::pageout_unwritten : RuleId::pageout_written, {addr, pte, folio.pfn()});
  const uint64_t slot = cache != 0 ? m.physical().swap_cache_slot(folio.pfn()) : 0;
  SwapEntry entry;
  entry.kind = SwapKind::swap;
  entry.offset = slot != 0 ? slot : m.physical().allocate_swap_slot();
  if (PageData* data = m.page_data(); data != nullptr && !clean) data->write_swap(entry.offset, folio.pfn());
  entry.exclusive = folio.has(folio_flag::anon_exclusive);
  if (const auto swapped = encode_swap(m.entry_format().swap, entry)) m.store(word, *swapped);
  if (cache != 0) {
    folio.set_flag(folio_flag::swapcache, false);
    folio.put();
  }
  folio.remove_rmap();
  folio.put();
  unmap_and_freeze.reset();
  locked.unlock();
  if (!running.failed) space.notifiers().end(running);
  return clean ? 1 : 0;
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
  const auto arrays = arrays_for(op.migration, *start, slots, line);
  if (!arrays) return fail(arrays.error());
  if (op.pages > (world_.space().tables().limit() - *start) / page_bytes)
    return fail(world_.error(line, "the range ends beyond the address space"));
  Array& hmm = world_.arrays()[op.migration];
  if (hmm.first == no_word || hmm.start != *start || hmm.pages != slots) {
    hmm = {*start, slots,
           machine_.add_hmm_pfns(world_.space(), *start, static_cast<uint32_t>(slots), op.migration)};
  }
  const SequenceArrays all{hmm.first, add_sequence_range(machine_, world_.space(), op.migration), *arrays};
  world_.device(op.device)->reserve_table(*start, op.pages);

  SequenceDriver driver(world_, op, *start, all, *preset, interrupt, locks_);
  const SequenceResult result = driver.run();
  RunningMigration& running = world_.migrations()[op.migration];
  running.device = op.device;
  running.args = driver.running();
  // REQ_MIGRATE selects system memory, which migrate-pages reads off the arguments.
  if (one_pass && op.request && !op.select_given) running.args.select |= migrate_select::system;
  running.set_up = result.set_up;
  note(line, "fault-and-migrate " + result.outcome + " moved " + std::to_string(result.moved));
  if (op.expect) expect_result(*op.expect, result.outcome, result.rounds, line);
  expect_number("moved", op.moved, result.moved, line);
  return {};
}

Result<void> Operations::perform(const PageOutOp& op, Line line) {
  const auto start = world_.resolve(op.at, line);
  if (!start) return fail(start.error());
  const uint64_t limit = world_.space().tables().limit();
  if (*start >= limit || op.pages > (limit - *start) / page_bytes)
    return fail(world_.error(line, "the pages end beyond the address space"));
  uint64_t unwritten = 0;
  machine_.enter(Function::madvise, {*start, op.pages * page_bytes});
  for (uint64_t k = 0; k < op.pages; ++k)
    unwritten += page_out(machine_, world_.space(), *start + k * page_bytes);
  machine_.leave(0);
  expect_number("unwritten", op.unwritten, unwritten, line);
  return {};
}

}  // namespace hmmscope::scenario
