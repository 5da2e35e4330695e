#include "traces/replay/gap_index.h"

#include <algorithm>

#include "engine/recording/gaps.h"

namespace hmmscope::traces {
namespace {

/// Marks and headers of more CPUs than this are damage.
constexpr size_t max_cpus = size_t{1} << 16;

}  // namespace

GapIndex::GapIndex(const Trace& trace, const EventKinds& kinds) {
  add_overwritten(trace);
  add_marks(trace, kinds);
  std::stable_sort(gaps_.begin(), gaps_.end(),
                   [](const TraceGap& a, const TraceGap& b) { return a.end < b.end; });
  earliest_.resize(gaps_.size());
  uint32_t least = ~uint32_t{0};
  for (size_t k = gaps_.size(); k-- > 0;) earliest_[k] = least = std::min(least, gaps_[k].begin);
}

void GapIndex::add_marks(const Trace& trace, const EventKinds& kinds) {
  if (!kinds.has(EventKind::lost_events)) return;
  std::vector<uint32_t> last(max_cpus, ~uint32_t{0});
  for (uint32_t index = 0; index < trace.size(); ++index) {
    const EventView event = trace[index];
    if (kinds.of(event) == EventKind::lost_events) {
      const uint32_t before = last[event.cpu()];
      const bool first = before == ~uint32_t{0};
      gaps_.push_back({first ? 0 : before + 1, index, event.number("count").value_or(0), event.cpu(),
                       trace.events()[first ? 0 : before].time_ns, event.time_ns()});
    } else {
      last[event.cpu()] = index;
    }
  }
}

void GapIndex::add_overwritten(const Trace& trace) {
  const TraceInfo& info = trace.info();
  if (!info.has_entry_counts || info.entries_written <= info.entries_in_buffer || trace.size() == 0) return;
  const uint64_t lost = info.entries_written - info.entries_in_buffer;
  // How they are spread over the CPUs the header does not say: the number is told once.
  const int64_t start = trace.events()[0].time_ns;
  std::vector<bool> seen(max_cpus, false);
  for (uint32_t index = 0; index < trace.size(); ++index) {
    const TraceEvent& event = trace.events()[index];
    if (seen[event.cpu]) continue;
    seen[event.cpu] = true;
    gaps_.push_back({0, index, index == 0 ? lost : 0, event.cpu, start, event.time_ns});
  }
}

std::span<const TraceGap> GapIndex::ending_at(uint32_t event) const {
  const auto begin = std::lower_bound(gaps_.begin(), gaps_.end(), event,
                                      [](const TraceGap& gap, uint32_t at) { return gap.end < at; });
  const auto end = std::upper_bound(begin, gaps_.end(), event,
                                    [](uint32_t at, const TraceGap& gap) { return at < gap.end; });
  return {begin, end};
}

const TraceGap* GapIndex::during(uint32_t from, uint32_t to) const {
  const auto first = std::upper_bound(gaps_.begin(), gaps_.end(), from,
                                      [](uint32_t at, const TraceGap& gap) { return at < gap.end; });
  auto k = static_cast<size_t>(first - gaps_.begin());
  if (k == gaps_.size() || earliest_[k] >= to) return nullptr;
  while (gaps_[k].begin >= to) ++k;
  return &gaps_[k];
}

std::string gap_text(const TraceGap& gap) {
  return hmmscope::gap_text(Gap{0, no_step, gap.end, gap.lost, gap.cpu, gap.from_ns, gap.to_ns});
}

}  // namespace hmmscope::traces
