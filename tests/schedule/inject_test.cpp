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

/// A page-table lock is held where pages are collected: the invalidation waits, and the run says where it happened.
TEST(Inject, WhatHappensLaterThanAskedForIsSaid) {
  const std::string migrate = R"({"op": "migrate-to-device", "at": "buffer", "pages": 4, "device": "gpu0"})";
  const auto late = outcome_of(R"({"what": "invalidation", "at": "buffer", "rule": "collect.pte.lock", "occurrence": 2})", migrate);
  ASSERT_TRUE(late.has_value());
  EXPECT_TRUE(late->failures.empty());
  ASSERT_EQ(late->postponed.size(), 1u);
  const Failure& said = late->postponed.front();
  ASSERT_LT(said.step, late->recording.steps());
  EXPECT_EQ(late->recording.rule_of(said.step), RuleId::inject_invalidate);
  uint32_t seen = 0;
  StepIndex place = 0;
  while (late->recording.rule_of(place) != RuleId::collect_pte_lock || ++seen != 2) ++place;
  EXPECT_EQ(said.text, "this injection happened " + std::to_string(said.step - place) + " steps after its place, step " +
                           std::to_string(place + 1) + ": there a spinlock was held");

  const auto at_once = outcome_of(R"({"what": "invalidation", "at": "buffer", "rule": "setup.begin"},
                                     {"what": "signal", "rule": "setup.begin"})", migrate);
  ASSERT_TRUE(at_once.has_value());
  EXPECT_TRUE(at_once->postponed.empty());
}

TEST(Inject, AFlipIsTheStepThatItNames) {
  const std::string walk = R"({"op": "range-fault", "array": "pfns", "at": "buffer", "pages": 4, "expect": "0"})";
  const auto plain = outcome_of("", walk);
  ASSERT_TRUE(plain.has_value());
  const Recording& before = plain->recording;
  StepIndex filled = 0;   // the first slot is written
  WordIndex slot = no_word;
  for (StepIndex step = 0; step < before.steps() && slot == no_word; ++step) {
    for (uint32_t i = 0; i < before.write_count(step); ++i) {
      const WordIndex word = before.write(step, i).first;
      if (before.write(step, i).new_at(0) == 0 || before.regions()[before.region_of(word)].kind != RegionKind::hmm_pfns) continue;
      filled = step;
      slot = word;
    }
  }
  ASSERT_NE(slot, no_word);
  const std::string step = std::to_string(filled + 2);
  const auto flipped = outcome_of(R"({"what": "flip", "step": )" + step + R"(, "array": "pfns", "index": 0, "bits": "0x8"})", walk);
  ASSERT_TRUE(flipped.has_value()) << flipped.error().to_string();
  EXPECT_TRUE(flipped->failures.empty());
  const Recording& after = flipped->recording;
  ASSERT_EQ(after.steps(), before.steps() + 1);
  EXPECT_EQ(after.rule_of(filled + 1), RuleId::scenario_array);
  ASSERT_EQ(after.write_count(filled + 1), 1u);
  const WriteView write = after.write(filled + 1, 0);
  EXPECT_EQ(write.first, slot);
  EXPECT_EQ(write.new_at(0), write.old_at(0) ^ 8);
}

TEST(Inject, AFlippedEntryIsWhatTheWalkReads) {
  // Without its present bit the entry is no mapped page any more: the slot is not valid.
  const std::string walk = R"({"op": "range-fault", "array": "pfns", "at": "buffer", "pages": 1, "expect": "0"},
                              {"op": "expect", "array": "pfns", "lacks": "VALID"})";
  const auto outcome = outcome_of(R"({"what": "flip", "step": 1, "at": "buffer", "bits": 1})", walk);
  ASSERT_TRUE(outcome.has_value()) << outcome.error().to_string();
  for (const Failure& failure : outcome->failures) ADD_FAILURE() << failure.text;
}

