#include "ui/panels/lane_index.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace hmmscope::ui {
namespace {

using Span = LaneIndex::Span;

/// Calls end at end_step; open ones at the end of the recording.
Span span_of(const Call& call, StepIndex steps, LaneState state) {
  return {call.first_step, call.end_step == no_step ? steps : call.end_step, state};
}

bool starts_before(const Span& a, const Span& b) { return a.begin < b.begin; }

/// Joins spans of one state that overlap or touch. Calls and steps come in their order nearly always.
std::vector<Span> join(std::vector<Span> spans) {
  if (!std::is_sorted(spans.begin(), spans.end(), starts_before))
    std::sort(spans.begin(), spans.end(), starts_before);
  size_t kept = 0;
  for (const Span& span : spans) {
    if (span.begin >= span.end) continue;
    if (kept > 0 && span.begin <= spans[kept - 1].end)
      spans[kept - 1].end = std::max(spans[kept - 1].end, span.end);
    else
      spans[kept++] = span;
  }
  spans.resize(kept);
  spans.shrink_to_fit();
  return spans;
}

/// Makes the spans disjoint: where several overlap, the most severe state wins. One sweep over their ends.
std::vector<Span> flatten(const std::vector<Span>& spans) {
  struct Edge {
    StepIndex at;
    LaneState state;
    int32_t change;
  };
  std::vector<Edge> edges;
  edges.reserve(spans.size() * 2);
  for (const Span& span : spans) {
    if (span.begin >= span.end) continue;
    edges.push_back({span.begin, span.state, 1});
    edges.push_back({span.end, span.state, -1});
  }
  std::sort(edges.begin(), edges.end(), [](const Edge& a, const Edge& b) { return a.at < b.at; });
  std::array<int32_t, 5> open{};
  std::vector<Span> result;
  for (size_t i = 0; i < edges.size();) {
    const StepIndex at = edges[i].at;
    for (; i < edges.size() && edges[i].at == at; ++i)
      open[static_cast<size_t>(edges[i].state)] += edges[i].change;
    if (i == edges.size()) break;
    size_t worst = open.size() - 1;
    while (worst > 0 && open[worst] == 0) --worst;
    if (worst == 0) continue;
    const auto state = static_cast<LaneState>(worst);
    if (!result.empty() && result.back().end == at && result.back().state == state)
      result.back().end = edges[i].at;
    else
      result.push_back({at, edges[i].at, state});
  }
  return result;
}

/// Calls of a lane in the order in which they were entered, and steps in theirs.
struct Found {
  std::vector<Span> calls, steps;

  std::vector<Span> joined() {
    std::vector<Span> all = join(std::move(calls));
    const size_t middle = all.size();
    std::vector<Span> more = join(std::move(steps));
    all.insert(all.end(), more.begin(), more.end());
    std::inplace_merge(all.begin(), all.begin() + static_cast<ptrdiff_t>(middle), all.end(), starts_before);
    return join(std::move(all));
  }
};
using FoundLanes = std::array<Found, static_cast<size_t>(Lane::count_)>;

bool is_check(RuleId id) {
  return id == RuleId::check_agreed || id == RuleId::check_diverged || id == RuleId::check_flow ||
         id == RuleId::check_unknown;
}

/// The lane of the steps in which calls were judged: that of the call, whichever function it is of, though the rules
/// are written down with hmm_range_fault. A call is judged in one run of steps, some of which have no check of their own.
class JudgedLanes {
 public:
  explicit JudgedLanes(const Recording& recording) : recording_(recording) {
    for (const CallCheck& check : recording.checks()) {
      if (check.step >= recording.steps() || check.call >= recording.calls().size()) continue;
      lanes_.emplace_back(check.step, lane_of(recording.calls()[check.call].function));
    }
    std::sort(lanes_.begin(), lanes_.end());
  }

  /// Of a step whose rule is_check(). Steps are asked for in ascending order.
  Lane at(StepIndex step) {
    if (step < end_) return lane_;
    end_ = step;
    while (end_ < recording_.steps() && is_check(recording_.rule_of(end_))) ++end_;
    const auto found = std::lower_bound(lanes_.begin(), lanes_.end(), std::pair{step, Lane{}});
    lane_ = found != lanes_.end() && found->first < end_ ? found->second : Lane::count_;
    return lane_;
  }

