#include "traces/export/call_array.h"

#include <algorithm>

namespace hmmscope::traces {
namespace {

/// Steps before a call in which its array may be shown: a call's arguments take a few, further windows some
/// more.
constexpr StepIndex look_back = 64;
/// Replays give nearly every step an event; a recording that does not costs no more than this a step.
constexpr StepIndex event_look_back = 4096;

std::optional<CallArray> array_written(const Recording& recording, StepIndex step, uint64_t start,
                                       uint64_t pages) {
  for (uint32_t k = 0; k < recording.write_count(step); ++k) {
    const RegionId id = recording.region_of(recording.write(step, k).first);
    if (id == no_region) continue;
    const Region& region = recording.regions()[id];
    if (region.kind != RegionKind::hmm_pfns || region.address != start || region.count < pages) continue;
    return CallArray{region.first, static_cast<uint32_t>(pages), region.address};
  }
  return std::nullopt;
}

}  // namespace

std::optional<CallArray> array_of_call(const Recording& recording, CallId id) {
  const Call& call = recording.calls()[id];
  const auto arguments = recording.arguments(id);
  if (call.function != Function::hmm_range_fault || arguments.size() < 2) return std::nullopt;
  constexpr uint64_t page = 12;
  if (arguments[1] <= arguments[0] || (arguments[1] - arguments[0]) >> page > recording.word_count())
    return std::nullopt;
  const uint64_t pages = (arguments[1] - arguments[0]) >> page;
  const StepIndex end = std::min(call.end_step, recording.steps());
  const StepIndex begin = call.first_step > look_back ? call.first_step - look_back : 0;
  for (StepIndex step = call.first_step; step-- > begin;)
    if (auto found = array_written(recording, step, arguments[0], pages)) return found;
  for (StepIndex step = call.first_step; step < end; ++step)
    if (auto found = array_written(recording, step, arguments[0], pages)) return found;
  return std::nullopt;
}

std::vector<uint32_t> check_of_calls(const Recording& recording) {
  std::vector<uint32_t> of_call(recording.calls().size(), no_check);
  for (uint32_t i = 0; i < recording.checks().size(); ++i) {
    const CallId call = recording.checks()[i].call;
    if (call < of_call.size() && of_call[call] == no_check) of_call[call] = i;
  }
  return of_call;
}

std::string_view verdict_name(Verdict verdict) {
  switch (verdict) {
    case Verdict::agreed:
      return "agreed";
    case Verdict::diverged:
      return "diverged";
    case Verdict::unknown:
      return "unknown";
  }
  return "";
}

int64_t time_of_step(const Recording& recording, StepIndex step) {
  if (recording.events().empty()) return static_cast<int64_t>(step) * 1000;
  const StepIndex end = step > event_look_back ? step - event_look_back : 0;
  for (StepIndex at = step + 1; at-- > end;)
    if (const EventIndex event = recording.event_of(at); event != no_event)
      return recording.events()[event].time_ns;
  return recording.events().front().time_ns;
}

CallTime time_of_call(const Recording& recording, const Call& call) {
  if (recording.steps() == 0) return {};
  const StepIndex last = recording.steps() - 1;
  const StepIndex first = std::min(call.first_step, last);
  const StepIndex end =
      call.end_step == no_step || call.end_step == 0 ? last : std::min(call.end_step - 1, last);
  const int64_t begin = time_of_step(recording, first);
  return {begin, std::max(begin, time_of_step(recording, std::max(first, end)))};
}

}  // namespace hmmscope::traces
