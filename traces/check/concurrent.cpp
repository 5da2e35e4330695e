#include "traces/check/concurrent.h"

#include <algorithm>

#include "engine/machine/entry_format.h"
#include "traces/export/call_array.h"

namespace hmmscope::traces {
namespace {

bool is_inside(const Recording& recording, StepIndex step, CallId call) {
  for (CallId at = recording.call_of(step); at != no_call; at = recording.calls()[at].parent)
    if (at == call) return true;
  return false;
}

/// An entry of the page tables that a step shows, and what it maps.
struct ShownEntry {
  uint64_t start = 0, end = 0;
};
std::optional<ShownEntry> entry_shown(const Recording& recording, StepIndex step) {
  const auto operands = recording.operands(step);
  const auto of_size = [&](uint64_t size) { return ShownEntry{operands[0] & ~(size - 1), (operands[0] & ~(size - 1)) + size}; };
  // Above a table the entry says nothing of the page.
  const auto large = [&](uint64_t size) -> std::optional<ShownEntry> {
    if (operands.size() < 2 || (x86::pte_present(operands[1]) && !x86::pmd_leaf(operands[1]))) return std::nullopt;
    return of_size(size);
  };
  switch (recording.rule_of(step)) {
    case RuleId::trace_pte_shown:
      return operands.empty() ? std::nullopt : std::optional(of_size(page_bytes));
    case RuleId::trace_ptes_shown:
      if (operands.size() < 2) return std::nullopt;
      return ShownEntry{operands[0], operands[0] + operands[1] * page_bytes};
    case RuleId::trace_pmd_shown:
      return large(level_size(Level::pmd));
    case RuleId::trace_pud_shown:
      return large(level_size(Level::pud));
    case RuleId::trace_hugetlb_shown:
      if (operands.size() < 3 || operands[2] == 0) return std::nullopt;
      return of_size(operands[2]);
    default:
      return std::nullopt;
  }
}

/// Whose address space the call is about.
std::optional<uint32_t> space_of_call(const Recording& recording, const CallCheck& check) {
  WordIndex word = check.word;
  if (word == no_word && check.call != no_call)
    if (const auto array = array_of_call(recording, check.call)) word = array->first;
  if (word != no_word) {
    const RegionId region = recording.region_of(word);
    return region == no_region ? std::nullopt : std::optional(recording.regions()[region].owner);
  }
  if (check.call == no_call) return std::nullopt;
  const Call& call = recording.calls()[check.call];
  for (StepIndex step = call.first_step; step < std::min(call.end_step, recording.steps()); ++step) {
    if (recording.write_count(step) == 0 || recording.call_of(step) != check.call) continue;
    const RegionId region = recording.region_of(recording.write(step, 0).first);
    if (region == no_region) continue;
    const RegionKind kind = recording.regions()[region].kind;
    if (kind <= RegionKind::pte || kind == RegionKind::migrate_src || kind == RegionKind::migrate_dst)
      return recording.regions()[region].owner;
  }
  return std::nullopt;
}

/// The invalidations of a trace, for one read.
class InvalidationFinder {
 public:
  InvalidationFinder(const Recording& recording, const CallCheck& check, const ReadOfCheck& read)
      : recording_(recording), call_(recording.calls()[check.call]), read_(read) {}

  Invalidations find() {
    const auto calls = recording_.calls();
    for (CallId id = 0; id < calls.size() && calls[id].first_step < read_.until; ++id) {
      const Call& call = calls[id];
      if (call.function != Function::mmu_notifier_invalidate_range_start || call.first_step >= recording_.steps() ||
          recording_.rule_of(call.first_step) != RuleId::trace_invalidate_start)
        continue;
      const auto operands = recording_.operands(call.first_step);
      const auto whose = operands.size() > 4 ? std::optional(operands[4]) : std::nullopt;
      own_known_ = own_known_ || (whose && whose == read_.space);
      if (call.task != call_.task && call.end_step > read_.from) add(call.first_step, operands[0], operands[1], whose);
    }
    find_callbacks();
    // An address space that no task has shown is another one than that of the call, once that one has been shown.
    if (own_known_) of_unknown_ = {};
    Invalidations all = of_known_;
    all.count += of_unknown_.count;
    if (all.first > of_unknown_.first) {
      of_unknown_.count = all.count;
      return of_unknown_;
    }
    return all;
  }

 private:
  /// Callbacks of invalidations whose beginning no probe shows. Nobody knows when those end.
  void find_callbacks() {
    for (StepIndex step = call_.first_step; step < read_.until; ++step) {
      if (recording_.rule_of(step) != RuleId::trace_callback) continue;
      const CallId in = recording_.call_of(step);
      if (in != no_call && recording_.calls()[in].function == Function::mmu_notifier_invalidate_range_start) continue;
      const EventIndex event = recording_.event_of(step);
      if (event != no_event && recording_.events()[event].task == call_.task) continue;
      std::optional<uint64_t> whose;
      if (recording_.write_count(step) != 0)
        if (const RegionId region = recording_.region_of(recording_.write(step, 0).first); region != no_region)
          whose = recording_.regions()[region].owner;
      const auto operands = recording_.operands(step);
      add(step, operands[1], operands[2], whose);
    }
  }

  void add(StepIndex step, uint64_t start, uint64_t end, std::optional<uint64_t> whose) {
    if (end <= read_.start || start >= read_.end) return;
    if (whose && read_.space && *whose != *read_.space) return;
    Invalidations& found = whose ? of_known_ : of_unknown_;
    if (found.count++ == 0) found = {1, step, start, end, whose.has_value()};
  }

  const Recording& recording_;
  const Call& call_;
  const ReadOfCheck& read_;
  bool own_known_ = false;
  Invalidations of_known_, of_unknown_;
};

}  // namespace

ReadOfCheck read_of_check(const Recording& recording, const CallCheck& check) {
  ReadOfCheck read;
  if (check.call == no_call) return read;
  const Call& call = recording.calls()[check.call];
  const auto arguments = recording.arguments(check.call);
  read.from = call.first_step;
  read.until = std::min(call.end_step, recording.steps());
  read.space = space_of_call(recording, check);
  if (arguments.size() >= 2) {
    read.start = arguments[0];
    read.end = arguments[1];
  }
  const RegionId region = check.word == no_word ? no_region : recording.region_of(check.word);
  if (region == no_region || recording.regions()[region].stride == 0) return read;
  const Region& where = recording.regions()[region];
  read.is_page = true;
  read.start = where.address + (check.word - where.first) * where.stride;
  read.end = read.start + where.stride;
  const uint64_t address = read.start;
  for (StepIndex step = read.until; step-- > call.first_step;) {
    const auto shown = entry_shown(recording, step);
    if (!shown || address < shown->start || address >= shown->end || !is_inside(recording, step, check.call)) continue;
    read.shown = read.from = step;
    // An entry that maps more than the page is invalidated as a whole.
    if (recording.rule_of(step) != RuleId::trace_ptes_shown) {
      read.start = shown->start;
      read.end = shown->end;
    }
    break;
  }
  return read;
}

Invalidations invalidations_during(const Recording& recording, const CallCheck& check, const ReadOfCheck& read) {
  return check.call == no_call ? Invalidations{} : InvalidationFinder(recording, check, read).find();
}

}  // namespace hmmscope::traces
