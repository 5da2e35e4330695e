// Failures at a chosen place, and the invariant between the CPU's page tables and the devices'.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "engine/scenario/run.h"
#include "engine/rules/rule.h"

namespace hmmscope::scenario {
namespace {

Result<Outcome> outcome_of(const std::string& inject, const std::string& operations, const std::string& more = "") {
  const auto scenario = parse(R"({"hmmscope-scenario": 1, "title": "t", "kernel": "6.12", )" + more + R"("inject": [)" + inject +
                                  R"(], "devices": [{"name": "gpu0", "pages": 64}],
                                  "vmas": [{"name": "buffer", "start": "0x7f0000000000", "size": "32K"}],
                                  "pages": [{"at": "buffer", "pages": 4, "state": "present"}], "operations": [)" + operations + "]}",
                              "test.json");
  if (!scenario) return fail(scenario.error());
  return run(*scenario);
}

std::set<std::string_view> run_with(const std::string& inject, const std::string& operations, const std::string& more = "") {
  const auto outcome = outcome_of(inject, operations, more);
  if (!outcome) {
    ADD_FAILURE() << outcome.error().to_string();
    return {};
  }
  for (const Failure& failure : outcome->failures) ADD_FAILURE() << failure.line << ": " << failure.text;
  std::set<std::string_view> ids;
  for (StepIndex step = 0; step < outcome->recording.steps(); ++step) ids.insert(rule(outcome->recording.rule_of(step)).id);
  return ids;
}

TEST(Inject, NoMemoryForAFault) {
  const auto seen = run_with(R"({"what": "allocation", "rule": "scenario.touch", "occurrence": 2})",
                             R"({"op": "touch", "at": "buffer+4", "access": "write", "expect": "ok"},
                                {"op": "touch", "at": "buffer+5", "access": "write", "expect": "OOM"},
                                {"op": "touch", "at": "buffer+5", "access": "write", "expect": "ok"})");
  EXPECT_THAT(seen, testing::IsSupersetOf({"inject.allocation", "anon.oom"}));
}

TEST(Inject, NoMemoryForADriver) {
  run_with(R"({"what": "allocation", "rule": "setup.done", "count": 1})",
           R"({"op": "migrate-to-device", "at": "buffer", "pages": 4, "device": "gpu0", "expect": "-ENOENT", "cpages": 0},
              {"op": "expect-page", "at": "buffer", "state": "present", "refcount": 1},
              {"op": "expect-page", "at": "buffer+1", "pages": 3, "state": "device-private"})");
}

TEST(Inject, ABusyFolioStaysWhereItIs) {
  const auto seen = run_with(R"({"what": "folio-lock", "rule": "setup.begin", "at": "buffer+1"})",
                             R"({"op": "migrate-to-device", "at": "buffer", "pages": 4, "device": "gpu0", "expect": "-ENOENT", "cpages": 1},
                                {"op": "expect-page", "at": "buffer+1", "state": "present", "locked": true},
                                {"op": "lock-folio", "at": "buffer+1", "release": true},
                                {"op": "migrate-to-device", "at": "buffer+1", "pages": 1, "device": "gpu0", "expect": "0", "cpages": 1})");
  EXPECT_THAT(seen, testing::Contains("inject.folio_lock"));
}

TEST(Inject, APinnedPageIsNotTaken) {
  const auto seen = run_with(R"({"what": "pin", "rule": "setup.begin", "at": "buffer+1"})",
                             R"({"op": "migrate-to-device", "at": "buffer", "pages": 4, "device": "gpu0", "expect": "-ENOENT", "cpages": 1},
                                {"op": "expect-page", "at": "buffer+1", "state": "present", "refcount": 1025},
                                {"op": "pin", "at": "buffer+1", "release": true},
                                {"op": "migrate-to-device", "at": "buffer+1", "pages": 1, "device": "gpu0", "expect": "0", "cpages": 1})");
  EXPECT_THAT(seen, testing::IsSupersetOf({"inject.pin", "collect.pte.pinned"}));
}

TEST(Inject, APinWaitsUntilThePageIsMapped) {
  // get_user_pages finds a migration entry: it gets the page when the migration has been undone.
  const auto seen = run_with(R"({"what": "pin", "rule": "driver.allocate", "at": "buffer"})",
                             R"({"op": "migrate-setup", "migration": "m", "at": "buffer", "pages": 1, "device": "gpu0", "expect": "0", "cpages": 1},
                                {"op": "migrate-pages", "migration": "m", "moved": 1},
                                {"op": "migrate-finalize", "migration": "m"},
                                {"op": "touch", "at": "buffer", "access": "read", "expect": "ok"},
                                {"op": "touch", "at": "buffer", "access": "read", "expect": "ok"},
                                {"op": "expect-page", "at": "buffer", "state": "present", "refcount": 1025})");
  EXPECT_THAT(seen, testing::Contains("inject.pin"));
}

