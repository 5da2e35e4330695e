// What the drivers of the unified patches leave mapped that the CPU has taken away: each named by its cause, whatever the
// interleaving.
#include <gmock/gmock.h>

#include <array>

#include "engine/scenario/explore.h"
#include "tests/unified/unified_support.h"

namespace hmmscope::scenario {
namespace {

using schedule::Granularity;

constexpr std::string_view later_form = "7.1-unified-later";

Scenario parsed(const std::string& text) {
  auto scenario = parse(text, "findings.json");
  EXPECT_TRUE(scenario) << scenario.error().to_string() << "\n" << text;
  return *std::move(scenario);
}

/// gpu0, a heap of 16 pages.
std::string scenario_text(std::string_view kernel, const std::string& allows, const std::string& pages, const std::string& operations) {
  return R"({"hmmscope-scenario": 1, "title": "t", "kernel": ")" + std::string(kernel) + R"(", "allows": [)" + allows + R"(],
    "devices": [{"name": "gpu0", "pages": 64}], "vmas": [{"name": "heap", "start": "0x7f0000000000", "size": "64K"}],
    "pages": [)" + pages + R"(], "operations": [)" + operations + "]}";
}

/// How the interleavings of a scenario's tasks end that keep the devices in order, and those that have the finding.
struct Ends {
  size_t sound = 0, named = 0;
};

Ends explored(const std::string& text, Granularity granularity, std::string_view name) {
  ExploreOptions options;
  options.granularity = granularity;
  options.max_runs = 20'000;
  const auto found = explore(parsed(text), options);
  EXPECT_TRUE(found) << found.error().to_string();
  EXPECT_TRUE(found->complete) << found->runs;
  Ends ends;
  for (const ExploredOutcome& outcome : found->outcomes) {
    EXPECT_THAT(outcome.failures, testing::IsEmpty()) << outcome.schedule;
    for (const std::string& finding : outcome.findings) EXPECT_TRUE(finding.starts_with(name)) << outcome.schedule << ": " << finding;
    ++(outcome.findings.empty() ? ends.sound : ends.named);
  }
  return ends;
}

constexpr std::array both{Granularity::lock, Granularity::rule};
const std::string one_present = R"({"at": "heap", "state": "present"})", own_page = R"({"at": "heap", "state": "device-private", "device": "gpu0"})";
const std::string read_first = R"({"op": "range-fault", "array": "a", "at": "heap", "pages": 1, "device": "gpu0", "default": "REQ_FAULT"}, )";
const std::string migrates = R"({"task": "gpu", "op": "fault-and-migrate", "migration": "m", "at": "heap", "pages": 1, "device": "gpu0"}, )";
const std::string mirrors = R"({"task": "gpu", "op": "fault-and-migrate", "migration": "m", "at": "heap", "pages": 1, "device": "gpu0", "mirror": true, "write": true}, )";
const std::string by_ioctl = R"({"task": "gpu", "op": "ioctl", "command": "MIGRATE_ON_FAULT_TO_DEV", "at": "heap", "pages": 1, "device": "gpu0"}, )";

std::string on_cpu(const std::string& what, const std::string& at) { return R"({"task": "cpu", "op": ")" + what + R"(", "at": ")" + at + R"(", "pages": 1})"; }

// The posted driver maps its own device page, which a CPU fault takes home under its hands: the invalidation is its own
// owner's and skipped. (With a point at every rule the walk's lockless read brings in other defects of the posted patches.)
TEST(UnifiedFindings, APageThatGoesHomeIsMirroredAllTheSame) {
  const Ends ends = explored(scenario_text(rfc, R"("moved-home-while-faulting")", own_page, mirrors + on_cpu("touch", "heap")), Granularity::lock,
                             "moved-home-while-faulting: ");
  EXPECT_GT(ends.sound, 0u);
  EXPECT_GT(ends.named, 0u);
}

// What the callback does answer cannot come between read_retry and the mirroring: both are under the driver's lock.
TEST(UnifiedFindings, NoInvalidationComesBetweenTheSequenceAndTheMirroring) {
  for (const Granularity granularity : both) {
    const Ends ends = explored(scenario_text(rfc, "", own_page, mirrors + on_cpu("madvise-dontneed", "heap")), granularity, "none");
    EXPECT_GT(ends.sound, 0u);
    EXPECT_EQ(ends.named, 0u);
  }
}

// The later driver, a page that its device mapped before, and somebody who takes away another page: the sequence has moved,
// nothing is mapped, and the page from before stays in the table. In both of its forms, and for a zero page too.
TEST(UnifiedFindings, APageStaysMappedAfterACollisionElsewhere) {
  const std::string elsewhere = R"(, {"at": "heap+4", "state": "present"})", zero_page = R"({"at": "heap", "state": "zero-page"})";
  for (const std::string& page : {one_present, zero_page}) {
    for (const std::string& driver : {migrates, by_ioctl}) {
      SCOPED_TRACE(page + driver);
      for (const Granularity granularity : both) {
        const Ends ends = explored(scenario_text(later_form, R"("kept-after-collision")", page + elsewhere, read_first + driver + on_cpu("madvise-dontneed", "heap+4")),
                                   granularity, "kept-after-collision: ");
        EXPECT_GT(ends.sound, 0u);
        EXPECT_GT(ends.named, 0u);
      }
    }
  }
}

TEST(UnifiedFindings, TheScenarioOfAKeptPageShowsIt) {
  const Outcome outcome = run_shipped("kept-after-collision");
  EXPECT_TRUE(outcome.failures.empty());
  ASSERT_EQ(outcome.findings.size(), 1u);
  EXPECT_THAT(outcome.findings.front(), testing::StartsWith("kept-after-collision: "));
}

// Not allowed, or with its siblings only, it fails the run.
TEST(UnifiedFindings, AKeptPageIsAFailureUnlessItIsAllowed) {
  const std::string interrupted = R"({"op": "fault-and-migrate", "migration": "m", "at": "heap", "pages": 1, "device": "gpu0", "interrupt": {"at": "heap+4", "pages": 1}})";
  for (const char* allows : {"", R"("moved-to-device-while-faulting", "kept-because-current-cleared")"}) {
    const auto outcome = run(parsed(scenario_text(later_form, allows, one_present, read_first + interrupted)));
    ASSERT_TRUE(outcome);
    ASSERT_EQ(outcome->failures.size(), 1u);
    EXPECT_THAT(outcome->failures.front().text, testing::StartsWith("kept-after-collision: "));
    EXPECT_EQ(count_rule(*outcome, RuleId::driver_keeps_old), 1u);
  }
}

// A collision in the range itself clears the table there, and a device that mapped nothing keeps nothing.
TEST(UnifiedFindings, WhatIsToldOrWasNeverMappedIsNotKept) {
  for (const std::string& operations : {read_first + migrates + on_cpu("madvise-dontneed", "heap"), migrates + on_cpu("madvise-dontneed", "heap")}) {
    for (const Granularity granularity : both) EXPECT_GT(explored(scenario_text(later_form, "", one_present, operations), granularity, "none").sound, 0u);
  }
}

}  // namespace
}  // namespace hmmscope::scenario
