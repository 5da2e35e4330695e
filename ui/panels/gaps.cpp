#include "ui/panels/gaps.h"

#include <fmt/format.h>

#include <algorithm>

#include "ui/words.h"

namespace hmmscope::ui {
namespace {

/// Event numbers as positions: that before the first step whose event comes after `event`.
class Positions {
 public:
  explicit Positions(const Recording& recording) : recording_(recording) {}
  /// Asked with ascending numbers.
  StepIndex after(EventIndex event) {
    while (step_ < recording_.steps()) {
      const EventIndex now = recording_.event_of(step_);
      if (now != no_event && now > event) break;
      ++step_;
    }
    return step_;
  }

 private:
  const Recording& recording_;
  StepIndex step_ = 0;
};

}  // namespace

std::vector<Gap> find_gaps(const Recording& recording) {
  std::vector<Gap> gaps;
  const auto kinds = recording.event_kinds();
  const auto lost = std::find(kinds.begin(), kinds.end(), "lost_events");
  if (lost == kinds.end()) return gaps;
  const auto kind = static_cast<uint16_t>(lost - kinds.begin());
  std::vector<EventIndex> last;  // of each CPU
  std::vector<EventIndex> known;
  const auto events = recording.events();
  for (EventIndex event = 0; event < events.size(); ++event) {
    const uint16_t cpu = events[event].cpu;
    if (cpu >= last.size()) last.resize(size_t{cpu} + 1, no_event);
    if (events[event].kind == kind) {
      gaps.push_back({0, 0, event});
      known.push_back(last[cpu]);
    }
    last[cpu] = event;
  }
  Positions ends(recording);
  for (Gap& gap : gaps) gap.end = ends.after(gap.event);
  std::vector<size_t> order(gaps.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  // A CPU without an event before its mark may have lost events since the start.
  const auto number = [&](size_t i) { return known[i] == no_event ? int64_t{-1} : int64_t{known[i]}; };
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return number(a) < number(b); });
  Positions begins(recording);
  for (const size_t i : order) gaps[i].begin = known[i] == no_event ? 0 : begins.after(known[i]);
  std::sort(gaps.begin(), gaps.end(), [](const Gap& a, const Gap& b) { return a.begin < b.begin; });
  return gaps;
}

std::string gap_text(const Recording& recording, const Gap& gap) {
  const Event& mark = recording.events()[gap.event];
  return fmt::format("CPU {}, before line {} of the trace ({:.6f} s)", mark.cpu, grouped(mark.line),
                     static_cast<double>(mark.time_ns) / 1e9);
}

}  // namespace hmmscope::ui
