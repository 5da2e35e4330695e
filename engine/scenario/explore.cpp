#include "engine/scenario/explore.h"

#include <algorithm>
#include <unordered_set>

#include "engine/schedule/scheduler.h"

namespace hmmscope::scenario {
namespace {

/// One place of the path where somebody had to choose.
struct Fork {
  std::vector<uint32_t> options;   ///< the ones not tried yet, after the one taken
  uint32_t taken = 0;
};

/// Repeats the path, then goes on with the first option and notes the others.
class Path final : public schedule::Policy {
 public:
  bool wants_state() const override { return at_ >= path_.size(); }

  uint32_t choose(const schedule::Choice& choice) override {
    if (at_ < path_.size()) return path_[at_++].taken;
    if (!seen_.insert(choice.state).second) {
      cut_ = true;
      return stop;
    }
    Fork fork;
    fork.options.assign(choice.runnable.begin(), choice.runnable.end());
    // Going on with the current task first keeps the first schedules easy to read.
    const auto current = std::find(fork.options.begin(), fork.options.end(), choice.current);
    if (current != fork.options.end()) std::rotate(fork.options.begin(), current, current + 1);
    fork.taken = fork.options.front();
    fork.options.erase(fork.options.begin());
    path_.push_back(std::move(fork));
    ++at_;
    return path_.back().taken;
  }

  /// The next path; false when all have been walked.
  bool advance() {
    while (!path_.empty() && path_.back().options.empty()) path_.pop_back();
    at_ = 0;
    cut_ = false;
    if (path_.empty()) return false;
    Fork& last = path_.back();
    last.taken = last.options.front();
    last.options.erase(last.options.begin());
    return true;
  }
  bool cut() const { return cut_; }

 private:
  std::vector<Fork> path_;
  std::unordered_set<uint64_t> seen_;
  size_t at_ = 0;
  bool cut_ = false;
};

void note(Exploration& exploration, const Outcome& outcome) {
  ExploredOutcome found;
  found.end = outcome.schedule_end;
  found.text = outcome.schedule_text;
  found.results = outcome.results;
  for (const Failure& failure : outcome.failures) found.failures.push_back(std::to_string(failure.line) + ": " + failure.text);
  std::sort(found.failures.begin(), found.failures.end());
  found.schedule = outcome.schedule;
  const auto same = std::find_if(exploration.outcomes.begin(), exploration.outcomes.end(), [&](const ExploredOutcome& known) {
    return known.end == found.end && known.text == found.text && known.results == found.results && known.failures == found.failures;
  });
  if (same != exploration.outcomes.end()) {
    ++same->schedules;
    return;
  }
  found.schedules = 1;
  exploration.outcomes.push_back(std::move(found));
}

}  // namespace

Result<Exploration> explore(const Scenario& scenario, std::string_view kernel, uint64_t max_runs) {
  if (!scenario.has_tasks()) return fail(Error{"no operation names a \"task\": there is nothing to interleave", scenario.file, 0, 0, false});
  Exploration exploration;
  Path path;
  do {
    if (exploration.runs == max_runs) return exploration;
    RunOptions options;
    options.kernel = kernel;
    options.policy = &path;
    const auto outcome = run(scenario, options);
    if (!outcome) return fail(outcome.error());
    ++exploration.runs;
    if (path.cut()) ++exploration.known_states;
    else note(exploration, *outcome);
  } while (path.advance());
  exploration.complete = true;
  return exploration;
}

}  // namespace hmmscope::scenario
