#include "traces/replay/replay.h"

#include <limits>

#include "traces/replay/range_call.h"
#include "traces/replay/replayer.h"

namespace hmmscope::traces {
namespace {

/// Calls of other tasks that may run in the gaps of one call; further ones wait.
constexpr uint32_t max_depth = 32;
constexpr uint32_t events_a_progress = 1u << 14;

}  // namespace

Replayer::Replayer(const Trace& trace, const ReplayOptions& options, World& world)
    : trace_(trace),
      options_(options),
      world_(world),
      kinds_(trace),
      gaps_(trace, kinds_),
      start_(trace, kinds_),
      calls_(trace, kinds_, gaps_),
      migrations_(trace, kinds_, gaps_),
      sequences_(trace, kinds_, gaps_),
      facts_(trace, kinds_, world.entries()),
      side_events_(trace, kinds_, sequences_, world) {
  world.apply(facts_);
}

bool Replayer::report() {
  if (next_ - reported_ >= events_a_progress) {
    reported_ = next_;
    options_.progress.at("replay", next_, trace_.size());
  }
  return !options_.progress.cancelled();
}

Result<void> Replayer::run() {
  world_.set_huge_pages_always(trace_.info().about("transparent_hugepage") == "always");
  start_.begin(world_);
  while (next_ < trace_.size()) {
    if (!report()) return fail("cancelled");
    dispatch(next_++);
  }
  options_.progress.at("replay", trace_.size(), trace_.size());
  return {};
}

void Replayer::pass_until(uint32_t index) {
  while (next_ < index && depth_ < max_depth) dispatch(next_++);
}

void Replayer::lose_events(const TraceGap& gap, uint32_t index) {
  world_.at(index);
  world_.recorder().step(RuleId::trace_lost_events, {gap.lost, gap.cpu, static_cast<uint64_t>(gap.from_ns),
                                                     static_cast<uint64_t>(gap.to_ns)});
  world_.lose_events();
  side_events_.lose_events();
  for (auto& [key, running] : running_) running.gap = &gap;
}

void Replayer::dispatch(uint32_t index) {
  for (; next_gap_ < gaps_.gaps().size() && gaps_.gaps()[next_gap_].end <= index; ++next_gap_)
    lose_events(gaps_.gaps()[next_gap_], index);
  if (calls_.in_call(index)) return;
  if (kinds_.of(trace_[index]) == EventKind::rf_in) {
    // The walk of a unified setup has been replayed with it.
    if (migrations_.in_call(index)) return;
    const uint32_t call = calls_.call_at(index);
    if (call != no_index) run_call(call);
    return;
  }
  side_event(index, no_call);
}

void Replayer::side_event(uint32_t index, CallId floor) {
  if (migrations_.in_call(index)) return;
  const uint32_t call = migrations_.call_at(index);
  if (call == no_index) {
    side_events_.replay(index, floor);
    if (kinds_.of(trace_[index]) == EventKind::marker) start_.mark(trace_[index].text("buf").value_or(""), world_);
    return;
  }
  const TracedMigration& traced = migrations_.calls()[call];
  const World::EngineRun run(world_, traced.task);
  MigrateCall(*this, call, running(traced.task, traced.args)).run();
  if (traced.kind == EventKind::mv_fin_in) forget_running(traced.task, traced.args);
}

void Replayer::run_call(uint32_t call) {
  ++depth_;
  const World::EngineRun run(world_, calls_.calls()[call].task);
  RangeCall(*this, call).run();
  --depth_;
}

Result<Recording> replay(const Trace& trace, const ReplayOptions& options) {
  if (trace.size() >= std::numeric_limits<uint32_t>::max())
    return fail(Error{"the trace has more events than a recording can hold", trace.info().name, 0, 0, false});
  auto world = World::create(trace, options.model);
  if (!world) return fail(std::move(world).error());
  Replayer replayer(trace, options, **world);
  if (auto done = replayer.run(); !done) return fail(std::move(done).error());
  Recorder& recorder = (*world)->recorder();
  recorder.set_meta("model", options.model.id);
  recorder.set_meta("kernel", trace.info().kernel);
  recorder.set_meta("patch", trace.info().patch);
  recorder.set_meta("config", trace.info().config);
  recorder.set_meta("arch", trace.info().arch);
  recorder.set_meta("source", trace.info().format);
  if (options.model.hmm_pfn != nullptr) recorder.set_meta("layout", options.model.hmm_pfn->id);
  return std::move(recorder).finish();
}

}  // namespace hmmscope::traces
