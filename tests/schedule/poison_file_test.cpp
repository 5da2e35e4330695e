// Failing memory of files: what can be read again leaves no trace, what cannot is reported to those who had it mapped.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/rules/rule.h"
#include "tests/schedule/explore_support.h"
#include "tests/support/end_state.h"

namespace hmmscope::scenario {
namespace {

using testing::Contains;
using testing::IsSupersetOf;
using testing::Not;

/// The first page of "heap" fails where the operations say `now`.
std::string with_file(const std::string& kind, const std::string& operations, const std::string& kernel = "6.12") {
  return R"({"hmmscope-scenario": 1, "title": "t", "kernel": ")" + kernel + R"(", "devices": [{"name": "gpu0", "pages": 64}],
      "vmas": [{"name": "heap", "start": "0x7f0000000000", "size": "64K", "kind": ")" + kind + R"("},
               {"name": "bell", "start": "0x7f0000200000", "size": "4K"}],
      "inject": [{"what": "poison", "rule": "scenario.set_page", "at": "heap"}],
      "operations": [)" + operations + "]}";
}
const std::string now = R"({"op": "set-page", "at": "bell", "state": "zero-page"},)";

std::string touch_of(const std::string& access, const std::string& expect, const std::string& more = "") {
  return R"({"op": "touch", "at": "heap", "access": ")" + access + R"(", "expect": ")" + expect + "\"" + more + "}";
}

std::set<std::string_view> rules_fired(const Outcome& outcome) {
  std::set<std::string_view> all;
  for (StepIndex step = 0; step < outcome.recording.steps(); ++step) all.insert(rule(outcome.recording.rule_of(step)).id);
  return all;
}

/// Runs it; every expectation holds, and all pages but the failed one are as the page tables say.
std::set<std::string_view> fired_by(const std::string& text) {
  auto outcome = run(parsed_or_fail(text), "");
  EXPECT_TRUE(outcome) << outcome.error().to_string();
  for (const Failure& failure : outcome->failures) ADD_FAILURE() << "line " << failure.line << ": " << failure.text;
  std::string wrong = "no page failed";
  for (StepIndex step = 0; step < outcome->recording.steps(); ++step) {
    if (outcome->recording.rule_of(step) == RuleId::inject_poison)
      wrong = complaint(*outcome, {{outcome->recording.operands(step)[3], {1, false}}});
  }
  EXPECT_EQ(wrong, "");
  return rules_fired(*outcome);
}

