// What random machines found with other seeds than the tests' own: one small scenario each.
#include <gtest/gtest.h>

#include <functional>

#include "engine/scenario/run.h"

namespace hmmscope::scenario {
namespace {

/// Runs it with each seed; everything must end well. `look` sees each run's recording.
void expect_sound(const std::string& text, uint32_t seeds, const std::function<void(const Recording&)>& look = {}) {
  const auto scenario = parse(text, "found.json");
  ASSERT_TRUE(scenario) << scenario.error().to_string();
  for (uint32_t seed = 0; seed < seeds; ++seed) {
    RunOptions options;
    if (scenario->has_tasks()) options.seed = seed;
    const auto outcome = run(*scenario, options);
    ASSERT_TRUE(outcome) << outcome.error().to_string();
    for (const Failure& failure : outcome->failures) ADD_FAILURE() << "seed " << seed << ", line " << failure.line << ": " << failure.text;
    if (look) look(outcome->recording);
  }
}

/// The split of a huge pud tells the notifiers of the whole gigabyte, not of the part that is walked.
TEST(Found, ASplitOfAGigabyteIsTold) {
  expect_sound(R"({"hmmscope-scenario": 1, "title": "t", "kernel": "6.19", "devices": [{"name": "gpu1"}],
    "vmas": [{"name": "leaf", "start": "0x7f0080000000", "size": "1G"}],
    "pages": [{"at": "leaf", "pages": 262144, "state": "pud-leaf"}],
    "operations": [{"op": "range-fault", "at": "leaf+7", "pages": 1, "array": "a1", "device": "gpu1"},
                   {"op": "migrate-to-device", "at": "leaf+4", "pages": 1, "device": "gpu1"}]})", 1);
}

/// A file that is closed while its ioctl runs is given back when that returns: its notifier goes after it.
TEST(Found, AFileIsClosedWhileItsIoctlRuns) {
  uint32_t beside = 0;
  const auto look = [&](const Recording& recording) {
    const Call *release = nullptr, *removal = nullptr;
    StepIndex closed = no_step;
    for (const Call& call : recording.calls()) {
      if (call.function == Function::mmu_interval_notifier_remove) removal = &call;
      if (call.function == Function::ioctl && recording.tasks()[call.task].name == "cpu") release = &call;
    }
    for (StepIndex step = 0; step < recording.steps(); ++step)
      if (recording.rule_of(step) == RuleId::dmirror_close) closed = step;
    ASSERT_TRUE(release != nullptr && removal != nullptr && closed != no_step);
    if (closed < release->first_step) return;   // -EBADF
    EXPECT_GE(removal->first_step, release->end_step);
    beside += closed < release->end_step ? 1 : 0;
  };
  expect_sound(R"({"hmmscope-scenario": 1, "title": "t", "kernel": "6.12", "granularity": "rule", "devices": [{"name": "gpu0", "pages": 8}],
    "vmas": [{"name": "heap", "start": "0x7f0000000000", "size": "32K"}],
    "pages": [{"at": "heap", "pages": 4, "state": "device-private", "device": "gpu0"}],
    "operations": [{"task": "cpu", "op": "ioctl", "command": "RELEASE", "device": "gpu0"},
                   {"task": "gpu", "op": "ioctl", "command": "CLOSE", "device": "gpu0"}]})", 60, look);
  EXPECT_GT(beside, 10u);
}

/// A fault that waited while its large page was split locks the small one that it is about.
TEST(Found, AFaultWaitsWhileItsPageIsSplit) {
  expect_sound(R"({"hmmscope-scenario": 1, "title": "t", "kernel": "7.3", "granularity": "rule", "devices": [{"name": "gpu0"}],
    "vmas": [{"name": "huge", "start": "0x7f0000200000", "size": "2M"}],
    "pages": [{"at": "huge", "pages": 512, "state": "device-private-thp", "device": "gpu0"}],
    "allows": ["thrown-away-while-migrating", "moved-home-while-faulting"],
    "operations": [{"task": "cpu", "op": "migrate-to-system", "at": "huge+112", "pages": 1, "device": "gpu0"},
                   {"task": "reclaim", "op": "touch", "at": "huge+496"}]})", 200);
}

/// A driver that a scenario has stopped on the way keeps mmap_lock until it finalizes: its VMA stays what the walk found.
TEST(Found, AStoppedMigrationKeepsMmapLock) {
  const std::string driver = R"({"task": "gpu", "op": "fault-and-migrate", "migration": "m", "at": "heap", "pages": 2, "device": "gpu0", )";
  const std::string set_up = R"({"task": "gpu", "op": "migrate-range-setup", "migration": "m", "array": "m"}, )";
  for (const std::string& begins :
       {driver + R"("until": "setup"}, )", driver + R"("sequence": "migrate-only", "until": "setup"}, )", driver + R"("until": "walk"}, )" + set_up,
        R"({"task": "gpu", "op": "range-fault", "array": "m", "at": "heap", "pages": 2, "device": "gpu0", "default": "REQ_FAULT|MIGRATE", "prepares": {"migration": "m"}}, )" + set_up}) {
    SCOPED_TRACE(begins);
    uint32_t before = 0, after = 0;
    const auto look = [&](const Recording& recording) {
      StepIndex walk = no_step, protects = no_step, finalize = no_step;
      for (StepIndex step = 0; step < recording.steps(); ++step) {
        const RuleId rule = recording.rule_of(step);
        if (rule == RuleId::range_walk && walk == no_step) walk = step;
        if (rule == RuleId::mprotect_vma) protects = step;
      }
      for (const Call& call : recording.calls())
        if (call.function == Function::migrate_vma_finalize) finalize = call.first_step;
      ASSERT_TRUE(walk != no_step && protects != no_step && finalize != no_step);
      EXPECT_TRUE(protects < walk || protects >= finalize) << walk << " " << protects << " " << finalize;
      ++(protects < walk ? before : after);
    };
    for (const char* kernel : {"6.12-unified-rfc", "7.1-unified-later"}) {
      expect_sound(R"({"hmmscope-scenario": 1, "title": "t", "kernel": ")" + std::string(kernel) + R"(", "granularity": "rule", "devices": [{"name": "gpu0", "pages": 8}],
        "vmas": [{"name": "heap", "start": "0x7f0000000000", "size": "32K"}], "pages": [{"at": "heap", "pages": 2, "state": "present"}],
        "operations": [)" + begins + R"({"task": "gpu", "op": "migrate-pages", "migration": "m"}, {"task": "gpu", "op": "migrate-finalize", "migration": "m"},
                       {"task": "cpu", "op": "mprotect", "at": "heap", "pages": 8, "prot": "r"}]})", 30, look);
    }
    EXPECT_GT(before, 0u);
    EXPECT_GT(after, 0u);
  }
}

}  // namespace
}  // namespace hmmscope::scenario
