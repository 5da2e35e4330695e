// The explorer: it ends, what it leaves out changes no outcome, every outcome comes back by its schedule.
#include <gmock/gmock.h>

#include <algorithm>

#include "engine/schedule/scheduler.h"
#include "tests/schedule/explore_support.h"

namespace hmmscope::scenario {
namespace {

using schedule::Granularity;
using testing::HasSubstr;

ExploreOptions options_for(Granularity granularity, bool reduce, const std::string& kernel = "") {
  ExploreOptions options;
  options.kernel = kernel;
  options.granularity = granularity;
  options.reduce = reduce;
  options.max_runs = 60000;
  return options;
}

/// Every schedule there is: nothing merged, nothing left out.
class EverySchedule final : public schedule::Policy {
 public:
  uint32_t choose(const schedule::Choice& choice) override {
    if (at_ == path_.size()) path_.push_back({0, {choice.runnable.begin(), choice.runnable.end()}});
    const auto& [index, runnable] = path_[at_++];
    return runnable[index];
  }
  bool advance() {
    at_ = 0;
    while (!path_.empty() && path_.back().first + 1 == path_.back().second.size()) path_.pop_back();
    if (path_.empty()) return false;
    ++path_.back().first;
    return true;
  }

 private:
  std::vector<std::pair<size_t, std::vector<uint32_t>>> path_;
  size_t at_ = 0;
};

std::set<std::string> outcomes_of_every_schedule(const Scenario& scenario, Granularity granularity) {
  EverySchedule policy;
  std::set<std::string> all;
  RunOptions options;
  options.policy = &policy;
  options.granularity = granularity;
  do {
    const auto outcome = run(scenario, options);
    EXPECT_TRUE(outcome);
    if (!outcome) return all;
    ExploredOutcome found{outcome->schedule_end, outcome->schedule_text, outcome->results, {}, outcome->findings, "", 1};
    for (const Failure& failure : outcome->failures) found.failures.push_back(std::to_string(failure.line) + ": " + failure.text);
    std::sort(found.failures.begin(), found.failures.end());
    all.insert(as_text(found));
  } while (policy.advance());
  return all;
}

const std::string present = R"({"at": "buffer", "pages": 2, "state": "present"})";
const std::string on_device = R"({"at": "buffer", "pages": 2, "state": "device-private", "device": "gpu0"})";

std::vector<Scenario> tiny_scenarios() {
  const auto touch = [](const char* task, const char* at, const char* access) {
    return std::string(R"({"op": "touch", "task": ")") + task + R"(", "at": ")" + at + R"(", "access": ")" + access + "\"}";
  };
  return {
      tiny("", touch("a", "buffer", "write") + "," + touch("b", "buffer", "read")),
      tiny("", touch("a", "buffer", "write") + "," + touch("b", "buffer+1", "write")),
      tiny(present, touch("a", "buffer", "write") + R"(, {"op": "madvise-dontneed", "task": "b", "at": "buffer", "pages": 1})"),
      tiny(present, R"({"op": "range-fault", "task": "a", "array": "x", "at": "buffer", "pages": 1, "device": "gpu0", "rounds": 3},
                       {"op": "madvise-dontneed", "task": "b", "at": "buffer", "pages": 1})"),
      tiny(present, R"({"op": "lock-folio", "task": "a", "at": "buffer"}, {"op": "lock-folio", "task": "a", "at": "buffer+1"},
                       {"op": "lock-folio", "task": "a", "at": "buffer+1", "release": true}, {"op": "lock-folio", "task": "a", "at": "buffer", "release": true},
                       {"op": "lock-folio", "task": "b", "at": "buffer+1"}, {"op": "lock-folio", "task": "b", "at": "buffer"},
                       {"op": "lock-folio", "task": "b", "at": "buffer", "release": true}, {"op": "lock-folio", "task": "b", "at": "buffer+1", "release": true})"),
      tiny(present, touch("a", "buffer", "write") + R"(, {"op": "migrate-setup", "task": "b", "migration": "m", "at": "buffer", "pages": 1, "device": "gpu0"},
                       {"op": "migrate-finalize", "task": "b", "migration": "m"})"),
      tiny(on_device, touch("a", "buffer", "read") + "," + touch("b", "buffer+1", "read")),
  };
}

TEST(Explore, LeavesOutNothingAgainstEverySchedule) {
  const std::vector<Scenario> scenarios = {
      tiny(present, R"({"op": "touch", "task": "a", "at": "buffer"}, {"op": "madvise-dontneed", "task": "b", "at": "buffer", "pages": 1})"),
      tiny("", R"({"op": "touch", "task": "a", "at": "buffer"}, {"op": "touch", "task": "b", "at": "buffer", "pages": 1})"),
      tiny_scenarios()[4],
  };
  for (const Scenario& scenario : scenarios) {
    const auto every = outcomes_of_every_schedule(scenario, Granularity::lock);
    for (const bool reduce : {false, true}) {
      const Exploration found = explored(scenario, options_for(Granularity::lock, reduce));
      EXPECT_TRUE(found.complete);
      EXPECT_EQ(outcomes_of(found), every) << "reduce " << reduce;
    }
  }
}

TEST(Explore, TheReductionKeepsEveryOutcome) {
  size_t index = 0;
  uint64_t reduced_runs = 0, full_runs = 0;
  for (const Scenario& scenario : tiny_scenarios()) {
    // Without the reduction the grid of all rules of two tasks is too large for the longer ones.
    const bool small = index == 0 || index == 2 || index == 4;
    for (const Granularity granularity : {Granularity::lock, Granularity::rule}) {
      if (granularity == Granularity::rule && !small) continue;
      const Exploration full = explored(scenario, options_for(granularity, false));
      const Exploration reduced = explored(scenario, options_for(granularity, true));
      ASSERT_TRUE(full.complete) << "scenario " << index << ": " << full.runs << " runs";
      ASSERT_TRUE(reduced.complete) << "scenario " << index;
      EXPECT_EQ(outcomes_of(reduced), outcomes_of(full)) << "scenario " << index << " granularity " << static_cast<int>(granularity);
      reduced_runs += reduced.runs;
      full_runs += full.runs;
    }
    ++index;
  }
  RecordProperty("reduced_runs", static_cast<int>(reduced_runs));
  RecordProperty("full_runs", static_cast<int>(full_runs));
  EXPECT_LT(reduced_runs, full_runs);
}

TEST(Explore, IndependentTasksNeedFewRuns) {
  const Scenario apart = parsed_or_fail(R"({"hmmscope-scenario": 1, "title": "t", "kernel": "6.12",
    "vmas": [{"name": "one", "start": "0x7f0000000000", "size": "4K"}, {"name": "other", "start": "0x7f8000000000", "size": "4K"}],
    "pages": [{"at": "one", "state": "present"}, {"at": "other", "state": "present"}],
    "operations": [{"op": "touch", "task": "a", "at": "one", "access": "write"}, {"op": "touch", "task": "b", "at": "other", "access": "write"}]})");
  const Exploration found = explored(apart, options_for(Granularity::rule, true));
  EXPECT_TRUE(found.complete);
  EXPECT_EQ(found.outcomes.size(), 1u);
  EXPECT_LE(found.runs, 2u);
}

TEST(Explore, TwoFaultersAreExhausted) {
  for (const Granularity granularity : {Granularity::lock}) {
    const Exploration old = explored(lesson_scenario("two-faulters"), options_for(granularity, true, "6.12"));
    ASSERT_TRUE(old.complete) << old.runs << " runs";
    std::set<std::string> ends;
    for (const ExploredOutcome& outcome : old.outcomes) {
      ends.insert(outcome.end);
      const bool named = outcome.text.find("undo each other's work for ever") != std::string::npos;
      EXPECT_EQ(named, outcome.end == "livelock") << outcome.text;
    }
    EXPECT_EQ(ends, (std::set<std::string>{"finished", "livelock"}));
    const Exploration fixed = explored(lesson_scenario("two-faulters"), options_for(granularity, true, "6.16"));
    ASSERT_TRUE(fixed.complete) << fixed.runs << " runs";
    for (const ExploredOutcome& outcome : fixed.outcomes) {
      EXPECT_EQ(outcome.end, "finished");
      EXPECT_THAT(outcome.failures, testing::IsEmpty());
    }
  }
}

TEST(Explore, EveryOutcomeComesBackByItsSchedule) {
  for (const char* name : {"two-faulters", "collision", "anon-teardown", "thrown-away-while-migrating"}) {
    const Scenario scenario = lesson_scenario(name);
    for (const Granularity granularity : {Granularity::lock, Granularity::rule}) {
      ExploreOptions options = options_for(granularity, true);
      options.max_runs = 120;
      for (const ExploredOutcome& expected : explored(scenario, options).outcomes) {
        RunOptions again;
        again.schedule = expected.schedule;
        const auto outcome = run(scenario, again);
        ASSERT_TRUE(outcome) << outcome.error().to_string();
        EXPECT_EQ(outcome->schedule_end, expected.end) << name << " " << expected.schedule;
        EXPECT_EQ(outcome->schedule_text, expected.text) << name << " " << expected.schedule;
        EXPECT_EQ(outcome->results, expected.results) << name << " " << expected.schedule;
        EXPECT_EQ(outcome->findings, expected.findings) << name << " " << expected.schedule;
        EXPECT_EQ(outcome->failures.size(), expected.failures.size()) << name << " " << expected.schedule;
      }
    }
  }
}

// anon_teardown of the kernel's selftests: a READ that does not fail took one fault and read what was written.
TEST(Explore, ATornDownBufferIsReadRightOrNotAtAll) {
  for (const Granularity granularity : {Granularity::lock, Granularity::rule}) {
    for (const char* kernel : {"5.15", "6.12", "7.3"}) {
      const Exploration found = explored(lesson_scenario("anon-teardown"), options_for(granularity, true, kernel));
      EXPECT_TRUE(found.complete) << kernel << ": " << found.runs << " runs";
      size_t right = 0, failed = 0;
      for (const ExploredOutcome& outcome : found.outcomes) {
        EXPECT_EQ(outcome.end, "finished") << outcome.schedule;
        EXPECT_THAT(outcome.failures, testing::IsEmpty()) << outcome.schedule;
        ASSERT_EQ(outcome.results.size(), 1u);
        const bool zero = outcome.results[0].find("READ 0 cpages 4 faults 1") != std::string::npos;
        ++(zero ? right : failed);
        EXPECT_TRUE(zero || outcome.results[0].find("READ -E") != std::string::npos) << outcome.results[0];
      }
      EXPECT_EQ(right, 1u) << kernel;
      EXPECT_GT(failed, 0u) << kernel;
    }
  }
}

// What the RFC does wrong with the page-table lock (it looks at the pte without it and prepares under it) shows only when
// others can come in between two rules: the slot keeps the page it saw, the migration entry is made of another.
TEST(Explore, AStaleSlotOfTheRfcIsReachedByRulesOnly) {
  const Scenario scenario = tiny(R"({"at": "buffer", "state": "present", "pfn": "0x345678"})",
    R"({"op": "fault-and-migrate", "task": "gpu", "migration": "m", "at": "buffer", "pages": 1, "device": "gpu0", "until": "walk", "retry": false},
       {"op": "madvise-dontneed", "task": "cpu", "at": "buffer", "pages": 1},
       {"op": "touch", "task": "cpu", "at": "buffer", "access": "write"},
       {"op": "expect-page", "at": "buffer", "state": "migration"},
       {"op": "expect", "array": "m", "pfn": "0x345678"})", "6.12-unified-rfc");
  const auto is_stale = [](const auto& outcome) { return outcome.failures.empty(); };
  const Exploration by_lock = explored(scenario, options_for(Granularity::lock, true));
  EXPECT_TRUE(by_lock.complete) << by_lock.runs << " runs";
  EXPECT_FALSE(by_lock.outcomes.empty());
  EXPECT_TRUE(std::none_of(by_lock.outcomes.begin(), by_lock.outcomes.end(), is_stale));
  // gpu up to one of its rules, then all of cpu, then the rest of gpu.
  int stale = 0;
  for (int rules = 1; rules < 80; ++rules) {
    RunOptions options;
    options.schedule = "@rule gpu:" + std::to_string(rules) + " cpu:400";
    const auto outcome = run(scenario, options);
    ASSERT_TRUE(outcome) << outcome.error().to_string();
    if (outcome->schedule_end == "finished" && is_stale(*outcome)) ++stale;
  }
  EXPECT_GT(stale, 0);
}

// The finding has a cause, and nothing else passes under its name.
TEST(Explore, APageThrownAwayWhileItMigratesIsTheOnlyOneADeviceKeeps) {
  Scenario scenario = lesson_scenario("thrown-away-while-migrating");
  std::set<std::string> names;
  for (const Granularity granularity : {Granularity::lock, Granularity::rule}) {
    const Exploration found = explored(scenario, options_for(granularity, true));
    EXPECT_TRUE(found.complete) << found.runs << " runs";
    size_t sound = 0, named = 0;
    for (const ExploredOutcome& outcome : found.outcomes) {
      for (const std::string& failure : outcome.failures) EXPECT_THAT(failure, testing::Not(HasSubstr("which the CPU has taken away")));
      for (const std::string& finding : outcome.findings) EXPECT_TRUE(finding.starts_with("thrown-away-while-migrating: ")) << finding;
      ++(outcome.findings.empty() ? sound : named);
    }
    EXPECT_GT(sound, 0u);
    EXPECT_GT(named, 0u);
  }
  // Not allowed, it fails the run.
  scenario.allows.clear();
  const auto outcome = run(scenario);
  ASSERT_TRUE(outcome);
  ASSERT_FALSE(outcome->failures.empty());
  EXPECT_THAT(outcome->failures.front().text, HasSubstr("thrown-away-while-migrating"));
}

TEST(Explore, APageThrownAwayWhileItIsMadeExclusiveHasANameOfItsOwn) {
  Scenario scenario = lesson_scenario("thrown-away-while-made-exclusive");
  for (const char* kernel : {"5.15", "6.12", "6.16"}) {
    for (const Granularity granularity : {Granularity::lock, Granularity::rule}) {
      const Exploration found = explored(scenario, options_for(granularity, true, kernel));
      EXPECT_TRUE(found.complete) << kernel << ": " << found.runs << " runs";
      size_t sound = 0, named = 0;
      for (const ExploredOutcome& outcome : found.outcomes) {
        for (const std::string& failure : outcome.failures) EXPECT_THAT(failure, testing::Not(HasSubstr("which the CPU"))) << outcome.schedule;
        for (const std::string& finding : outcome.findings) EXPECT_TRUE(finding.starts_with("thrown-away-while-made-exclusive: ")) << finding;
        ++(outcome.findings.empty() ? sound : named);
      }
      EXPECT_GT(sound, 0u) << kernel;
      EXPECT_GT(named, 0u) << kernel;
    }
  }
  // Not allowed, or only its sibling, it fails the run.
  for (const std::vector<std::string>& allows : {std::vector<std::string>{}, {"thrown-away-while-migrating", "moved-home-while-faulting"}}) {
    scenario.allows = allows;
    const auto outcome = run(scenario);
    ASSERT_TRUE(outcome);
    ASSERT_FALSE(outcome->failures.empty());
    EXPECT_THAT(outcome->failures.front().text, HasSubstr("thrown-away-while-made-exclusive"));
  }
}

// test_hmm's own ioctl does the same: the tag ATOMIC stands on a page that is gone.
TEST(Explore, TheExclusiveIoctlMapsAPageThatWasThrownAwayToo) {
  Scenario scenario = tiny(R"({"at": "buffer", "state": "present"})",
    R"({"op": "ioctl", "task": "gpu", "device": "gpu0", "command": "EXCLUSIVE", "at": "buffer", "pages": 1},
       {"op": "madvise-dontneed", "task": "cpu", "at": "buffer", "pages": 1})");
  scenario.allows = {"thrown-away-while-made-exclusive"};
  size_t named = 0;
  for (const ExploredOutcome& outcome : explored(scenario, options_for(Granularity::lock, true)).outcomes) {
    EXPECT_THAT(outcome.failures, testing::IsEmpty()) << outcome.schedule;
    named += outcome.findings.size();
  }
  EXPECT_GT(named, 0u);
}

}  // namespace
}  // namespace hmmscope::scenario
