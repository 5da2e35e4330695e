#include "engine/scenario/explore.h"

#include <algorithm>
#include <unordered_set>

#include "engine/schedule/independence.h"
#include "engine/schedule/scheduler.h"

namespace hmmscope::scenario {
namespace {

using schedule::Independence;

/// Only this task was let go on, because nothing the others have ahead conflicts with it.
struct Alone {
  uint32_t task = 0;
  std::vector<uint64_t> positions;
};

/// One place of the path where somebody had to choose.
struct Fork {
  uint64_t state = 0;
  uint64_t point = 0;
  uint32_t taken = 0;
  std::vector<uint32_t> options;     ///< the ones not tried yet, after the one taken
  std::vector<uint32_t> left_out;    ///< could have gone on too; empty unless alone
  std::optional<Alone> alone;

  void expand() {
    options.insert(options.end(), left_out.begin(), left_out.end());
    left_out.clear();
    alone.reset();
  }
};

/// Repeats the path, then goes on with the first option and notes the others.
class Path final : public schedule::Policy {
 public:
  explicit Path(bool reduce) : reduce_(reduce) {}

  bool wants_segments() const override { return reduce_; }
  bool wants_segment(uint64_t point) const override { return reduce_ && point + 1 >= repeated_; }
  void ran(const schedule::Segment& segment) override { independence_.learn(segment); }
  std::optional<uint64_t> state_at(uint64_t point) const override {
    return point < repeated_ ? std::optional(states_[point]) : std::nullopt;
  }
  void reached(uint64_t point, uint64_t state) override {
    states_.resize(point);
    states_.push_back(state);
  }

  uint32_t choose(const schedule::Choice& choice) override {
    if (at_ < path_.size()) return path_[at_++].taken;
    if (!seen_.insert(choice.state).second) {
      cut_ = true;
      close_cycle(choice.state);
      return stop;
    }
    path_.push_back(fork_at(choice));
    ++at_;
    return path_.back().taken;
  }

  /// The next path; false when all have been walked.
  bool advance() {
    at_ = 0;
    cut_ = false;
    repeated_ = 0;
    while (!path_.empty()) {
      Fork& last = path_.back();
      if (last.alone && !independence_.goes_alone(last.alone->task, last.alone->positions)) last.expand();
      if (!last.options.empty()) {
        last.taken = last.options.front();
        last.options.erase(last.options.begin());
        repeated_ = last.point + 1;
        return true;
      }
      if (last.alone) alone_.push_back(std::move(*last.alone));
      path_.pop_back();
    }
    return false;
  }

  /// After the last path: true when some choice was made with too little knowledge and all must be walked again.
  bool begin_again() {
    const bool wrong = std::any_of(alone_.begin(), alone_.end(), [this](const Alone& alone) {
      return !independence_.goes_alone(alone.task, alone.positions);
    });
    alone_.clear();
    if (wrong) seen_.clear();
    return wrong;
  }

  bool cut() const { return cut_; }
  uint64_t states() const { return seen_.size(); }

 private:
  Fork fork_at(const schedule::Choice& choice) const {
    Fork fork;
    fork.state = choice.state;
    fork.point = choice.point;
    fork.options.assign(choice.runnable.begin(), choice.runnable.end());
    // Going on with the current task first keeps the first schedules easy to read.
    const auto current = std::find(fork.options.begin(), fork.options.end(), choice.current);
    if (current != fork.options.end()) std::rotate(fork.options.begin(), current, current + 1);
    if (reduce_) {
      const auto first = std::find_if(fork.options.begin(), fork.options.end(), [&](uint32_t task) {
        return independence_.goes_alone(task, choice.positions);
      });
      if (first != fork.options.end()) {
        fork.alone = Alone{*first, {choice.positions.begin(), choice.positions.end()}};
        std::rotate(fork.options.begin(), first, first + 1);
        fork.left_out.assign(fork.options.begin() + 1, fork.options.end());
        fork.options.resize(1);
      }
    }
    fork.taken = fork.options.front();
    fork.options.erase(fork.options.begin());
    return fork;
  }

