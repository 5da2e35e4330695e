#include "engine/recording/gaps.h"

#include <fmt/format.h>

#include <algorithm>

namespace hmmscope {
namespace {

std::string seconds(int64_t ns) { return fmt::format("{}.{:09}", ns / 1'000'000'000, ns % 1'000'000'000); }

/// Fills in where each gap begins: in the order of their times one pass over the steps finds them all.
void find_beginnings(const Recording& recording, std::vector<Gap>& gaps) {
  std::vector<Gap*> by_time;
  for (Gap& gap : gaps) by_time.push_back(&gap);
  std::sort(by_time.begin(), by_time.end(), [](const Gap* a, const Gap* b) { return a->from_ns < b->from_ns; });
  StepIndex position = 0;
  const auto events = recording.events();
  for (Gap* gap : by_time) {
    while (position < gap->step) {
      const EventIndex event = recording.event_of(position);
      if (event != no_event && events[event].time_ns > gap->from_ns) break;
      ++position;
    }
    gap->begin = std::min(position, gap->step);
  }
}

}  // namespace

std::vector<Gap> gaps_of(const Recording& recording) {
  std::vector<Gap> gaps;
  for (StepIndex step = 0; step < recording.steps(); ++step) {
    if (recording.rule_of(step) != RuleId::trace_lost_events) continue;
    const auto operands = recording.operands(step);
    if (operands.size() < 4) continue;
    gaps.push_back({0, step, recording.event_of(step), operands[0], static_cast<uint16_t>(operands[1]),
                    static_cast<int64_t>(operands[2]), static_cast<int64_t>(operands[3])});
  }
  find_beginnings(recording, gaps);
  return gaps;
}

std::string gap_text(const Gap& gap) {
  return fmt::format("CPU {} lost {} between {} and {}", gap.cpu,
                     gap.lost == 0 ? "events" : fmt::format("{} events", gap.lost), seconds(gap.from_ns),
                     seconds(gap.to_ns));
}

}  // namespace hmmscope
