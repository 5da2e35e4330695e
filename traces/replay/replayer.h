#pragma once
/// Runs through the events of a trace once, in order: calls of hmm_range_fault are re-run by the engine,
/// everything else becomes steps at once.
///
/// While a call runs, each of its events first lets the events of other tasks before it pass, so that steps
/// stand in the order of the trace. A call of another task that begins meanwhile runs to its end first; only
/// then do the steps of two overlapping calls stand in the order of the calls instead.

#include <cstdint>
#include <map>
#include <utility>

#include "traces/replay/call_index.h"
#include "traces/replay/gap_index.h"
#include "traces/replay/migrate_call.h"
#include "traces/replay/migrate_index.h"
#include "traces/replay/replay.h"
#include "traces/replay/sequence_index.h"
#include "traces/replay/side_events.h"
#include "traces/replay/start_state.h"
#include "traces/replay/trace_facts.h"
#include "traces/replay/world.h"

namespace hmmscope::traces {

class Replayer {
 public:
  Replayer(const Trace& trace, const ReplayOptions& options, World& world);

  /// Error "cancelled" when the progress says so.
  Result<void> run();

  // for the calls
  const Trace& trace() const { return trace_; }
  const EventKinds& kinds() const { return kinds_; }
  const CallIndex& calls() const { return calls_; }
  const MigrateIndex& migrations() const { return migrations_; }
  const SequenceIndex& sequences() const { return sequences_; }
  const TraceFacts& facts() const { return facts_; }
  World& world() { return world_; }
  SideEvents& side_events() { return side_events_; }
  /// Replays what other tasks did before event `index`.
  void pass_until(uint32_t index);
  void run_call(uint32_t call);
  /// The migration that a task has under way with this struct migrate_vma; made when first asked for.
  RunningMigration& running(uint32_t task, uint64_t args) { return running_[{task, args}]; }
  void forget_running(uint32_t task, uint64_t args) { running_.erase({task, args}); }
  /// Replays an event that is neither of a range fault's walk nor its begin: a whole migrate_vma call when
  /// one begins here, nothing when the event has been replayed with such a call.
  void side_event(uint32_t index, CallId floor);

 private:
  void dispatch(uint32_t index);
  void lose_events(const TraceGap& gap, uint32_t index);
  bool report();

  const Trace& trace_;
  const ReplayOptions& options_;
  World& world_;
  EventKinds kinds_;
  GapIndex gaps_;
  size_t next_gap_ = 0;  ///< of gaps_: the first that has not been passed
  StartState start_;
  CallIndex calls_;
  MigrateIndex migrations_;
  /// Migrations under way, by task and struct migrate_vma.
  std::map<std::pair<uint32_t, uint64_t>, RunningMigration> running_;
  SequenceIndex sequences_;
  TraceFacts facts_;
  SideEvents side_events_;
  uint32_t next_ = 0;   ///< first event that has not been passed
  uint32_t depth_ = 0;  ///< calls running inside each other's gaps
  uint32_t reported_ = 0;
};

}  // namespace hmmscope::traces