 private:
  const Recording& recording_;
  std::vector<std::pair<StepIndex, Lane>> lanes_;  ///< by step
  StepIndex end_ = 0;                              ///< of the run that was asked for last
  Lane lane_ = Lane::count_;
};

/// Steps outside the calls above that still belong to a lane by their rule (a trace shows some functions only
/// by one event), and the time each entry spends as a migration entry.
bool add_steps(const Recording& recording, FoundLanes& found, const Proceed& proceed) {
  std::vector<Lane> lane_of_rule(rules().size());
  for (size_t i = 0; i < lane_of_rule.size(); ++i)
    lane_of_rule[i] = lane_of(rule(static_cast<RuleId>(i)).function);
  JudgedLanes judged(recording);
  std::unordered_map<uint64_t, StepIndex> migrating;
  const StepIndex steps = recording.steps();
  for (StepIndex step = 0; step < steps; ++step) {
    if (!may_proceed(proceed, step)) return false;
    const RuleId id = recording.rule_of(step);
    const Lane lane = is_check(id) ? judged.at(step) : lane_of_rule[static_cast<size_t>(id)];
    if (lane != Lane::count_) {
      auto& spans = found[static_cast<size_t>(lane)].steps;
      if (!spans.empty() && spans.back().end == step)
        spans.back().end = step + 1;
      else
        spans.push_back({step, step + 1, LaneState::active});
    }
    if (id != RuleId::trace_migration_set && id != RuleId::trace_migration_removed) continue;
    const auto operands = recording.operands(step);
    const uint64_t address = operands.empty() ? 0 : operands[0];
    auto& spans = found[static_cast<size_t>(Lane::migration)].steps;
    if (id == RuleId::trace_migration_set) {
      migrating.emplace(address, step);
      spans.push_back({step, step + 1, LaneState::active});
    } else if (const auto begun = migrating.find(address); begun != migrating.end()) {
      spans.push_back({begun->second, step + 1, LaneState::active});
      migrating.erase(begun);
    }
  }
  return true;
}

}  // namespace

std::string_view lane_name(Lane lane) {
  constexpr std::string_view names[] = {"range fault", "cpu faults", "migration", "notifier",
                                        "engine = kernel"};
  return names[static_cast<size_t>(lane)];
}

Lane lane_of(Function function) {
  switch (function) {
    case Function::hmm_range_fault:
      return Lane::range_fault;
    case Function::handle_mm_fault:
      return Lane::cpu_fault;
    case Function::migration_entry_wait:
    case Function::migrate_to_ram:
    case Function::migrate_vma_setup:
    case Function::migrate_vma_pages:
    case Function::migrate_vma_finalize:
    case Function::migrate_vma_collect_pmd:
    case Function::migrate_vma_collect_hole:
      return Lane::migration;
    case Function::mmu_interval_read_begin:
    case Function::mmu_interval_read_retry:
    case Function::mmu_interval_notifier_insert:
    case Function::mmu_interval_notifier_remove:
    case Function::mmu_notifier_invalidate_range_start:
    case Function::mmu_notifier_invalidate_range_end:
    case Function::invalidate_callback:
      return Lane::notifier;
    default:
      return Lane::count_;
  }
}

LaneIndex::LaneIndex(const Recording& recording) { fill(recording, {}); }

std::shared_ptr<const LaneIndex> LaneIndex::build(const Recording& recording, const Proceed& proceed) {
  std::shared_ptr<LaneIndex> made(new LaneIndex);
  if (!made->fill(recording, proceed)) return nullptr;
  return made;
}

bool LaneIndex::fill(const Recording& recording, const Proceed& proceed) {
  steps_ = recording.steps();
  gaps_ = gaps_of(recording);
  std::sort(gaps_.begin(), gaps_.end(), [](const Gap& a, const Gap& b) { return a.begin < b.begin; });
  FoundLanes found;
  const auto calls = recording.calls();
  for (const Call& call : calls) {
    const Lane lane = lane_of(call.function);
    if (lane != Lane::count_)
      found[static_cast<size_t>(lane)].calls.push_back(span_of(call, steps_, LaneState::active));
  }
  if (!add_steps(recording, found, proceed)) return false;
  std::vector<Span> verdicts;
  for (const CallCheck& check : recording.checks()) {
    const LaneState state = check.verdict == Verdict::agreed ? LaneState::agreed : LaneState::unknown;
    if (check.call < calls.size()) verdicts.push_back(span_of(calls[check.call], steps_, state));
    if (check.verdict != Verdict::diverged || steps_ == 0) continue;
    // The call itself counts as compared; the step of the difference is what stands out.
    if (check.call < calls.size()) verdicts.back().state = LaneState::agreed;
    const StepIndex step = std::min(check.step, steps_ - 1);
    diverged_.push_back(step);
    verdicts.push_back({step, step + 1, LaneState::diverged});
  }
  std::sort(diverged_.begin(), diverged_.end());
  for (size_t i = 0; i < lanes_.size(); ++i) {
    if (proceed && !proceed(steps_)) return false;
    lanes_[i].spans = static_cast<Lane>(i) == Lane::verdict ? flatten(verdicts) : found[i].joined();
    build_levels(lanes_[i]);
  }
  return true;
}

