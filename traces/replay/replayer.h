#pragma once
/// Runs through the events of a trace once, in order: calls of hmm_range_fault are re-run by the engine,
/// everything else becomes steps at once.
///
/// While a call runs, each of its events first lets the events of other tasks before it pass. A call of another
/// task that begins meanwhile runs beside it (call_turns.h), so that all steps stand in the order of the trace.

#include <cstdint>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "traces/replay/call_index.h"
#include "traces/replay/call_turns.h"
#include "traces/replay/gap_index.h"
#include "traces/replay/migrate_call.h"
#include "traces/replay/migrate_index.h"
#include "traces/replay/mirrors.h"
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
  Mirrors& mirrors() { return mirrors_; }
  /// Replays what other tasks did before event `index`. Other calls may run meanwhile: which task the world is in
  /// is not what it was.
  void pass_until(uint32_t index);
  /// Why the call that runs now cannot wait for its events; empty when it can.
  std::string why_out_of_turn() const;
  void run_call(uint32_t call);
  /// The migration that a task has under way with this struct migrate_vma; made when first asked for. One that
  /// another call holds (a damaged trace shows a call with the same struct inside it) stays that call's alone.
  std::shared_ptr<RunningMigration> running(uint32_t task, uint64_t args);
  /// Replays an event that is neither of a range fault's walk nor its begin: a whole migrate_vma call when
  /// one begins here, nothing when the event has been replayed with such a call.
  void side_event(uint32_t index, CallId floor);

 private:
  class Finish;

  void dispatch(uint32_t index);
  template <class Call>
  void begin_call(uint32_t task, Call call);
  void run_migration(uint32_t call);
  void lose_events(const TraceGap& gap, uint32_t index);
  bool report();
  uint32_t size() const { return static_cast<uint32_t>(trace_.size()); }

  const Trace& trace_;
  const ReplayOptions& options_;
  World& world_;
  EventKinds kinds_;
  GapIndex gaps_;
  size_t next_gap_ = 0;  ///< of gaps_: the first that has not been passed
  std::future<SequenceIndex> coming_sequences_;   ///< made while the others are
  StartState start_;
  CallIndex calls_;
  MigrateIndex migrations_;
  /// Migrations under way, by task and struct migrate_vma.
  std::map<std::pair<uint32_t, uint64_t>, std::shared_ptr<RunningMigration>> running_;
  TraceFacts facts_;
  SequenceIndex sequences_;
  Mirrors mirrors_;
  SideEvents side_events_;
  uint32_t next_ = 0;         ///< first event that has not been passed
  uint32_t out_of_turn_ = 0;  ///< calls that run inside another one's waiting, without waiting themselves
  uint32_t reported_ = 0;
  CallTurns turns_;
};

}  // namespace hmmscope::traces
