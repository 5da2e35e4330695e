// What a run may not leave behind, and calls of two tasks that have arrays of their own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/schedule/explore_support.h"

namespace hmmscope::scenario {
namespace {

constexpr const char* two_present = R"({"at": "buffer", "pages": 2, "state": "present"})";

std::vector<std::string> failure_list(const Outcome& outcome) {
  std::vector<std::string> texts;
  for (const Failure& failure : outcome.failures) texts.push_back(failure.text);
  return texts;
}

/// Finalize looks at src: a word that loses MIGRATE and its pfn meanwhile leaves its page where it is.
TEST(EndCheck, AnEntryAndALockThatStayAreToldAndCanBeAllowed) {
  Scenario scenario = tiny(two_present, R"({"op": "migrate-setup", "migration": "m", "at": "buffer", "pages": 1, "device": "gpu0"},
     {"op": "migrate-pages", "migration": "m", "slots": []}, {"op": "migrate-finalize", "migration": "m"})");
  EXPECT_THAT(failure_list(run(scenario, "").value()), testing::IsEmpty());
  scenario = parsed_or_fail(R"({"hmmscope-scenario": 1, "title": "t", "kernel": "6.12-unified-rfc", "devices": [{"name": "gpu0", "pages": 64}],
     "vmas": [{"name": "file", "start": "0x7f0000000000", "size": "64K", "prot": "rw", "kind": "file-private", "file_pages": 1}],
     "operations": [{"op": "touch", "at": "file", "access": "write"},
       {"op": "fault-and-migrate", "migration": "m", "at": "file", "pages": 2, "device": "gpu0", "sequence": "migrate-only",
        "select": ["system", "fault"], "expect": "-EFAULT"}]})");
  EXPECT_THAT(failure_list(run(scenario, "").value()),
              testing::ElementsAre(testing::StartsWith("left-behind: a migration entry at 0x7f0000000000"),
                                   testing::AllOf(testing::StartsWith("left-behind: folio"), testing::EndsWith("still locked by a migration"))));
  scenario.allows = {"left-behind"};
  const Outcome allowed = run(scenario, "").value();
  EXPECT_THAT(failure_list(allowed), testing::IsEmpty());
  EXPECT_EQ(allowed.findings.size(), 2u);
}

TEST(EndCheck, WhatTheScenarioSetsUpItselfMayStay) {
  const Scenario set_up = tiny(two_present, R"({"op": "migrate-setup", "migration": "m", "at": "buffer", "pages": 1, "device": "gpu0"})");
  EXPECT_THAT(failure_list(run(set_up, "").value()), testing::IsEmpty());
  const Scenario declared = tiny(R"({"at": "buffer", "state": "migration-write"})", R"({"op": "touch", "at": "buffer+1"})");
  EXPECT_THAT(failure_list(run(declared, "").value()), testing::IsEmpty());
}

/// Each call of a kernel has src and dst arrays of its own, also when two tasks migrate the same page at once.
TEST(EndCheck, TwoTasksThatMigrateOnePageHaveArraysOfTheirOwn) {
  for (const char* operation : {R"("op": "migrate-to-device", "at": "buffer", "pages": 1, "device": "gpu0")",
                                R"("op": "ioctl", "command": "MIGRATE_TO_DEV", "at": "buffer", "pages": 1, "device": "gpu0")",
                                R"("op": "ioctl", "command": "READ", "at": "buffer", "pages": 1, "device": "gpu0")"}) {
    SCOPED_TRACE(operation);
    const std::string first = std::string(R"({"task": "a", )") + operation + "}", second = std::string(R"({"task": "b", )") + operation + "}";
    ExploreOptions options;
    options.max_runs = 3000;
    const auto found = explore(tiny(two_present, first + "," + second, "6.12"), options);
    ASSERT_TRUE(found) << found.error().to_string();
    EXPECT_FALSE(found->outcomes.empty());
    for (const ExploredOutcome& outcome : found->outcomes) {
      EXPECT_EQ(outcome.end, "finished") << as_text(outcome);
      EXPECT_TRUE(outcome.failures.empty()) << as_text(outcome);
    }
  }
}

TEST(EndCheck, ADriverWhoseSetupIsRefusedLeavesTheRestOut) {
  const auto found = explore(tiny(two_present, R"({"op": "migrate-setup", "task": "gpu", "migration": "m", "at": "buffer", "pages": 1, "device": "gpu0"},
     {"op": "migrate-pages", "task": "gpu", "migration": "m"}, {"op": "migrate-finalize", "task": "gpu", "migration": "m"},
     {"op": "munmap", "task": "vm", "at": "buffer", "pages": 1})"), ExploreOptions{});
  ASSERT_TRUE(found) << found.error().to_string();
  std::set<std::string> setups;
  for (const ExploredOutcome& outcome : found->outcomes) setups.insert(outcome.results.front());
  EXPECT_THAT(setups, testing::IsSupersetOf({testing::HasSubstr("migrate-setup 0"), testing::HasSubstr("migrate-setup -EINVAL")}));
}

TEST(EndCheck, AnOperationOfAChildThatIsNotForkedYetIsLeftOut) {
  const auto found = explore(tiny(two_present, R"({"op": "fork", "task": "a", "child": "child"},
     {"op": "touch", "task": "b", "at": "buffer", "process": "child"})"), ExploreOptions{});
  ASSERT_TRUE(found) << found.error().to_string();
  std::set<std::string> results;
  for (const ExploredOutcome& outcome : found->outcomes) results.insert(outcome.results.begin(), outcome.results.end());
  EXPECT_THAT(results, testing::IsSupersetOf({testing::HasSubstr("left out"), testing::HasSubstr("touch 0x7f0000000000 ok")}));
}

TEST(EndCheck, WhatARangeFaultReturnsTellsOutcomesApart) {
  const auto found = explore(tiny(two_present, R"({"op": "range-fault", "task": "gpu", "array": "a", "at": "buffer", "pages": 1, "device": "gpu0", "default": "REQ_FAULT"},
     {"op": "munmap", "task": "vm", "at": "buffer", "pages": 1})"), ExploreOptions{});
  ASSERT_TRUE(found) << found.error().to_string();
  std::set<std::string> results;
  for (const ExploredOutcome& outcome : found->outcomes) results.insert(outcome.results.front());
  EXPECT_THAT(results, testing::IsSupersetOf({testing::HasSubstr("range-fault 0"), testing::HasSubstr("range-fault -EFAULT")}));
}

/// Two tasks, two pages, two orders.
TEST(EndCheck, ADeadlockOverHeldLocksNamesBothHolders) {
  const auto found = explore(tiny(two_present, R"({"op": "lock-folio", "task": "a", "at": "buffer"}, {"op": "lock-folio", "task": "a", "at": "buffer+1"},
     {"op": "lock-folio", "task": "a", "at": "buffer+1", "release": true}, {"op": "lock-folio", "task": "a", "at": "buffer", "release": true},
     {"op": "lock-folio", "task": "b", "at": "buffer+1"}, {"op": "lock-folio", "task": "b", "at": "buffer"},
     {"op": "lock-folio", "task": "b", "at": "buffer", "release": true}, {"op": "lock-folio", "task": "b", "at": "buffer+1", "release": true})"), ExploreOptions{});
  ASSERT_TRUE(found) << found.error().to_string();
  std::vector<std::string> deadlocks;
  for (const ExploredOutcome& outcome : found->outcomes) {
    if (outcome.end == "deadlock") deadlocks.push_back(outcome.text);
  }
  EXPECT_THAT(deadlocks, testing::Contains(testing::AllOf(testing::HasSubstr("held by b"), testing::HasSubstr("held by a"))));
}

/// A circle is endless only while nobody else comes in: the poison is still to be injected when the call has gone round often.
TEST(EndCheck, AnInjectedFailureEndsACircle) {
  const auto read_only = [](const std::string& inject, const std::string& expect) {
    return parsed_or_fail(R"({"hmmscope-scenario": 1, "title": "t", "kernel": "5.3", "devices": [{"name": "gpu0"}],
       "vmas": [{"name": "heap", "start": "0x7f0000000000", "size": "8K", "prot": "r"}],
       "pages": [{"at": "heap", "state": "present", "writable": false}], "inject": [)" + inject + R"(],
       "operations": [{"op": "range-fault", "array": "a", "at": "heap", "pages": 1, "device": "gpu0", "default": "REQ_FAULT|REQ_WRITE",
                       "mask": "0", "rounds": 1, "expect": ")" + expect + "\"}]}");
  };
  const Outcome endless = run(read_only("", "deadlock"), "").value();
  EXPECT_THAT(failure_list(endless), testing::IsEmpty());
  EXPECT_LT(endless.recording.steps(), 1000u);
  const Outcome ended = run(read_only(R"({"what": "poison", "step": 2000, "at": "heap"})", "-EFAULT"), "").value();
  EXPECT_THAT(failure_list(ended), testing::IsEmpty());
  EXPECT_GT(ended.recording.steps(), 2000u);
}

/// Why interval notifiers came: until 5.4 a device maps what was taken away between its walk and its commit.
TEST(EndCheck, AnInvalidationThatIsNotNoticedHasItsName) {
  for (const auto& [kernel, named] : {std::pair("4.17", true), std::pair("5.2", true), std::pair("5.4", true), std::pair("5.6", false), std::pair("6.12", false)}) {
    Scenario scenario = tiny(two_present, R"({"op": "range-fault", "task": "gpu", "array": "a", "at": "buffer", "pages": 2, "device": "gpu0", "default": "REQ_FAULT"},
       {"op": "madvise-dontneed", "task": "cpu", "at": "buffer", "pages": 2})", kernel);
    ExploreOptions by_rule;
    by_rule.granularity = schedule::Granularity::rule;
    scenario.allows = {"invalidation-not-noticed"};
    const auto found = explore(scenario, by_rule);
    ASSERT_TRUE(found) << found.error().to_string();
    bool lost = false;
    for (const ExploredOutcome& outcome : found->outcomes) {
      EXPECT_TRUE(outcome.failures.empty()) << kernel << "\n" << as_text(outcome);
      lost = lost || !outcome.findings.empty();
    }
    EXPECT_EQ(lost, named) << kernel;
  }
}

/// What comes late in depth-first order is found by the random schedules at the end.
TEST(EndCheck, AnExplorationThatCannotBeFinishedSamplesTheRest) {
  ExploreOptions options;
  options.max_runs = 50;
  options.reduce = false;
  options.granularity = schedule::Granularity::rule;
  const auto found = explore(tiny(two_present, R"({"op": "touch", "task": "a", "at": "buffer", "access": "write"},
     {"op": "migrate-to-device", "task": "b", "at": "buffer", "pages": 2, "device": "gpu0"})"), options);
  ASSERT_TRUE(found) << found.error().to_string();
  EXPECT_FALSE(found->complete);
  EXPECT_EQ(found->runs, 50u);
  EXPECT_EQ(found->random_runs, 10u);
  options.proceed = [](uint64_t runs) { return runs < 7; };
  EXPECT_EQ(explore(tiny(two_present, R"({"op": "touch", "task": "a", "at": "buffer"}, {"op": "touch", "task": "b", "at": "buffer"})"), options)->runs, 7u);
}

}  // namespace
}  // namespace hmmscope::scenario