TEST(Inject, AFlipOfAWordThatNeverIsThereIsAFailure) {
  const auto outcome = outcome_of(R"({"what": "flip", "step": 1, "array": "other", "bits": 1})",
                                  R"({"op": "touch", "at": "buffer", "expect": "ok"})");
  ASSERT_TRUE(outcome.has_value());
  ASSERT_EQ(outcome->failures.size(), 1u);
  EXPECT_THAT(outcome->failures.front().text, testing::HasSubstr("the word does not exist"));
  EXPECT_FALSE(outcome_of(R"({"what": "flip", "step": 1, "bits": 1})", "").has_value());          // which word?
  EXPECT_FALSE(outcome_of(R"({"what": "flip", "rule": "pte.none", "array": "a", "bits": 1})", "").has_value());
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

std::vector<std::string> failures_of(const std::string& operations, const std::string& more = "") {
  std::vector<std::string> texts;
  const auto outcome = outcome_of("", operations, more);
  if (!outcome) return {outcome.error().to_string()};
  for (const Failure& failure : outcome->failures) texts.push_back(failure.text);
  return texts;
}

const std::string mapped_for_writing =
    R"({"op": "range-fault", "array": "a", "at": "buffer", "pages": 1, "device": "gpu0", "default": "REQ_FAULT|REQ_WRITE", "expect": "0"}, )";
const std::string touch_elsewhere = R"(, {"op": "touch", "at": "buffer+4", "access": "write", "expect": "ok"})";

TEST(DeviceInvariant, SeesADeviceThatMayWriteWhereTheCpuMayNot) {
  const std::string more = R"("zero_pfn": "0x5000", )";
  const auto pages = [](const std::string& state) {
    return R"({"op": "set-page", "at": "buffer", "shared": true, )" + state + "}";
  };
  const std::string present = R"("state": "present", "pfn": "0x345678", )", exclusive = R"("state": "device-exclusive", "pfn": "0x345678", )";
  const std::string own_pfn = pages(present + R"("writable": true)") + ", ";
  for (const std::string& read_only : {pages(present + R"("writable": false)"), pages(exclusive + R"("writable": false)")}) {
    EXPECT_THAT(failures_of(own_pfn + mapped_for_writing + read_only + touch_elsewhere, more),
                testing::ElementsAre(testing::AllOf(testing::HasSubstr("device gpu0 maps 0x7f0000000000"),
                                                    testing::HasSubstr("which the CPU may only read"))))
        << read_only;
  }
  // The same pages when the CPU may write to them, and a device that only reads.
  for (const std::string& writable : {pages(present + R"("writable": true)"), pages(exclusive + R"("writable": true)")}) {
    EXPECT_THAT(failures_of(own_pfn + mapped_for_writing + writable + touch_elsewhere, more), testing::IsEmpty()) << writable;
  }
  const std::string mapped_read_only = R"({"op": "set-page", "at": "buffer", "state": "present", "writable": false, "pfn": "0x345678"},
    {"op": "range-fault", "array": "a", "at": "buffer", "pages": 1, "device": "gpu0", "default": "REQ_FAULT", "expect": "0"}, )";
  EXPECT_THAT(failures_of(mapped_read_only + pages(present + R"("writable": false)") + touch_elsewhere), testing::IsEmpty());
}

TEST(DeviceInvariant, SeesAPageOfDevicePrivateMemoryThatMayOnlyBeRead) {
  const std::string on_device = R"({"op": "migrate-to-device", "at": "buffer", "pages": 1, "device": "gpu0", "expect": "0"}, )";
  // The last page of gpu0's 64, which end at pfn 0xfd00000.
  const auto again = [](const char* writable) {
    return std::string(R"({"op": "set-page", "at": "buffer", "state": "device-private", "device": "gpu0", "shared": true, "pfn": "0xfcfffff", "writable": )") + writable + "}";
  };
  EXPECT_THAT(failures_of(on_device + again("true") + touch_elsewhere), testing::IsEmpty());
  EXPECT_THAT(failures_of(on_device + again("false") + touch_elsewhere),
              testing::ElementsAre(testing::HasSubstr("which the CPU may only read")));
}

TEST(DeviceInvariant, SeesAStalePageAlthoughTheCpuNamesTheDevicesMemory) {
  EXPECT_THAT(failures_of(mapped_for_writing + R"({"op": "set-page", "at": "buffer", "state": "device-private", "device": "gpu0"})" + touch_elsewhere),
              testing::ElementsAre(testing::HasSubstr("which the CPU has taken away")));
}

TEST(DeviceInvariant, IsLookedAtUnlessTheScenarioSaysNo) {
  const std::string taken = mapped_for_writing + R"({"op": "set-page", "at": "buffer", "state": "none"})" + touch_elsewhere;
  EXPECT_EQ(failures_of(taken).size(), 1u);
  EXPECT_THAT(failures_of(taken, R"("check_devices": false, )"), testing::IsEmpty());
}

TEST(DeviceInvariant, WaitsForTheDevicesOwnMigrations) {
  const std::string reads = R"({"op": "range-fault", "array": "a", "at": "buffer", "pages": 8, "device": "gpu0", "default": "REQ_FAULT", "expect": "0"}, )";
  const std::string step_by_step = R"({"op": "migrate-setup", "migration": "m", "at": "buffer", "pages": 8, "device": "gpu0", "expect": "0"},
    {"op": "migrate-pages", "migration": "m"}, {"op": "touch", "at": "buffer", "access": "read", "expect": "wait"},
    {"op": "migrate-finalize", "migration": "m"}, )";
  for (const char* access : {"read", "write"}) {
    const std::string home = std::string(R"({"op": "touch", "at": "buffer", "pages": 8, "access": ")") + access + R"(", "expect": "ok"})";
    // Zero pages (buffer+4 and on), written ones, ones that may only be read any more: mapped by the device and then moved.
    EXPECT_THAT(failures_of(reads + step_by_step + home), testing::IsEmpty()) << access;
    EXPECT_THAT(failures_of(reads + R"({"op": "mprotect", "at": "buffer", "pages": 8, "prot": "r"}, )" + reads + step_by_step +
                            R"({"op": "mprotect", "at": "buffer", "pages": 8, "prot": "rw"}, )" + home), testing::IsEmpty()) << access;
  }
  EXPECT_THAT(failures_of(reads + R"({"op": "make-exclusive", "at": "buffer", "pages": 8, "device": "gpu0", "made": 8},
    {"op": "fork", "child": "child"}, )" + reads + R"({"op": "touch", "at": "buffer", "pages": 8, "access": "write", "expect": "ok"})"), testing::IsEmpty());
}

}  // namespace
}  // namespace hmmscope::scenario
