#include "traces/replay/replay.h"

#include <algorithm>
#include <limits>

#include "traces/replay/range_call.h"
#include "traces/replay/replayer.h"

namespace hmmscope::traces {
namespace {

constexpr uint32_t events_a_progress = 1u << 14;
/// With fewer, a thread costs more than it saves.
constexpr size_t events_for_a_thread = 1u << 11;

/// Where no more threads are to be had the index is made when it is asked for.
std::launch how_to_index(const Trace& trace) {
  return trace.size() < events_for_a_thread ? std::launch::deferred : std::launch::async | std::launch::deferred;
}

}  // namespace

Replayer::Replayer(const Trace& trace, const ReplayOptions& options, World& world)
    : trace_(trace),
      options_(options),
      world_(world),
      kinds_(trace),
      gaps_(trace, kinds_),
      coming_sequences_(std::async(how_to_index(trace), [this] { return SequenceIndex(trace_, kinds_, gaps_); })),
      start_(trace, kinds_),
      calls_(trace, kinds_, gaps_),
      migrations_(trace, kinds_, gaps_),
      facts_(trace, kinds_, world.entries()),
      sequences_(coming_sequences_.get()),
      mirrors_(world, trace.tasks().size()),
      side_events_(trace, kinds_, sequences_, world, mirrors_) {
  world.apply(facts_);
}

bool Replayer::report() {
  if (next_ - reported_ >= events_a_progress) {
    reported_ = next_;
    options_.progress.at("replay", next_, trace_.size());
  }
  return !options_.progress.cancelled();
}

/// However the replay ends, suspended calls end before it: nothing is left for them to wait for.
class Replayer::Finish {
 public:
  explicit Finish(Replayer& replayer) : replayer_(replayer) {}
  Finish(const Finish&) = delete;
  Finish& operator=(const Finish&) = delete;
  ~Finish() {
    replayer_.next_ = replayer_.size();
    replayer_.turns_.finish();
  }

 private:
  Replayer& replayer_;
};

Result<void> Replayer::run() {
  const Finish finish(*this);
  world_.set_huge_pages_always(trace_.info().about("transparent_hugepage") == "always");
  start_.begin(world_);
  turns_.wait_for(size());
  while (next_ < size()) {
    if (!report()) return fail("cancelled");
    if (!turns_.give_way(next_)) dispatch(next_++);
  }
  while (turns_.give_way(next_)) {
  }
  options_.progress.at("replay", trace_.size(), trace_.size());
  return {};
}

void Replayer::pass_until(uint32_t index) {
  if (out_of_turn_ != 0) return;
  index = std::min(index, size());
  const World::Waiting inside(world_);
  const uint32_t before = turns_.wait_for(index);
  while (next_ < index)
    if (!turns_.give_way(next_)) dispatch(next_++);
  turns_.wait_for(before);
}

std::string Replayer::why_out_of_turn() const {
  return out_of_turn_ == 0 ? std::string() : "more calls overlap here than can be followed at once";
}

void Replayer::lose_events(const TraceGap& gap, uint32_t index) {
  world_.at(index);
  world_.recorder().step(RuleId::trace_lost_events, {gap.lost, gap.cpu, static_cast<uint64_t>(gap.from_ns),
                                                     static_cast<uint64_t>(gap.to_ns)});
  world_.lose_events();
  side_events_.lose_events();
  mirrors_.lose_events();
  for (auto& [key, running] : running_) running->gap = &gap;
}

void Replayer::dispatch(uint32_t index) {
  for (; next_gap_ < gaps_.gaps().size() && gaps_.gaps()[next_gap_].end <= index; ++next_gap_)
    lose_events(gaps_.gaps()[next_gap_], index);
  if (calls_.in_call(index) || migrations_.in_call(index)) return;
  const uint32_t task = trace_.events().task(index);
  if (kinds_.at(trace_, index) == EventKind::rf_in) {
    const uint32_t call = calls_.call_at(index);
    if (call != no_index) begin_call(task, [this, call] { run_call(call); });
  } else if (const uint32_t call = migrations_.call_at(index); call != no_index) {
    begin_call(task, [this, call] { run_migration(call); });
  } else {
    side_event(index, world_.floor_of(task));
  }
}

template <class Call>
void Replayer::begin_call(uint32_t task, Call call) {
  if (!turns_.busy()) {
    turns_.begin();
    call();
    return turns_.end();
  }
  // A task is in one call at a time, unless the trace is damaged.
  if (!world_.in_engine(task) && turns_.start(call)) return;
  ++out_of_turn_;
  call();
  --out_of_turn_;
}

void Replayer::side_event(uint32_t index, CallId floor) {
  if (migrations_.in_call(index)) return;
  if (const uint32_t call = migrations_.call_at(index); call != no_index) return run_migration(call);
  side_events_.replay(index, floor);
  if (kinds_.at(trace_, index) == EventKind::marker)
    start_.mark(trace_[index].text("buf").value_or(""), world_);
}

void Replayer::run_migration(uint32_t call) {
  const TracedMigration& traced = migrations_.calls()[call];
  const World::EngineRun run(world_, traced.task);
  const auto running = this->running(traced.task, traced.args);
  MigrateCall(*this, call, *running).run();
  const auto kept = running_.find({traced.task, traced.args});
  if (traced.kind == EventKind::mv_fin_in && kept != running_.end() && kept->second == running)
    running_.erase(kept);
}

std::shared_ptr<RunningMigration> Replayer::running(uint32_t task, uint64_t args) {
  auto& kept = running_[{task, args}];
  if (kept == nullptr) kept = std::make_shared<RunningMigration>();
  return kept.use_count() == 1 ? kept : std::make_shared<RunningMigration>();
}

void Replayer::run_call(uint32_t call) {
  const World::EngineRun run(world_, calls_.calls()[call].task);
  RangeCall(*this, call).run();
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
