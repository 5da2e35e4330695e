#pragma once
/// All interleavings of a small scenario's tasks. Depth first, one run a schedule. Two things keep the runs few: a state
/// that has been seen (the machine, and what each task has done in its operation) is not explored twice, and where the
/// next segment of one task touches nothing that the others still touch, only that task goes on (engine/schedule/
/// independence.h; off when something is injected, whose place is a count of all tasks' steps). What ends differ in is
/// told with one schedule for each, which `run --schedule` takes back. A cycle of states in which every task that can
/// run does is a livelock.
///
/// The reduction keeps every outcome: what is merged or left out differs only in the order of independent segments.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/scenario/run.h"
#include "engine/schedule/granularity.h"

namespace hmmscope::scenario {

struct ExploreOptions {
  std::string kernel;                  ///< overrides the scenario's model when not empty
  uint64_t max_runs = 1000000;         ///< when it is not enough for all, the last fifth of them go by random schedules
  std::optional<schedule::Granularity> granularity;   ///< overrides the scenario's
  /// Asked before each run with those done; false stops, and what has been found is the result.
  std::function<bool(uint64_t runs)> proceed;
  bool reduce = true;                  ///< false: every choice is tried (states seen before still end a run)
};

struct ExploredOutcome {
  std::string end;                     ///< "finished", "deadlock", "livelock"
  std::string text;                    ///< who waits for whom
  std::vector<std::string> results;    ///< what the tasks' operations returned, by line
  std::vector<std::string> failures;   ///< expectations that did not hold
  std::vector<std::string> findings;   ///< named violations that the scenario allows
  std::string schedule;                ///< the first schedule that ends so
  uint64_t schedules = 0;              ///< how many runs ended so
};

struct Exploration {
  uint64_t runs = 0;
  uint64_t random_runs = 0;            ///< of them by random schedules
  uint64_t known_states = 0;           ///< runs cut off because the state had been seen
  uint64_t states = 0;                 ///< in which somebody had to choose
  uint64_t passes = 0;                 ///< how often it began anew, knowing more of what the tasks touch
  bool complete = false;               ///< false: max_runs was reached first, or it was stopped
  bool reduced = true;                 ///< only one order of independent segments was tried
  schedule::Granularity granularity = schedule::Granularity::lock;
  std::vector<ExploredOutcome> outcomes;   ///< in order of discovery
};

/// Error: the scenario has no tasks, or a mistake in it.
Result<Exploration> explore(const Scenario& scenario, const ExploreOptions& options);
Result<Exploration> explore(const Scenario& scenario, std::string_view kernel = {}, uint64_t max_runs = ExploreOptions().max_runs);

}  // namespace hmmscope::scenario