TEST(Inject, AReferenceBetweenSetupAndPagesLosesThePageSilently) {
  const auto seen = run_with(R"({"what": "reference", "rule": "driver.allocate", "at": "buffer"})",
                             R"({"op": "migrate-setup", "migration": "m", "at": "buffer", "pages": 4, "device": "gpu0", "expect": "0", "cpages": 4},
                                {"op": "migrate-pages", "migration": "m", "moved": 3},
                                {"op": "migrate-finalize", "migration": "m"},
                                {"op": "expect-page", "at": "buffer", "state": "present", "refcount": 2})");
  EXPECT_THAT(seen, testing::IsSupersetOf({"inject.reference", "pages.refcount"}));
}

TEST(Inject, PoisonFailsTheNextAccess) {
  const auto seen = run_with(R"({"what": "poison", "rule": "scenario.touch", "at": "buffer"})",
                             R"({"op": "touch", "at": "buffer", "access": "read", "expect": "HWPOISON"},
                                {"op": "range-fault", "array": "a", "at": "buffer", "pages": 4, "device": "gpu0", "default": "REQ_FAULT", "expect": "-EFAULT"})");
  EXPECT_THAT(seen, testing::Contains("inject.poison"));
}

TEST(Inject, AnInvalidationAtAnyStepIsACollision) {
  const auto seen = run_with(R"({"what": "invalidation", "rule": "range.return", "at": "buffer", "pages": 4})",
                             R"({"op": "range-fault", "array": "a", "at": "buffer", "pages": 4, "device": "gpu0", "expect": "0"})");
  EXPECT_THAT(seen, testing::IsSupersetOf({"inject.invalidate", "scenario.collided", "scenario.commit"}));
}

TEST(Inject, ASignalEndsAccessesAndLoops) {
  run_with(R"({"what": "signal", "step": 1})",
           R"({"op": "touch", "at": "buffer+4", "access": "read", "expect": "killed"},
              {"op": "range-fault", "array": "a", "at": "buffer", "pages": 4, "device": "gpu0", "expect": "-EINTR"})");
}

TEST(Inject, APlaceThatNeverComesFails) {
  const auto never = outcome_of(R"({"what": "signal", "rule": "pages.moved"})", R"({"op": "touch", "at": "buffer"})");
  ASSERT_TRUE(never);
  ASSERT_EQ(never->failures.size(), 1u);
  EXPECT_THAT(never->failures[0].text, testing::HasSubstr("never came"));
  const auto unknown = outcome_of(R"({"what": "signal", "rule": "no.such"})", R"({"op": "touch", "at": "buffer"})");
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().message, testing::HasSubstr("no rule is called 'no.such'"));
}

TEST(DeviceInvariant, HoldsThroughOrdinaryLife) {
  run_with("", R"({"op": "range-fault", "array": "a", "at": "buffer", "pages": 8, "device": "gpu0", "default": "REQ_FAULT|REQ_WRITE", "expect": "0"},
                  {"op": "migrate-to-device", "at": "buffer", "pages": 8, "device": "gpu0", "expect": "0"},
                  {"op": "touch", "at": "buffer", "pages": 4, "access": "write", "expect": "ok"},
                  {"op": "munmap", "at": "buffer+6", "pages": 2},
                  {"op": "evict-device", "device": "gpu0"})", R"("check_devices": true, )");
}

TEST(DeviceInvariant, SeesAPageTakenBehindTheDevicesBack) {
  const auto outcome = outcome_of("", R"({"op": "range-fault", "array": "a", "at": "buffer", "pages": 4, "device": "gpu0", "expect": "0"},
                                         {"op": "set-page", "at": "buffer+2", "state": "none"},
                                         {"op": "touch", "at": "buffer"})", R"("check_devices": true, )");
  ASSERT_TRUE(outcome) << outcome.error().to_string();
  ASSERT_EQ(outcome->failures.size(), 1u);
  EXPECT_THAT(outcome->failures[0].text, testing::HasSubstr("device gpu0 maps 0x7f0000002000"));
}

}  // namespace
}  // namespace hmmscope::scenario
