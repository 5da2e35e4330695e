// The half of MigrateCall that walks along the call's own events and holds the engine's way against them.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "traces/replay/migrate_call.h"
#include "traces/replay/missing_event.h"
#include "traces/replay/event_kinds.h"
#include "traces/replay/replayer.h"

namespace hmmscope::traces {
namespace {

/// Bits of a rebuilt entry that earlier events decide: not A, D and soft-dirty, which the CPU and its users
/// set without telling anybody. `frozen`: A and D of the migration entry it was are known.
uint64_t decided_bits(const SwapFormat& swap, uint64_t entry, bool frozen) {
  constexpr uint64_t accessed_dirty = x86::accessed.mask() | x86::dirty.mask();
  if (x86::pte_present(entry))
    return ~((frozen ? 0 : accessed_dirty) | x86::soft_dirty.mask() | x86::saved_dirty.mask());
  uint64_t undecided = x86::swp_soft_dirty.mask();
  if (is_migration(swap.kind(entry))) undecided |= uint64_t{3} << (x86::swp_offset.shift + swap.pfn_bits);
  return ~undecided;
}

/// `now` is what becomes of this migration entry in an address space that no event has shown: its page, and write
/// permission only if the entry had it (a VMA without it does not get it back).
bool rebuilds(const SwapFormat& swap, uint64_t now, uint64_t entry, uint64_t pfn) {
  const bool writable = is_writable(swap.kind(entry));
  if (x86::pte_present(now)) return x86::pte_pfn(now) == pfn && (writable || !x86::pte_write(now));
  return is_device_private(swap.kind(now)) && swap.pfn(now) == pfn &&
         (writable || !is_writable(swap.kind(now)));
}

}  // namespace

EventView MigrateCall::event(uint32_t index) const { return replayer_.trace()[index]; }
EventKind MigrateCall::kind(uint32_t index) const { return replayer_.kinds().at(replayer_.trace(), index); }
uint64_t MigrateCall::number(uint32_t index, std::string_view field) const {
  return event(index).number(field).value_or(0);
}

/// The next own event of either kind, as an event index; no_index when none follows.
uint32_t MigrateCall::peek(EventKind a, EventKind b) {
  const auto own = replayer_.migrations().events(traced_);
  for (uint32_t position = next_; position < own.size(); ++position) {
    const EventKind found = kind(own[position]);
    if (found == a || found == b) return own[position];
  }
  return no_index;
}

void MigrateCall::pass(uint32_t index) {
  replayer_.pass_until(index);
  world_.run_task(traced_.task);
  switch (kind(index)) {
    case EventKind::rf_in:
      return replayer_.run_call(replayer_.calls().call_at(index));
    case EventKind::hmm_setup_in:
      return MigrateCall(replayer_, replayer_.migrations().call_at(index), running_).run();
    case EventKind::set_migration_pte:
    case EventKind::remove_migration_pte:
      return;  // the engine writes these itself; what is left over is looked at in the end
    case EventKind::mn_start:
      if (number(index, "event") == mmu_notify::migrate && judge_.in_step())
        part(number(index, "start"), number(index, "end"), 0,
             fmt::format("the kernel announces a migration of {:#x}-{:#x}, the engine does not",
                         number(index, "start"), number(index, "end")));
      break;
    default:
      break;
  }
  replayer_.side_events().replay(index, floor_);
}

/// Passes the own events before this event.
void MigrateCall::advance_to(uint32_t index) {
  const auto own = replayer_.migrations().events(traced_);
  world_.run_task(traced_.task);
  floor_ = recorder_.current_call();
  while (next_ < own.size() && own[next_] < index) pass(own[next_++]);
  replayer_.pass_until(index);
  world_.at(index);
  while (recorder_.current_call() != floor_) recorder_.leave();
}

/// The same, and the event itself is done with.
void MigrateCall::take(uint32_t index) {
  advance_to(index);
  const auto own = replayer_.migrations().events(traced_);
  if (next_ < own.size() && own[next_] == index) ++next_;
}

void MigrateCall::pass_rest() {
  const auto own = replayer_.migrations().events(traced_);
  world_.run_task(traced_.task);
  floor_ = recorder_.current_call();
  while (next_ < own.size()) pass(own[next_++]);
  world_.run_task(traced_.task);
  while (recorder_.current_call() != floor_) recorder_.leave();
}

std::string MigrateCall::describe_next() {
  const uint32_t next = peek(EventKind::mv_cpmd, EventKind::mv_chole);
  if (next == no_index) return "nothing more of the page tables";
  return fmt::format("{} at {:#x} (line {})", event(next).kind_name(), number(next, "start"),
                     event(next).line());
}

/// -EINVAL before anything else was done.
bool MigrateCall::refused_unseen() {
  if (traced_.kind != EventKind::mv_setup_in || traced_.out == no_index) return false;
  const auto shows_work = [&](uint32_t index) {
    const EventKind found = kind(index);
    return found == EventKind::mn_start || found == EventKind::mv_cpmd || found == EventKind::mv_chole;
  };
  return event(traced_.out).integer("ret") == -EINVAL &&
         std::ranges::none_of(replayer_.migrations().events(traced_), shows_work);
}

void MigrateCall::part(uint64_t addr, uint64_t kernel, uint64_t engine, std::string reason) {
  if (traced_.gap == nullptr && traced_.out == no_index)
    return judge_.lost(addr, "the trace does not show the return of the call");
  if (refused_unseen())
    return judge_.lost(addr, "the kernel refused the arguments; no probe shows whether src, dst or the kind of the fault page is why");
  std::string missing = missing_event(replayer_.trace(), replayer_.kinds(), replayer_.migrations().events(traced_), true);
  if (traced_.gap == nullptr && !missing.empty()) return judge_.lost(addr, std::move(missing));
  judge_.other_way(addr, kernel, engine, std::move(reason));
}

void MigrateCall::index_rebuilt() {
  for (const uint32_t own : replayer_.migrations().events(traced_)) {
    const EventKind found = kind(own);
    if (found == EventKind::set_migration_pte || found == EventKind::remove_migration_pte)
      rebuilt_[{found, number(own, "addr")}].push_back(own);
  }
}

void MigrateCall::entered(Function function, uint64_t addr, uint64_t end, uint64_t detail) {
  running_function_ = function;
  if (!judge_.in_step() || !replayer_.kinds().has(EventKind::mv_cpmd)) return;
  const bool hole = function == Function::migrate_vma_collect_hole;
  if (!hole && function != Function::migrate_vma_collect_pmd) return;
  const uint32_t next = peek(EventKind::mv_cpmd, EventKind::mv_chole);
  const EventKind wanted = hole ? EventKind::mv_chole : EventKind::mv_cpmd;
  const bool matches = next != no_index && kind(next) == wanted && number(next, "start") == addr;
  if (!matches) {
    // A hole found below the pmd is a direct call, which the compiler may have inlined.
    const bool unseen_hole = hole && (detail == ~uint64_t{0} || !replayer_.kinds().has(EventKind::mv_chole));
    if (unseen_hole && (next == no_index || number(next, "start") >= end)) return;
    return part(addr, 0, static_cast<uint64_t>(function),
                fmt::format("the engine enters {} at {:#x}, the kernel: {}", function_name(function), addr,
                            describe_next()));
  }
  take(next);
  judge_.value(fmt::format("{} end", function_name(function)), number(next, "end"), end);
}

void MigrateCall::left(Function function, uint64_t, int64_t) {
  running_function_ =
      function == Function::migrate_vma_collect_pmd || function == Function::migrate_vma_collect_hole
          ? Function::migrate_vma_collect
          : Function::migrate_vma_setup;
  if (function != Function::migrate_vma_collect_pmd || !judge_.in_step()) return;
  const uint32_t next = peek(EventKind::mv_cpmd_r, EventKind::mv_cpmd);
  if (next != no_index && kind(next) == EventKind::mv_cpmd_r) take(next);
}

void MigrateCall::invalidating(AddressSpace&, const InvalidateRange& range) {
  if (!judge_.in_step()) return;
  const auto own = replayer_.migrations().events(traced_);
  const auto why = static_cast<uint64_t>(range.event);
  for (uint32_t position = next_; position < own.size(); ++position) {
    const uint32_t index = own[position];
    if (kind(index) != EventKind::mn_start || number(index, "event") != why) continue;
    if (range.event == NotifyEvent::migrate) {
      take(index);
      judge_.value("start of the invalidation", number(index, "start"), range.start);
      judge_.value("end of the invalidation", number(index, "end"), range.end);
      judge_.value("owner of the invalidation", number(index, "owner"), range.owner);
      return;
    }
    if (number(index, "start") != range.start || number(index, "end") != range.end) continue;
    return take(index);
  }
}

void MigrateCall::invalidated(AddressSpace&, const InvalidateRange& range) {
  if (!judge_.in_step()) return;
  const uint32_t next = peek(EventKind::mn_end, EventKind::mn_end);
  if (next != no_index && number(next, "start") == range.start && number(next, "end") == range.end)
    take(next);
}

void MigrateCall::replaced(AddressSpace& where, uint64_t addr, uint64_t, uint64_t now) {
  const bool frozen = (world_.known_pte(where, addr).known & pte_fact::accessed_dirty) != 0;
  world_.note_pte(where, addr, facts_of_entry(now));
  if (!judge_.in_step()) return;
  // The collector's own entries and insertions have no event.
  if (running_function_ == Function::try_to_migrate)
    compare_entry(where, addr, now, EventKind::set_migration_pte, false);
  else if (running_function_ == Function::remove_migration_ptes)
    compare_entry(where, addr, now, EventKind::remove_migration_pte, frozen);
}

void MigrateCall::remapped(AddressSpace& where, uint64_t addr, uint64_t now) {
  remapped_.insert(addr);
  world_.note_pte(where, addr, facts_of_entry(now));
  if (!judge_.in_step() || !replayer_.kinds().has(EventKind::remove_migration_pte)) return;
  compare_entry(where, addr, now, EventKind::remove_migration_pte, false);
}

void MigrateCall::compare_entry(AddressSpace& where, uint64_t addr, uint64_t now, EventKind wanted,
                                bool frozen) {
  if (!replayer_.kinds().has(wanted)) return judge_.unseen_words(1);
  const uint64_t known = decided_bits(world_.entries().swap, now, frozen);
  std::vector<uint32_t>& events = rebuilt_[{wanted, addr}];
  if (events.empty())
    return part(addr, 0, now,
                fmt::format("the engine writes {:#x} at {:#x}, the kernel writes no entry", now, addr));
  // Mappings in several address spaces may be visited in another order.
  const auto same = std::find_if(events.begin(), events.end(),
                                 [&](uint32_t index) { return ((number(index, "pte") ^ now) & known) == 0; });
  const bool differs = same == events.end();
  const auto chosen = differs ? events.begin() : same;
  const uint32_t index = *chosen;
  events.erase(chosen);
  take(index);
  judge_.compare(where.find_entry(Level::pte, addr), number(index, "pte"), now, known, call_id_);
  // One of the two is wrong: nothing more is concluded from it.
  if (differs) world_.forget_ptes(where, addr, addr + page_bytes);
}

/// An entry written by the kernel that the engine did not write: which address space it is in, nobody says.
void MigrateCall::show_rebuilt(uint32_t index) {
  world_.at(index);
  const uint64_t addr = number(index, "addr"), pte = number(index, "pte");
  recorder_.step(kind(index) == EventKind::set_migration_pte ? RuleId::trace_migration_set
                                                             : RuleId::trace_migration_removed,
                 {addr, pte});
  const auto& spaces = world_.machine().address_spaces();
  if (!world_.spend_entries(spaces.size())) return;
  for (const auto& other : spaces)
    if (other.get() != args().mm || !judge_.in_step()) world_.forget_ptes(*other, addr, addr + page_bytes);
}

/// The page that a migration entry stands for once this call has removed it.
uint64_t MigrateCall::page_behind(uint64_t entry) const {
  const uint64_t pfn = world_.entries().swap.pfn(entry);
  if (traced_.kind != EventKind::mv_fin_in) return pfn;
  const Machine& machine = world_.machine();
  for (WordIndex k = 0; k < args().npages; ++k) {
    const uint64_t src = machine.load(args().src + k), dst = machine.load(args().dst + k);
    if (format_.has_page(src) && format_.pfn(src) == pfn)
      return format_.migrates(src) && format_.has_page(dst) ? format_.pfn(dst) : pfn;
  }
  return pfn;
}

void MigrateCall::expect_all_rebuilt() {
  for (const auto& [key, events] : rebuilt_) {
    for (const uint32_t index : events) {
      const auto& [what, addr] = key;
      const uint64_t pte = number(index, "pte");
      std::vector<uint64_t>& elsewhere = running_.unseen[addr];
      if (what == EventKind::set_migration_pte) {
        elsewhere.push_back(pte);
      } else if (remapped_.contains(addr)) {
        // put back by the split, for a process whose mapping no event has shown
      } else if (elsewhere.empty()) {
        return part(addr, pte, 0,
                    fmt::format("the kernel writes {:#x} at {:#x}, the engine writes no entry", pte, addr));
      } else {
        const auto entry = std::ranges::find_if(
            elsewhere, [&](uint64_t was) { return rebuilds(world_.entries().swap, pte, was, page_behind(was)); });
        if (entry == elsewhere.end())
          return part(addr, pte, elsewhere.front(),
                      fmt::format("the kernel writes {:#x} at {:#x}, which is not what becomes of the migration entry "
                                  "{:#x} of another address space there",
                                  pte, addr, elsewhere.front()));
        elsewhere.erase(entry);
      }
      judge_.unseen_words(1);
      show_rebuilt(index);
    }
  }
}

}  // namespace hmmscope::traces