  /// A task that goes round in circles alone must not keep the others waiting for ever.
  void close_cycle(uint64_t state) {
    const auto begin = std::find_if(path_.begin(), path_.end(), [state](const Fork& fork) { return fork.state == state; });
    for (auto fork = begin; fork != path_.end(); ++fork) fork->expand();
  }

  bool reduce_;
  Independence independence_;
  std::vector<Fork> path_;
  std::vector<Alone> alone_;               ///< of forks that are done with
  std::unordered_set<uint64_t> seen_;
  std::vector<uint64_t> states_;           ///< of this run, by point
  uint64_t repeated_ = 0;                  ///< so many points are as in the run before
  size_t at_ = 0;
  bool cut_ = false;
};

void note(Exploration& exploration, const Outcome& outcome) {
  ExploredOutcome found;
  found.end = outcome.schedule_end;
  found.text = outcome.schedule_text;
  found.results = outcome.results;
  found.findings = outcome.findings;
  for (const Failure& failure : outcome.failures) found.failures.push_back(std::to_string(failure.line) + ": " + failure.text);
  std::sort(found.failures.begin(), found.failures.end());
  found.schedule = outcome.schedule;
  const auto same = std::find_if(exploration.outcomes.begin(), exploration.outcomes.end(), [&](const ExploredOutcome& known) {
    return known.end == found.end && known.text == found.text && known.results == found.results &&
           known.failures == found.failures && known.findings == found.findings;
  });
  if (same != exploration.outcomes.end()) {
    ++same->schedules;
    return;
  }
  found.schedules = 1;
  exploration.outcomes.push_back(std::move(found));
}

/// There are too many interleavings to walk through: those that were reached differ late, these differ early.
Result<Exploration> sample(const Scenario& scenario, const ExploreOptions& how, Exploration exploration) {
  RunOptions options;
  options.kernel = how.kernel;
  options.granularity = exploration.granularity;
  while (exploration.runs < how.max_runs && (!how.proceed || how.proceed(exploration.runs))) {
    options.seed = ++exploration.random_runs;
    const auto outcome = run(scenario, options);
    if (!outcome) return fail(outcome.error());
    ++exploration.runs;
    note(exploration, *outcome);
  }
  return exploration;
}

}  // namespace

Result<Exploration> explore(const Scenario& scenario, const ExploreOptions& how) {
  if (!scenario.has_tasks()) return fail(Error{"no operation names a \"task\": there is nothing to interleave", scenario.file, 0, 0, false});
  Exploration exploration;
  exploration.granularity = how.granularity.value_or(scenario.granularity);
  Path path(how.reduce && scenario.inject.empty());
  RunOptions options;
  options.kernel = how.kernel;
  options.policy = &path;
  options.granularity = exploration.granularity;
  exploration.reduced = how.reduce && scenario.inject.empty();
  const uint64_t in_order = how.max_runs - how.max_runs / 5;
  do {
    ++exploration.passes;
    do {
      if (exploration.runs == in_order) return sample(scenario, how, std::move(exploration));
      if (how.proceed && !how.proceed(exploration.runs)) return exploration;
      const auto outcome = run(scenario, options);
      if (!outcome) return fail(outcome.error());
      ++exploration.runs;
      if (path.cut()) ++exploration.known_states;
      else note(exploration, *outcome);
      exploration.states = path.states();
    } while (path.advance());
  } while (path.begin_again());
  exploration.complete = true;
  return exploration;
}

Result<Exploration> explore(const Scenario& scenario, std::string_view kernel, uint64_t max_runs) {
  ExploreOptions options;
  options.kernel = kernel;
  options.max_runs = max_runs;
  return explore(scenario, options);
}

}  // namespace hmmscope::scenario
