// Tasks at the same time: what each schedule ends in, deadlocks and livelocks by name.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <set>

#include "engine/recording/cursor.h"
#include "engine/scenario/explore.h"
#include "engine/schedule/scheduler.h"

namespace hmmscope::scenario {
namespace {

using testing::HasSubstr;

Scenario parsed(const std::string& text) {
  auto scenario = parse(text, "test.json");
  EXPECT_TRUE(scenario) << scenario.error().to_string();
  return std::move(*scenario);
}

Scenario sample(const std::string& name) {
  std::ifstream in(HMMSCOPE_SOURCE_DIR "/lessons/scenarios/" + name + ".json", std::ios::binary);
  return parsed({std::istreambuf_iterator<char>(in), {}});
}

/// One device, one VMA "buffer" of four present pages.
Scenario with_tasks(const std::string& operations, const std::string& more = "") {
  return parsed(R"({"hmmscope-scenario": 1, "title": "t", "kernel": "6.12", )" + more +
                R"("devices": [{"name": "gpu0", "pages": 64}],
                   "vmas": [{"name": "buffer", "start": "0x7f0000000000", "size": "16K"}],
                   "pages": [{"at": "buffer", "pages": 4, "state": "present"}], "operations": [)" + operations + "]}");
}

Outcome run_so(const Scenario& scenario, const std::string& schedule, std::optional<uint64_t> seed = {}) {
  RunOptions options;
  options.schedule = schedule;
  options.seed = seed;
  auto outcome = run(scenario, options);
  EXPECT_TRUE(outcome) << outcome.error().to_string();
  return std::move(*outcome);
}

std::set<std::string_view> fired(const Recording& recording) {
  std::set<std::string_view> ids;
  for (StepIndex step = 0; step < recording.steps(); ++step) ids.insert(rule(recording.rule_of(step)).id);
  return ids;
}

std::set<std::string> ends_of(const Exploration& exploration) {
  std::set<std::string> ends;
  for (const ExploredOutcome& outcome : exploration.outcomes) ends.insert(outcome.end);
  return ends;
}

TEST(Schedule, ADriverThatWaitsForItselfIsADeadlock) {
  const Outcome outcome = run_so(sample("waits-for-its-own-migration"), "");
  EXPECT_EQ(outcome.schedule_end, "deadlock");
  EXPECT_THAT(outcome.schedule_text, HasSubstr("driver waits for the end of a migration at 0x7f0000000000, which it holds itself"));
  EXPECT_TRUE(outcome.failures.empty());
  EXPECT_THAT(fired(outcome.recording), testing::Contains("schedule.deadlock"));
}

TEST(Schedule, TwoFaultersOfOneDevicePageCanGoOnForEverBefore615) {
  const auto old = explore(sample("two-faulters"), "6.12");
  ASSERT_TRUE(old);
  EXPECT_EQ(ends_of(*old), (std::set<std::string>{"finished", "livelock"}));
  const auto fixed = explore(sample("two-faulters"), "6.16");
  ASSERT_TRUE(fixed);
  EXPECT_TRUE(fixed->complete);
  EXPECT_EQ(ends_of(*fixed), std::set<std::string>{"finished"});
  for (const ExploredOutcome& outcome : fixed->outcomes) EXPECT_THAT(outcome.failures, testing::IsEmpty());
}

TEST(Schedule, AnExploredScheduleGivesTheSameRunAgain) {
  for (const char* name : {"two-faulters", "collision"}) {
    const Scenario scenario = sample(name);
    const auto explored = explore(scenario, "", 200);
    ASSERT_TRUE(explored);
    for (const ExploredOutcome& expected : explored->outcomes) {
      const Outcome outcome = run_so(scenario, expected.schedule);
      EXPECT_EQ(outcome.schedule_end, expected.end);
      EXPECT_EQ(outcome.schedule_text, expected.text);
      EXPECT_EQ(outcome.results, expected.results);
    }
  }
}

TEST(Schedule, NoInterleavingLetsTheDeviceKeepWhatWasUnmapped) {
  const auto explored = explore(sample("collision"));
  ASSERT_TRUE(explored);
  EXPECT_TRUE(explored->complete);
  EXPECT_GT(explored->runs, 20u);
  for (const ExploredOutcome& outcome : explored->outcomes) EXPECT_THAT(outcome.failures, testing::IsEmpty()) << outcome.schedule;
}

TEST(Schedule, ACollisionIsSeenUnderTheDriversLock) {
  std::set<std::string_view> seen;
  const Scenario scenario = sample("collision");
  for (int points = 1; points < 20; ++points) {
    seen.merge(fired(run_so(scenario, "gpu:" + std::to_string(points) + " cpu:99").recording));
    seen.merge(fired(run_so(scenario, "cpu:" + std::to_string(points) + " gpu:99").recording));
  }
  for (const char* id : {"scenario.collided", "scenario.commit", "scenario.repeat", "schedule.block", "schedule.wake"}) {
    EXPECT_THAT(seen, testing::Contains(id));
  }
}

TEST(Schedule, AWriterAndAMigrationWaitForEachOthersLocksInTurn) {
  const auto explored = explore(with_tasks(R"(
    {"op": "migrate-setup", "task": "gpu", "migration": "m", "at": "buffer", "pages": 3, "device": "gpu0", "expect": "0"},
    {"op": "migrate-pages", "task": "gpu", "migration": "m"},
    {"op": "migrate-finalize", "task": "gpu", "migration": "m"},
    {"op": "touch", "task": "cpu", "at": "buffer", "access": "write", "expect": "ok"},
    {"op": "munmap", "task": "cpu", "at": "buffer+3", "pages": 1})"), "", 2000);
  ASSERT_TRUE(explored) << explored.error().to_string();
  EXPECT_EQ(ends_of(*explored), std::set<std::string>{"finished"});
}

TEST(Schedule, LocksTakenInTwoOrdersAreADeadlock) {
  const Scenario scenario = with_tasks(R"(
    {"op": "lock-folio", "task": "a", "at": "buffer"}, {"op": "lock-folio", "task": "a", "at": "buffer+1"},
    {"op": "lock-folio", "task": "a", "at": "buffer+1", "release": true}, {"op": "lock-folio", "task": "a", "at": "buffer", "release": true},
    {"op": "lock-folio", "task": "b", "at": "buffer+1"}, {"op": "lock-folio", "task": "b", "at": "buffer"},
    {"op": "lock-folio", "task": "b", "at": "buffer", "release": true}, {"op": "lock-folio", "task": "b", "at": "buffer+1", "release": true})");
  const auto explored = explore(scenario);
  ASSERT_TRUE(explored);
  EXPECT_TRUE(explored->complete);
  EXPECT_EQ(ends_of(*explored), (std::set<std::string>{"finished", "deadlock"}));
}

// MADV_DONTNEED needs mmap_lock only for reading, as the migration does: it takes the migration entry away and tells the
// device before the driver maps the page. The driver of test_hmm does not look at the sequence there.
TEST(Schedule, APageThrownAwayDuringItsMigrationIsMappedByTheDriverAllTheSame) {
  const auto explored = explore(with_tasks(R"(
    {"op": "migrate-to-device", "task": "gpu", "at": "buffer", "pages": 1, "device": "gpu0"},
    {"op": "madvise-dontneed", "task": "cpu", "at": "buffer", "pages": 1})"), "", 3000);
  ASSERT_TRUE(explored) << explored.error().to_string();
  size_t sound = 0, stale = 0;
  for (const ExploredOutcome& outcome : explored->outcomes) {
    if (outcome.failures.empty()) ++sound;
    else if (outcome.failures.front().find("which the CPU has taken away") != std::string::npos) ++stale;
  }
  EXPECT_GT(sound, 0u);
  EXPECT_GT(stale, 0u);
}

TEST(Schedule, TheSameSeedIsTheSameRun) {
  const Scenario scenario = sample("collision");
  for (uint64_t seed = 0; seed < 8; ++seed) {
    Outcome a = run_so(scenario, "", seed), b = run_so(scenario, "", seed);
    EXPECT_EQ(a.schedule, b.schedule);
    Cursor one(std::make_shared<const Recording>(std::move(a.recording))), other(std::make_shared<const Recording>(std::move(b.recording)));
    one.seek(one.recording().steps());
    other.seek(other.recording().steps());
    EXPECT_EQ(one.hash(), other.hash());
  }
}

TEST(Schedule, StepsBackToWhereItBegan) {
  for (uint64_t seed = 0; seed < 8; ++seed) {
    Cursor cursor(std::make_shared<const Recording>(run_so(sample("two-faulters"), "", seed).recording));
    std::vector<uint64_t> hashes{cursor.hash()};
    while (cursor.step()) hashes.push_back(cursor.hash());
    while (cursor.back()) ASSERT_EQ(cursor.hash(), hashes[cursor.position()]);
  }
}

TEST(Schedule, MistakesAreNamed) {
  const Scenario scenario = with_tasks(R"({"op": "touch", "task": "cpu", "at": "buffer"})");
  for (const auto& [text, message] : {std::pair("gpu:1", "no task is named 'gpu'"), std::pair("cpu:x", "is not TASK:COUNT")}) {
    RunOptions options;
    options.schedule = text;
    const auto outcome = run(scenario, options);
    ASSERT_FALSE(outcome);
    EXPECT_THAT(outcome.error().message, HasSubstr(message));
  }
  EXPECT_FALSE(explore(with_tasks(R"({"op": "touch", "at": "buffer"})")));
  // A mistake inside a task ends the run as any other does.
  EXPECT_FALSE(run(with_tasks(R"({"op": "migrate-setup", "task": "a", "migration": "m", "at": "buffer", "pages": 1, "device": "gpu0"},
                                 {"op": "migrate-pages", "task": "a", "migration": "m", "slots": [{"index": 9}]})"), ""));
}

}  // namespace
}  // namespace hmmscope::scenario
