#include "traces/check/gaps.h"

#include <fmt/format.h>

namespace hmmscope::traces {
namespace {

std::string seconds(int64_t ns) { return fmt::format("{}.{:09}", ns / 1'000'000'000, ns % 1'000'000'000); }

}  // namespace

std::vector<Gap> gaps_of(const Recording& recording) {
  std::vector<Gap> gaps;
  for (StepIndex step = 0; step < recording.steps(); ++step) {
    if (recording.rule_of(step) != RuleId::trace_lost_events) continue;
    const auto operands = recording.operands(step);
    if (operands.size() < 4) continue;
    gaps.push_back({step, recording.event_of(step), operands[0], static_cast<uint16_t>(operands[1]),
                    static_cast<int64_t>(operands[2]), static_cast<int64_t>(operands[3])});
  }
  return gaps;
}

std::string gap_text(const Gap& gap) {
  return fmt::format("CPU {} lost {} between {} and {}", gap.cpu,
                     gap.lost == 0 ? "events" : fmt::format("{} events", gap.lost), seconds(gap.from_ns),
                     seconds(gap.to_ns));
}

}  // namespace hmmscope::traces
