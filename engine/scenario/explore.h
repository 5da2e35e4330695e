#pragma once
/// All interleavings of a small scenario's tasks. Depth first, one run a schedule; a state that has been seen (the
/// machine, and everything each task has done) is not explored twice. What ends differ in is told with one schedule
/// for each, which `run --schedule` takes back.
///
/// The state leaves out what no word shows (the order of free lists); tasks that differ only there count as alike.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/scenario/run.h"

namespace hmmscope::scenario {

struct ExploredOutcome {
  std::string end;                     ///< "finished", "deadlock", "livelock"
  std::string text;                    ///< who waits for whom
  std::vector<std::string> results;    ///< what the tasks' operations returned, by line
  std::vector<std::string> failures;   ///< expectations that did not hold
  std::string schedule;                ///< the first schedule that ends so
  uint64_t schedules = 0;              ///< how many runs ended so
};

struct Exploration {
  uint64_t runs = 0;
  uint64_t known_states = 0;           ///< runs cut off because the state had been seen
  bool complete = false;               ///< false: max_runs was reached first
  std::vector<ExploredOutcome> outcomes;   ///< in order of discovery
};

/// Error: the scenario has no tasks, or a mistake in it.
Result<Exploration> explore(const Scenario& scenario, std::string_view kernel = {}, uint64_t max_runs = 10000);

}  // namespace hmmscope::scenario