TEST(PoisonOfFiles, ACleanPageIsReadAgain) {
  const std::string data = R"(, "data": 5)", child = R"(, "process": "c")";
  for (const char* kind : {"file-shared", "file-private"}) {
    SCOPED_TRACE(kind);
    const auto fired = fired_by(with_file(kind,
        R"({"op": "write-file", "vma": "heap", "page": 0, "data": 5}, {"op": "fork", "child": "c"},)" +
        touch_of("read", "ok", data) + "," + touch_of("read", "ok", data + child) + R"(,
        {"op": "range-fault", "array": "a", "device": "gpu0", "at": "heap", "pages": 1, "expect": "0"},
        {"op": "expect-device", "device": "gpu0", "at": "heap"},)" + now + R"(
        {"op": "expect-page", "at": "heap", "state": "none"}, {"op": "expect-page", "at": "heap", "state": "none", "process": "c"},
        {"op": "expect-device", "device": "gpu0", "at": "heap", "mapped": false},
        {"op": "expect-file", "vma": "heap", "page": 0, "data": 5},)" + touch_of("read", "ok", data) + R"(,
        {"op": "expect-page", "at": "heap", "state": "present", "refcount": 2, "mapcount": 1})"));
    EXPECT_THAT(fired, IsSupersetOf({"poison.clean", "poison.unmap_clean", "poison.truncated"}));
    EXPECT_THAT(fired, Not(Contains("poison.unmap")));
  }
}

TEST(PoisonOfFiles, WhatAMappingWroteIsLostAndTheOthersReadTheDisk) {
  const auto fired = fired_by(with_file("file-shared",
      R"({"op": "write-file", "vma": "heap", "page": 0, "data": 5}, {"op": "fork", "child": "c"},)" +
      touch_of("write", "ok", R"(, "data": 7)") + "," + now + R"({"op": "expect-page", "at": "heap", "state": "hwpoison"},)" +
      touch_of("read", "HWPOISON") + "," + touch_of("read", "ok", R"(, "data": 5, "process": "c")")));
  EXPECT_THAT(fired, IsSupersetOf({"poison.mkclean", "poison.dirty", "poison.unmap", "poison.truncated"}));
}

TEST(PoisonOfFiles, TheDirtOfAMappingThatIsGoneCounts) {
  const auto fired = fired_by(with_file("file-shared", touch_of("write", "ok") +
      R"(, {"op": "madvise-dontneed", "at": "heap", "pages": 1},)" + touch_of("read", "ok") + "," + now +
      R"({"op": "expect-page", "at": "heap", "state": "hwpoison"})"));
  EXPECT_THAT(fired, Not(Contains("poison.mkclean")));   // the page itself says that it is dirty
  EXPECT_THAT(fired, Not(Contains("poison.clean")));
}

TEST(PoisonOfFiles, AnAnonymousCopyOfAFilesPageIsNotTheFiles) {
  const auto fired = fired_by(with_file("file-private", touch_of("write", "ok") + "," + now + touch_of("read", "HWPOISON")));
  EXPECT_THAT(fired, Not(Contains("poison.truncated")));
}

/// From 5.16 on nobody takes zeros for what was there.
TEST(PoisonOfFiles, ShmemKeepsThePage) {
  const std::string operations = R"({"op": "fork", "child": "c"},)" + touch_of("write", "ok", R"(, "data": 7)") + "," + now +
                                 touch_of("read", "HWPOISON") + ",";
  const auto kept = fired_by(with_file("shmem", operations + touch_of("read", "HWPOISON", R"(, "process": "c")")));
  EXPECT_THAT(kept, IsSupersetOf({"poison.kept", "file.hwpoison"}));
  const auto before = fired_by(with_file("shmem", operations + touch_of("read", "ok", R"(, "data": 0, "process": "c")"), "5.15"));
  EXPECT_THAT(before, Contains("poison.truncated"));
}

/// A fault that comes in between unmapping and the page cache finds the page locked; it never maps it.
TEST(PoisonOfFiles, AFaultInBetweenDoesNotMapIt) {
  std::string touches;
  for (int k = 0; k < 6; ++k) touches += touch_of("read", "ok", R"(, "task": "other")") + ",";
  const Scenario scenario = parsed_or_fail(R"({"hmmscope-scenario": 1, "title": "t", "granularity": "rule",
      "vmas": [{"name": "heap", "start": "0x7f0000000000", "size": "16K", "kind": "file-private"},
               {"name": "bell", "start": "0x7f0000200000", "size": "4K"}],
      "inject": [{"what": "poison", "rule": "scenario.set_page", "at": "heap"}],
      "operations": [)" + touch_of("read", "ok") + R"(, {"op": "set-page", "at": "bell", "state": "zero-page", "task": "cpu"},)" + touches +
      touch_of("read", "ok") + R"(, {"op": "expect-page", "at": "heap", "state": "present", "refcount": 2, "mapcount": 1}]})");
  uint64_t met = 0;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    Scenario seeded = scenario;
    seeded.seed = seed;
    const auto outcome = run(seeded, "");
    ASSERT_TRUE(outcome) << outcome.error().to_string();
    for (const Failure& failure : outcome->failures) ADD_FAILURE() << "seed " << seed << ": " << failure.text;
    met += rules_fired(*outcome).contains("file.hwpoison_locked") ? 1 : 0;
  }
  EXPECT_GT(met, 0u);
}

}  // namespace
}  // namespace hmmscope::scenario