LaneIndex::Summary LaneIndex::exact(const LaneData& lane, StepIndex begin, StepIndex end) const {
  Summary result;
  uint64_t covered = 0;
  auto it = std::upper_bound(lane.spans.begin(), lane.spans.end(), begin,
                             [](StepIndex step, const Span& span) { return step < span.end; });
  for (; it != lane.spans.end() && it->begin < end; ++it) {
    result.worst = std::max(result.worst, it->state);
    covered += std::min(it->end, end) - std::max(it->begin, begin);
  }
  if (covered != 0)
    result.coverage = static_cast<uint8_t>(std::max<uint64_t>(1, covered * 255 / (end - begin)));
  return result;
}

void LaneIndex::build_levels(LaneData& lane) {
  if (lane.spans.empty()) return;
  const size_t buckets = (size_t{steps_} + 63) >> base_bits;
  std::vector<Summary> level(buckets);
  std::vector<uint32_t> covered(buckets);
  for (const Span& span : lane.spans) {
    for (size_t b = span.begin >> base_bits; b <= (span.end - 1) >> base_bits; ++b) {
      const auto first = static_cast<StepIndex>(b << base_bits);
      level[b].worst = std::max(level[b].worst, span.state);
      covered[b] += std::min(span.end, first + 64) - std::max(span.begin, first);
    }
  }
  for (size_t b = 0; b < buckets; ++b) {
    if (covered[b] != 0) level[b].coverage = static_cast<uint8_t>(std::max(1u, covered[b] * 255 / 64));
  }
  lane.levels.push_back(std::move(level));
  while (lane.levels.back().size() > 1) {
    const auto& below = lane.levels.back();
    std::vector<Summary> above((below.size() + 1) / 2);
    for (size_t i = 0; i < above.size(); ++i) {
      const Summary left = below[2 * i], right = 2 * i + 1 < below.size() ? below[2 * i + 1] : Summary{};
      above[i].worst = std::max(left.worst, right.worst);
      above[i].coverage = static_cast<uint8_t>((left.coverage + right.coverage + 1) / 2);
    }
    lane.levels.push_back(std::move(above));
  }
}

LaneIndex::Summary LaneIndex::summary(Lane which, StepIndex begin, StepIndex end) const {
  const LaneData& lane = lanes_[static_cast<size_t>(which)];
  end = std::min(end, steps_);
  if (begin >= end || lane.spans.empty()) return {};
  const StepIndex width = end - begin;
  if (width < 4u << base_bits) return exact(lane, begin, end);
  // Buckets of a quarter of the range: at most six of them, overshooting by less than a quarter at each side.
  size_t level = 0;
  while (level + 1 < lane.levels.size() && (8ull << (base_bits + level)) <= width) ++level;
  const auto& buckets = lane.levels[level];
  const size_t first = begin >> (base_bits + level), last = (end - 1) >> (base_bits + level);
  Summary result;
  uint32_t coverage = 0;
  for (size_t b = first; b <= last && b < buckets.size(); ++b) {
    result.worst = std::max(result.worst, buckets[b].worst);
    coverage += buckets[b].coverage;
  }
  result.coverage = static_cast<uint8_t>(coverage / (last - first + 1));
  if (result.worst != LaneState::none && result.coverage == 0) result.coverage = 1;
  return result;
}

const LaneIndex::Span* LaneIndex::span_at(Lane which, StepIndex step) const {
  const auto& all = spans(which);
  const auto it = std::upper_bound(all.begin(), all.end(), step,
                                   [](StepIndex s, const Span& span) { return s < span.end; });
  return it != all.end() && it->begin <= step ? &*it : nullptr;
}

std::pair<size_t, size_t> LaneIndex::diverged_in(StepIndex begin, StepIndex end) const {
  const auto first = std::lower_bound(diverged_.begin(), diverged_.end(), begin);
  const auto last = std::lower_bound(first, diverged_.end(), end);
  return {static_cast<size_t>(first - diverged_.begin()), static_cast<size_t>(last - diverged_.begin())};
}

}  // namespace hmmscope::ui
