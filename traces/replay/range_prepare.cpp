#include "traces/replay/range_prepare.h"

#include <fmt/format.h>

#include <array>

#include "engine/machine/machine.h"
#include "traces/replay/event_kinds.h"
#include "traces/replay/range_call.h"
#include "traces/replay/refusal.h"

namespace hmmscope::traces {
RangePrepare::RangePrepare(RangeCall& walk) : walk_(walk), folios_(walk.world_) {}

/// hmm_want_migrate() is not zero.
bool RangePrepare::wanted() const {
  const RangeFaultCall& call = walk_.call_;
  const uint64_t requested = walk_.world_.machine().model().hmm_pfn->mask(Role::migrate);
  return (call.migrate != nullptr && call.migrate->select != 0) || (call.default_flags & requested) != 0;
}

uint64_t RangePrepare::fault_page() const {
  return walk_.call_.migrate == nullptr ? 0 : walk_.call_.migrate->fault_page;
}

void RangePrepare::entered(Function function, uint64_t addr, uint64_t end, uint64_t detail) {
  if (function != Function::hmm_vma_handle_migrate_prepare && function != Function::hmm_vma_walk_split)
    return;
  walk_.entered(function, addr, end, detail);
  if (!walk_.judge_.in_step()) return;
  if (function == Function::hmm_vma_walk_split) return show_huge(addr);
  if (!wanted()) return;
  show_pte(addr);
  show_folio(addr);
}

void RangePrepare::left(Function function, uint64_t addr, int64_t ret) {
  if (function != Function::hmm_vma_handle_migrate_prepare && function != Function::hmm_vma_walk_split)
    return;
  splitting_ = false;
  walk_.left(function, addr, ret);
}

/// The pte is read again under the lock; the CPU may have changed it since the handler looked.
void RangePrepare::show_pte(uint64_t addr) {
  if (!walk_.next_is(EventKind::prep_pte) || walk_.number(walk_.peek(), "addr") != addr) return;
  const auto pte = walk_.event(walk_.take()).number("pte");
  if (!pte) return;
  walk_.recorder_.step(RuleId::trace_prepare_pte, {addr, *pte});
  walk_.world_.show_entry(*walk_.space_, Level::pte, addr, *pte, Evidence::observed);
  walk_.note_special(addr, *pte);
}

void RangePrepare::show_folio(uint64_t addr) {
  Machine& machine = walk_.world_.machine();
  const uint64_t pte = machine.load(walk_.space_->tables().ensure_word(Level::pte, addr));
  page_left_ = false;
  if (x86::pte_none(pte)) return;
  const SwapFormat& swap = walk_.world_.entries().swap;
  const bool present = x86::pte_present(pte);
  if (present ? x86::pte_special(pte) : !is_device_private(swap.kind(pte))) return;
  const uint64_t pfn = present ? x86::pte_pfn(pte) : swap.pfn(pte);
  if (pfn >> swap.pfn_bits != 0)
    return walk_.judge_.lost(addr, fmt::format("a page frame {:#x} cannot be", pfn));
  const Vma vma = walk_.space_->vma_at(addr);
  if (!vma) return;
  page_left_ = left_alone(addr);
  if (!folios_.page(*walk_.space_, vma, addr, pfn, fault_page()))
    walk_.judge_.lost(addr, "more address spaces, VMAs and pages than can be replayed");
}

/// What the kernel made of the word: as the return of the handler shows it; without that event as the next
/// migrate_hmm_range_setup finds it; else as the call returns it, and then the bit decides nothing.
bool RangePrepare::left_alone(uint64_t addr) {
  const uint64_t migrate = walk_.world_.machine().model().hmm_pfn->mask(Role::migrate);
  if (walk_.next_is(EventKind::prep_r))
    return (walk_.event(walk_.peek()).number("pfn").value_or(migrate) & migrate) == 0;
  if (walk_.replayer_.kinds().has(EventKind::prep_r) || walk_.traced_.out == no_index) return false;
  const uint64_t slot = (addr - walk_.call_.start) >> page_bits;
  std::array<uint64_t, array_limit> words{};
  const uint32_t setup = walk_.replayer_.migrations().range_setup_after(
      walk_.traced_.task, walk_.number(walk_.traced_.in, "migrate"), walk_.traced_.out);
  if (setup != no_index) {
    const EventView in = walk_.event(walk_.replayer_.migrations().calls()[setup].in);
    if (in.number("start") == walk_.call_.start && slot < in.array("pfns", words).value_or(0))
      return (words[slot] & migrate) == 0;
  }
  undecided_.insert(slot);
  return slot < walk_.event(walk_.traced_.out).array("pfns", words).value_or(0) &&
         (words[slot] & migrate) == 0;
}

std::optional<bool> RangePrepare::trylock(uint64_t addr, uint64_t) {
  if (!walk_.judge_.in_step()) return false;
  if (splitting_ ? huge_locked_ : !page_left_) return std::nullopt;
  const Refusal why = splitting_ ? Refusal::split : Refusal::lock;
  walk_.recorder_.step(RuleId::trace_migrate_refused, {addr, addr + page_bytes, static_cast<uint64_t>(why)});
  return false;
}

/// Pins are not shown; a pinned page is one that the kernel leaves alone.
std::optional<bool> RangePrepare::maybe_pinned(uint64_t, uint64_t) { return false; }

/// A present huge pmd. Whether it could be split the return of the split says, or that of the pmd handler.
void RangePrepare::show_huge(uint64_t addr) {
  Machine& machine = walk_.world_.machine();
  const uint64_t pmd = machine.load(walk_.space_->tables().ensure_word(Level::pmd, addr));
  const uint64_t base = leaf_pfn(Level::pmd, pmd);
  const bool says_split = walk_.replayer_.kinds().has(EventKind::split_r);
  uint32_t back = walk_.peek();
  while (back != no_index && walk_.kind(back) != (says_split ? EventKind::split_r : EventKind::w_pmd_r))
    back = walk_.replayer_.calls().next(back);
  const bool done = back != no_index && (walk_.event(back).integer("ret") == 0) == says_split;
  bool folio_tried = false;
  for (uint32_t at = walk_.next_; at != back && at != no_index; at = walk_.replayer_.calls().next(at))
    folio_tried |=
        walk_.kind(at) == EventKind::split_folio_r || walk_.kind(at) == EventKind::remove_migration_pte;
  splitting_ = true;
  huge_split_ = done;
  huge_locked_ = done || folio_tried || !walk_.replayer_.kinds().has(EventKind::split_folio_r);
  // Splitting the mapping of the zero page touches no folio, and leaves zero pages.
  if (done && !folio_tried && leaves_special(back)) return machine.physical().set_huge_zero_pfn(base);
  const Vma vma = walk_.space_->vma_at(addr);
  if (vma && base >> walk_.world_.entries().swap.pfn_bits == 0) folios_.large(vma, addr, base);
}

/// The first pte that the walk meets after this event is a special one.
bool RangePrepare::leaves_special(uint32_t event) const {
  while (event != no_index && walk_.kind(event) != EventKind::h_pte)
    event = walk_.replayer_.calls().next(event);
  const auto pte = event == no_index ? std::nullopt : walk_.event(event).number("pte");
  return pte && x86::pte_present(*pte) && x86::pte_special(*pte);
}

std::optional<bool> RangePrepare::split(uint64_t, uint64_t) {
  if (!walk_.judge_.in_step()) return false;
  return huge_split_ ? std::nullopt : std::optional(false);
}

void RangePrepare::passing(uint32_t index) {
  if (walk_.call_.prepare_hooks == nullptr || !walk_.judge_.in_step()) return;
  if (walk_.kind(index) != EventKind::mn_start || walk_.number(index, "event") != mmu_notify::migrate) return;
  if (walk_.replayer_.migrations().in_call(index)) return;
  const uint64_t start = walk_.number(index, "start"), end = walk_.number(index, "end");
  walk_.part(start, end, 0,
             fmt::format("the kernel announces a migration of {:#x}-{:#x}, the engine does not", start, end));
}

/// The announcement of the migration, or the CLEAR that splitting a folio sends (its owner is the task
/// itself, which the engine knows by another name).
void RangePrepare::invalidating(AddressSpace&, const InvalidateRange& range) {
  if (!walk_.judge_.in_step()) return;
  const bool migrates = range.event == NotifyEvent::migrate;
  const uint32_t found = walk_.find_before_next([&](uint32_t at) {
    if (walk_.kind(at) != EventKind::mn_start || walk_.replayer_.migrations().in_call(at)) return false;
    if (walk_.number(at, "event") != static_cast<uint64_t>(range.event)) return false;
    return migrates || (walk_.number(at, "start") == range.start && walk_.number(at, "end") == range.end);
  });
  if (found == no_index) {
    if (migrates && walk_.replayer_.kinds().has(EventKind::mn_start))
      walk_.part(range.start, 0, range.end,
                 fmt::format("the engine announces a migration of {:#x}-{:#x}, the kernel does not",
                             range.start, range.end));
    return;
  }
  walk_.take(found);
  if (!migrates) return;
  walk_.judge_.value("start of the invalidation", walk_.number(found, "start"), range.start);
  walk_.judge_.value("end of the invalidation", walk_.number(found, "end"), range.end);
  walk_.judge_.value("owner of the invalidation", walk_.number(found, "owner"), range.owner);
}

void RangePrepare::invalidated(AddressSpace&, const InvalidateRange& range) {
  if (!walk_.judge_.in_step()) return;
  const uint32_t found = walk_.find_before_next([&](uint32_t at) {
    return walk_.kind(at) == EventKind::mn_end && !walk_.replayer_.migrations().in_call(at) &&
           walk_.number(at, "event") == static_cast<uint64_t>(range.event) &&
           walk_.number(at, "start") == range.start && walk_.number(at, "end") == range.end;
  });
  if (found != no_index) walk_.take(found);
}

void RangePrepare::replaced(AddressSpace& space, uint64_t addr, uint64_t, uint64_t now) {
  // No CPU touches the bits of a migration entry.
  walk_.world_.note_pte(space, addr, static_cast<uint8_t>(facts_of_entry(now) | pte_fact::accessed_dirty));
  if (walk_.running_ != nullptr) walk_.running_->prepared.insert(addr);
}

}  // namespace hmmscope::traces
