// The half of SideEvents that concerns notifiers and migrations.
#include <algorithm>
#include <array>

#include "traces/replay/side_events.h"

namespace hmmscope::traces {
namespace {

/// MMU_NOTIFY_UNMAP and MMU_NOTIFY_PROTECTION_VMA (include/linux/mmu_notifier.h, 6.1 and 6.12).
constexpr uint64_t event_unmap = 0, event_protection_vma = 2;

uint64_t number(const EventView& event, std::string_view name) { return event.number(name).value_or(0); }

}  // namespace

void SideEvents::notifier(const EventView& event, uint32_t index, EventKind kind, CallId floor) {
  Recorder& recorder = world_.recorder();
  Task& task = tasks_[event.task()];
  const uint64_t address = number(event, "sub");
  AddressSpace& own = world_.space_of(event.task());
  switch (kind) {
    case EventKind::mni_insert: {
      world_.bind(event.task(), number(event, "mm"));
      const WordIndex words = world_.notifier(world_.space_of(event.task()), address);
      const uint64_t start = number(event, "start"), length = number(event, "length");
      recorder.enter(Function::mmu_interval_notifier_insert, {address, start, length}, event.task());
      recorder.step(RuleId::trace_notifier_insert, {address, start, length});
      recorder.write(word_of(words, NotifierWord::start), start, Evidence::observed);
      recorder.write(word_of(words, NotifierWord::last), start + length - 1, Evidence::observed);
      recorder.write(word_of(words, NotifierWord::state), static_cast<uint64_t>(NotifierState::inserted),
                     Evidence::inferred);
      recorder.leave();
      return;
    }
    case EventKind::mni_remove: {
      const WordIndex words = world_.notifier(own, address);
      mirrors_.removed(address);
      recorder.step(RuleId::trace_notifier_remove, {address});
      recorder.write(word_of(words, NotifierWord::state), static_cast<uint64_t>(NotifierState::removed),
                     Evidence::inferred);
      return;
    }
    case EventKind::mni_rb:
      task.reading = address;
      recorder.enter(Function::mmu_interval_read_begin, {address}, event.task());
      if (last_event_[event.task()] == index) name_open_announcement(own);
      return;
    case EventKind::mni_rb_r: {
      const uint64_t read = event.number("sub").value_or(task.reading), seq = number(event, "seq");
      const WordIndex word = word_of(world_.notifier(own, read), NotifierWord::invalidate_seq);
      recorder.step(RuleId::trace_read_begin, {read, seq});
      // A read may have been overtaken by a callback before it returned: it never lowers the sequence.
      if (static_cast<int64_t>(seq - world_.machine().load(word)) >= 0)
        recorder.write(word, seq, Evidence::observed);
      world_.leave(Function::mmu_interval_read_begin, static_cast<int64_t>(seq), floor);
      return;
    }
    case EventKind::mn_start: {
      const uint64_t start = number(event, "start"), end = number(event, "end");
      // These come from the task's own system call, so this mm is the task's (a thread made by clone3 shows
      // it first here); other events may concern somebody else's.
      const uint64_t mm = number(event, "mm"), why = event.number("event").value_or(~uint64_t{0});
      if (why == event_unmap || why == event_protection_vma)
        if (world_.space_of_mm(mm) != nullptr) world_.bind(event.task(), mm);
      recorder.enter(Function::mmu_notifier_invalidate_range_start, {start, end, number(event, "event")},
                     event.task());
      // Whose mm it is nobody knows before a task has shown it.
      if (const AddressSpace* whose = world_.space_of_mm(mm); whose != nullptr)
        recorder.step(RuleId::trace_invalidate_start, {start, end, why, number(event, "owner"), whose->id()});
      else
        recorder.step(RuleId::trace_invalidate_start, {start, end, why, number(event, "owner")});
      // Outside mprotect it is NUMA balancing, which takes all access away until the next touch.
      if (why == event_protection_vma && !task.protecting) world_.forget_ptes(world_.space_of(event.task()), start, end);
      return;
    }
    case EventKind::mn_end:
      world_.leave(Function::mmu_notifier_invalidate_range_start, std::nullopt, floor);
      return;
    case EventKind::callback: {
      const bool records = sequences_.records(index);
      const uint64_t seq = number(event, "cur_seq");
      recorder.step(records ? RuleId::trace_callback : RuleId::trace_callback_skipped,
                    {address, number(event, "start"), number(event, "end"), number(event, "event"), seq});
      const WordIndex word = word_of(world_.notifier(own, address), NotifierWord::invalidate_seq);
      if (records) recorder.write(word, seq, Evidence::observed);
      mirrors_.invalidated(address, number(event, "start"), number(event, "end"), records);
      // Between an odd invalidate_seq and its end, the mm is being invalidated.
      if (AddressSpace* space = &own; seq != 0)
        recorder.write(space->word(MmWord::invalidate_seq), seq, Evidence::observed);
      return;
    }
    default:
      return;
  }
}

/// The task never comes back from reading the sequence: is an announcement still open that a replayed call
/// made?
void SideEvents::name_open_announcement(const AddressSpace& space) {
  const Machine& machine = world_.machine();
  const uint64_t active = machine.load(space.word(MmWord::active_invalidate_ranges));
  if (active == 0) return;
  world_.recorder().step(RuleId::stuck_notifier, {machine.load(space.word(MmWord::invalidate_seq)), active});
}

void SideEvents::migrate_array(const EventView& event, RegionKind kind, std::string_view field) {
  const uint64_t start = number(event, "start"), end = number(event, "end");
  if (end <= start) return;
  std::array<uint64_t, array_limit> words{};
  const auto shown = event.array(field, words);
  if (!shown) return;
  const auto count =
      static_cast<uint32_t>(std::min<uint64_t>({(end - start) >> page_bits, *shown, array_limit}));
  if (count == 0) return;
  const WordIndex first =
      world_.array(kind, world_.space_of(event.task()), number(event, "args"), start, count,
                   kind == RegionKind::migrate_src ? "migrate.src" : "migrate.dst");
  Recorder& recorder = world_.recorder();
  recorder.step(kind == RegionKind::migrate_src ? RuleId::trace_migrate_src : RuleId::trace_migrate_dst,
                {start, count});
  recorder.copy(first, std::span(words).first(count), Evidence::observed);
}

void SideEvents::migration(const EventView& event, EventKind kind, CallId floor) {
  Recorder& recorder = world_.recorder();
  const auto arrays = [&] {
    migrate_array(event, RegionKind::migrate_src, "src");
    migrate_array(event, RegionKind::migrate_dst, "dst");
  };
  const auto pte = [&](RuleId rule) {
    const uint64_t addr = number(event, "addr"), entry = number(event, "pte");
    AddressSpace& space = world_.space_of(event.task());
    recorder.step(rule, {addr, entry});
    if (addr < space.tables().limit()) world_.show_entry(space, Level::pte, addr, entry, Evidence::observed);
    // Whose entry it is the event does not say: others may have lost theirs.
    const auto& spaces = world_.machine().address_spaces();
    if (!world_.spend_entries(spaces.size())) return;
    for (const auto& other : spaces)
      if (other.get() != &space) world_.forget_ptes(*other, addr, addr + page_bytes);
  };
  switch (kind) {
    case EventKind::mv_setup_in: {
      const uint64_t start = number(event, "start"), end = number(event, "end"),
                     flags = number(event, "flags");
      recorder.enter(Function::migrate_vma_setup, {start, end, flags}, event.task());
      recorder.step(RuleId::trace_migrate_args,
                    {start, end, flags, number(event, "owner"), number(event, "fault_page")});
      return;
    }
    case EventKind::mv_setup_out:
      arrays();
      world_.leave(Function::migrate_vma_setup, event.integer("ret"), floor);
      return;
    case EventKind::mv_pages_in:
      recorder.enter(Function::migrate_vma_pages, {number(event, "start"), number(event, "end")},
                     event.task());
      return arrays();
    case EventKind::mv_pages_out:
      arrays();
      world_.leave(Function::migrate_vma_pages, std::nullopt, floor);
      return;
    case EventKind::mv_fin_in:
      recorder.enter(Function::migrate_vma_finalize, {number(event, "start"), number(event, "end")},
                     event.task());
      return arrays();
    case EventKind::mv_fin_out:
      arrays();
      world_.leave(Function::migrate_vma_finalize, std::nullopt, floor);
      return;
    case EventKind::set_migration_pte:
      return pte(RuleId::trace_migration_set);
    case EventKind::remove_migration_pte:
      return pte(RuleId::trace_migration_removed);
    case EventKind::exclusive_in:
      recorder.enter(Function::make_device_exclusive_range, {number(event, "start"), number(event, "end")},
                     event.task());
      return;
    case EventKind::exclusive_out:
      world_.leave(Function::make_device_exclusive_range, event.integer("ret"), floor);
      return;
    default:
      return;
  }
}

}  // namespace hmmscope::traces
