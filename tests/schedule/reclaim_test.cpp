// Reclaim as a task: against a device that faults, against a migration, against a CPU. Every interleaving ends with each
// page in one place.
#include <gmock/gmock.h>

#include <algorithm>

#include "engine/rules/rule.h"
#include "tests/schedule/explore_support.h"
#include "tests/support/end_state.h"

namespace hmmscope::scenario {
namespace {

using schedule::Granularity;
using testing::Contains;
using testing::HasSubstr;

Exploration all_interleavings(const Scenario& scenario, Granularity granularity) {
  ExploreOptions options;
  options.granularity = granularity;
  options.max_runs = 60000;
  Exploration found = explored(scenario, options);
  EXPECT_TRUE(found.complete) << found.runs << " runs";
  for (const ExploredOutcome& outcome : found.outcomes) {
    EXPECT_EQ(outcome.end, "finished") << outcome.text << " " << outcome.schedule;
    EXPECT_THAT(outcome.failures, testing::IsEmpty()) << outcome.schedule;
    RunOptions again;
    again.schedule = outcome.schedule;
    const auto rerun = run(scenario, again);
    EXPECT_TRUE(rerun);
    if (rerun) {
      EXPECT_EQ(complaint(*rerun), "") << outcome.schedule;
    }
  }
  return found;
}

/// The results of every outcome, one string each.
std::vector<std::string> results_of(const Exploration& found) {
  std::vector<std::string> all;
  for (const ExploredOutcome& outcome : found.outcomes) {
    std::string text;
    for (const std::string& result : outcome.results) text += result + ";";
    all.push_back(text);
  }
  return all;
}

const std::string one_page = R"({"at": "buffer", "state": "present"})";
const std::string reclaim = R"({"op": "page-out", "task": "reclaim", "at": "buffer", "pages": 1})";

TEST(Reclaim, AgainstADeviceThatFaults) {
  const Scenario scenario = tiny(one_page, R"({"op": "range-fault", "task": "gpu", "array": "x", "at": "buffer", "pages": 1,
                                               "device": "gpu0", "default": "REQ_FAULT", "rounds": 4, "expect": "0"},)" + reclaim);
  for (const Granularity granularity : {Granularity::lock, Granularity::rule}) {
    const Exploration found = all_interleavings(scenario, granularity);
    std::set<std::string> rules;
    for (const ExploredOutcome& outcome : found.outcomes) {
      RunOptions again;
      again.schedule = outcome.schedule;
      const auto rerun = run(scenario, again);
      ASSERT_TRUE(rerun);
      for (StepIndex step = 0; step < rerun->recording.steps(); ++step) rules.insert(std::string(rule(rerun->recording.rule_of(step)).id));
    }
    // Before, after, and in between: the device is told and calls again, or faults the page in from swap.
    EXPECT_THAT(results_of(found), Contains(HasSubstr("page-out taken 1")));
    EXPECT_THAT(rules, testing::IsSupersetOf({"pageout.isolated", "pageout.written", "scenario.commit"}));
  }
  // One schedule in which reclaim comes inside the device's call: found by trying, not by number.
  bool swapped_in = false, collided = false;
  for (int points = 1; points < 40; ++points) {
    RunOptions options;
    options.schedule = "@rule gpu:" + std::to_string(points) + " reclaim:200";
    const auto outcome = run(scenario, options);
    ASSERT_TRUE(outcome);
    EXPECT_THAT(outcome->failures, testing::IsEmpty()) << options.schedule;
    for (StepIndex step = 0; step < outcome->recording.steps(); ++step) {
      swapped_in = swapped_in || outcome->recording.rule_of(step) == RuleId::swap_in;
      collided = collided || outcome->recording.rule_of(step) == RuleId::scenario_collided;
    }
  }
  EXPECT_TRUE(swapped_in);
  EXPECT_TRUE(collided);
}

TEST(Reclaim, AgainstAMigration) {
  const Scenario scenario = tiny(one_page, R"({"op": "migrate-to-device", "task": "gpu", "at": "buffer", "pages": 1, "device": "gpu0"},)" +
                                               reclaim);
  for (const Granularity granularity : {Granularity::lock, Granularity::rule}) {
    const std::vector<std::string> results = results_of(all_interleavings(scenario, granularity));
    // Whoever has the page's lock first keeps the other from it.
    EXPECT_THAT(results, Contains(testing::AllOf(HasSubstr("migrate 0 cpages 1"), HasSubstr("page-out taken 0"))));
    EXPECT_THAT(results, Contains(testing::AllOf(HasSubstr("migrate -ENOENT cpages 0"), HasSubstr("page-out taken 1"))));
    EXPECT_THAT(results, testing::Not(Contains(testing::AllOf(HasSubstr("cpages 1"), HasSubstr("taken 1")))));
  }
  // While devices are told reclaim holds the page's lock: the collector passes the page by.
  bool passed_by = false;
  for (int points = 1; points < 40; ++points) {
    RunOptions options;
    options.schedule = "reclaim:" + std::to_string(points) + " gpu:200";
    const auto outcome = run(scenario, options);
    ASSERT_TRUE(outcome);
    for (StepIndex step = 0; step < outcome->recording.steps(); ++step)
      passed_by = passed_by || outcome->recording.rule_of(step) == RuleId::collect_pte_locked;
  }
  EXPECT_TRUE(passed_by);
}

TEST(Reclaim, KeepsWhatTheCpuWrites) {
  const Scenario scenario =
      tiny(R"({"at": "buffer", "state": "present", "dirty": false, "swapcache": "own"})",
           R"({"op": "touch", "task": "cpu", "at": "buffer", "access": "write", "data": 7},)" + reclaim +
               R"(, {"op": "touch", "at": "buffer", "access": "read", "expect": "ok", "data": 7})");
  for (const Granularity granularity : {Granularity::lock, Granularity::rule}) {
    const Exploration found = all_interleavings(scenario, granularity);
    EXPECT_GT(found.outcomes.size(), 1u);
  }
}

// Two reclaimers, in two processes that share the page: it has two mappings, so neither takes it.
TEST(Reclaim, LeavesASharedPage) {
  const Scenario scenario = tiny(one_page, R"({"op": "fork", "child": "c"},
                                              {"op": "page-out", "task": "a", "at": "buffer", "pages": 1, "taken": 0},
                                              {"op": "page-out", "task": "b", "at": "buffer", "pages": 1, "process": "c", "taken": 0})");
  all_interleavings(scenario, Granularity::lock);
}

}  // namespace
}  // namespace hmmscope::scenario
