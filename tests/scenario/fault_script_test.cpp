// Faults that a scenario scripts: how they end, what they leave, whom they invalidate.
#include <gtest/gtest.h>

#include "engine/scenario/run.h"

namespace hmmscope::scenario {
namespace {

Result<Outcome> run_text(const std::string& operations, const std::string& pages = "[]") {
  const std::string text = R"({"hmmscope-scenario": 1, "title": "t", "kernel": "6.12", "zero_pfn": "0x2222",
    "config": "DEVICE_PRIVATE=y,MEMORY_FAILURE=n,NUMA_BALANCING=y", "devices": [{"name": "gpu", "pages": 16, "pfn": "0xabc00"}],
    "vmas": [{"name": "heap", "start": "0x7f0000000000", "size": "2M", "flags": "0x73"}],
    "pages": )" + pages + R"(, "operations": [)" +
                           operations + "]}";
  const auto parsed = parse(text, "t.json");
  if (!parsed) return tl::unexpected(parsed.error());
  return run(*parsed, "");
}

bool fires(const Outcome& outcome, RuleId rule) {
  for (StepIndex step = 0; step < outcome.recording.steps(); ++step)
    if (outcome.recording.rule_of(step) == rule) return true;
  return false;
}

std::string failure_texts(const Outcome& outcome) {
  std::string text;
  for (const Failure& failure : outcome.failures) text += failure.text + "\n";
  return text;
}

TEST(FaultScript, SetsThePagesItSays) {
  const auto outcome = run_text(R"(
    {"op": "range-fault", "array": "a", "at": "heap", "pages": 2, "device": "gpu", "default": "REQ_FAULT", "rounds": 1,
     "faults": [{"at": "heap", "pages": 2, "then": [{"at": "heap", "state": "present", "pfn": "0x5000"},
                                                    {"at": "heap+1", "state": "zero-page"}]}], "expect": "0"},
    {"op": "expect", "array": "a", "index": 0, "word": "0xc000000000005000"},
    {"op": "expect", "array": "a", "index": 1, "word": "0x8000000000002222"})");
  ASSERT_TRUE(outcome) << outcome.error().to_string();
  EXPECT_TRUE(outcome->failures.empty()) << failure_texts(*outcome);
  EXPECT_TRUE(fires(*outcome, RuleId::scenario_fault));
}

TEST(FaultScript, EndsFaultsAndInvalidates) {
  const auto outcome = run_text(R"(
    {"op": "range-fault", "array": "a", "at": "heap", "pages": 1, "device": "gpu", "default": "REQ_FAULT", "rounds": 1,
     "faults": [{"at": "heap", "result": "SIGBUS"}], "expect": "-EFAULT"},
    {"op": "range-fault", "array": "b", "at": "heap+1", "pages": 1, "device": "gpu", "default": "REQ_FAULT", "rounds": 1,
     "faults": [{"at": "heap+1", "invalidates": true, "then": [{"at": "heap+1", "state": "present"}]}], "expect": "-EBUSY"},
    {"op": "range-fault", "array": "c", "at": "heap+1", "pages": 1, "device": "gpu", "stale": true, "rounds": 1, "expect": "-EBUSY"})");
  ASSERT_TRUE(outcome) << outcome.error().to_string();
  EXPECT_TRUE(outcome->failures.empty()) << failure_texts(*outcome);
  EXPECT_TRUE(fires(*outcome, RuleId::scenario_stale));
}

/// As when the kernel's own fault replaces a page: nobody maps the old one any more, its memory can be used again, and a
/// device that maps it hears of that before it happens.
TEST(FaultScript, WhatAFaultReplacesIsNotMappedAnyMore) {
  const auto outcome = run_text(R"(
    {"op": "range-fault", "array": "a", "at": "heap", "pages": 1, "device": "gpu", "expect": "0"},
    {"op": "range-fault", "array": "b", "at": "heap", "pages": 1, "device": "gpu", "default": "REQ_FAULT|REQ_WRITE",
     "faults": [{"at": "heap", "invalidates": true, "then": [{"at": "heap", "state": "present", "pfn": "0x6000"}]}], "expect": "0"},
    {"op": "set-page", "at": "heap+1", "state": "present", "pfn": "0x5000"})",
                                R"([{"at": "heap", "state": "present", "pfn": "0x5000", "writable": false}])");
  ASSERT_TRUE(outcome) << outcome.error().to_string();
  EXPECT_TRUE(outcome->failures.empty()) << failure_texts(*outcome);
}

/// The migration of another task ends whether or not this call's faults are scripted.
TEST(FaultScript, WaitsItDoesNotNameAreForOtherTasks) {
  const auto outcome = run_text(R"(
    {"op": "touch", "at": "heap", "access": "write"},
    {"op": "migrate-setup", "migration": "m", "at": "heap", "pages": 1, "device": "gpu"},
    {"task": "driver", "op": "range-fault", "array": "a", "at": "heap", "pages": 1, "device": "gpu", "default": "REQ_FAULT",
     "faults": [{"at": "heap+1", "result": "SIGBUS"}], "expect": "0"},
    {"task": "migration", "op": "migrate-finalize", "migration": "m"})");
  ASSERT_TRUE(outcome) << outcome.error().to_string();
  EXPECT_TRUE(outcome->failures.empty()) << failure_texts(*outcome);
  EXPECT_TRUE(fires(*outcome, RuleId::migration_wait_over));
}

/// The process that shares a page has one page at a place: the one declared there last.
TEST(FaultScript, APageDeclaredAgainLeavesTheOtherProcessToo) {
  const auto outcome = run_text(R"(
    {"op": "madvise-dontneed", "at": "heap", "pages": 1},
    {"op": "range-fault", "array": "a", "at": "heap", "pages": 1, "device": "gpu", "default": "REQ_FAULT",
     "faults": [{"at": "heap", "then": [{"at": "heap", "state": "present", "pfn": "0x6000", "exclusive": false}]}], "expect": "0"},
    {"op": "set-page", "at": "heap+1", "state": "present", "pfn": "0x5000"})",
                                R"([{"at": "heap", "state": "present", "pfn": "0x5000", "exclusive": false}])");
  ASSERT_TRUE(outcome) << outcome.error().to_string();
  EXPECT_TRUE(outcome->failures.empty()) << failure_texts(*outcome);
}

/// The second fault of the page takes the second item; the one after it the same again.
TEST(FaultScript, APageThatFaultsAgainTakesTheNextItem) {
  const auto outcome = run_text(R"(
    {"op": "range-fault", "array": "a", "at": "heap", "pages": 1, "device": "gpu", "default": "REQ_WRITE|REQ_FAULT", "rounds": 1,
     "faults": [{"at": "heap", "then": [{"at": "heap", "state": "present", "pfn": "0x5000", "writable": false}]},
                {"at": "heap", "result": "SIGBUS"}], "expect": "-EFAULT"})");
  ASSERT_TRUE(outcome) << outcome.error().to_string();
  EXPECT_TRUE(outcome->failures.empty()) << failure_texts(*outcome);
  EXPECT_TRUE(fires(*outcome, RuleId::pte_present_fault));
}

TEST(FaultScript, EndsWaits) {
  const std::string pages = R"([{"at": "heap", "state": "migration-write", "pfn": "0x6000"}])";
  const std::string call =
      R"({"op": "range-fault", "array": "a", "at": "heap", "pages": 1, "device": "gpu", "default": "REQ_FAULT", "rounds": 1)";
  const auto ends = run_text(
      call +
          R"(, "waits": [{"at": "heap", "then": [{"at": "heap", "state": "device-private", "pfn": "0xabc02", "device": "gpu"}]}],
    "expect": "0"}, {"op": "expect", "array": "a", "index": 0, "word": "0xc0000000000abc02"})",
      pages);
  ASSERT_TRUE(ends) << ends.error().to_string();
  EXPECT_TRUE(ends->failures.empty()) << failure_texts(*ends);
  EXPECT_TRUE(fires(*ends, RuleId::scenario_wait));
  const auto never = run_text(call + R"(, "waits": [{"at": "heap+1"}], "expect": "deadlock"})", pages);
  ASSERT_TRUE(never) << never.error().to_string();
  EXPECT_TRUE(never->failures.empty()) << failure_texts(*never);
}

TEST(FaultScript, FaultsItDoesNotNameAreTheEngines) {
  const auto outcome = run_text(R"(
    {"op": "range-fault", "array": "a", "at": "heap", "pages": 2, "device": "gpu", "default": "REQ_FAULT|REQ_WRITE", "rounds": 4,
     "faults": [{"at": "heap+1", "then": [{"at": "heap+1", "state": "present", "pfn": "0x5000"}]}], "expect": "0"},
    {"op": "expect", "array": "a", "index": 0, "flags": "VALID|WRITE"},
    {"op": "expect", "array": "a", "index": 1, "word": "0xc000000000005000"})");
  ASSERT_TRUE(outcome) << outcome.error().to_string();
  EXPECT_TRUE(outcome->failures.empty()) << failure_texts(*outcome);
}

TEST(FaultScript, APageMayBeSharedOnlyWhenItSaysSo) {
  const std::string first =
      R"([{"at": "heap", "state": "present", "pfn": "0x5000"}, {"at": "heap+1", "state": "present", "pfn": "0x5000")";
  const auto refused = run_text(R"({"op": "touch", "at": "heap"})", first + "}]");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("in use"), std::string::npos);
  const auto shared =
      run_text(R"({"op": "range-fault", "array": "a", "at": "heap", "pages": 2, "expect": "0"},
    {"op": "expect", "array": "a", "index": 1, "word": "0xc000000000005000"})",
               first + R"(, "shared": true}])");
  ASSERT_TRUE(shared) << shared.error().to_string();
  EXPECT_TRUE(shared->failures.empty()) << failure_texts(*shared);
}

/// A mistake that comes to light inside the call is an error, not a result.
TEST(FaultScript, MistakesAreErrorsWithTheirLine) {
  const auto outcome = run_text(R"(
    {"op": "range-fault", "array": "a", "at": "heap", "pages": 1, "device": "gpu", "default": "REQ_FAULT", "rounds": 1,
     "faults": [{"at": "heap", "then": [{"at": "0x1000", "state": "present"}]}]})");
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().file, "t.json");
  EXPECT_GT(outcome.error().line, 0u);
  EXPECT_FALSE(run_text(
      R"({"op": "range-fault", "array": "a", "at": "heap", "pages": 1, "faults": [{"at": "moon"}]})"));
  EXPECT_FALSE(run_text(
      R"({"op": "range-fault", "array": "a", "at": "heap", "pages": 1, "faults": [{"at": "heap", "result": "nice"}]})"));
}

/// What a driver's 2M mapping, a NUMA hint and uffd write protection make of a huge entry, and where they cannot be.
TEST(FaultScript, HugeEntriesWithBitsOfTheirOwn) {
  const std::string snapshot =
      R"({"op": "range-fault", "array": "a", "at": "heap", "pages": 1, "device": "gpu", "expect": "0"},
         {"op": "expect", "array": "a", "index": 0, "word": ")";
  const auto run_huge = [&](const std::string& bits, const std::string& word) {
    return run_text(snapshot + word + "\"}", R"([{"at": "heap", "state": "thp", "pages": 512, "pfn": "0x6000")" + bits + "}]");
  };
  for (const auto& [bits, word] : {std::pair(R"(, "devmap": true)", "0xc900000000006000"),
                                   std::pair(R"(, "uffd_wp": true, "writable": false)", "0x8900000000006000"),
                                   std::pair(R"(, "protnone": true)", "0x6000")}) {
    const auto outcome = run_huge(bits, word);
    ASSERT_TRUE(outcome) << outcome.error().to_string();
    EXPECT_TRUE(outcome->failures.empty()) << bits << failure_texts(*outcome);
  }
  for (const char* bit : {"devmap", "protnone"}) {
    const auto small = run_text(snapshot + "0x0\"}", std::string(R"([{"at": "heap", "state": "present", ")") + bit + "\": true}]");
    ASSERT_FALSE(small) << bit;
    EXPECT_NE(small.error().message.find("huge page"), std::string::npos) << small.error().to_string();
  }
}

TEST(FaultScript, DevicesAndConfigurationsThatCannotBe) {
  const std::string head = R"({"hmmscope-scenario": 1, "title": "t", "vmas": [], "operations": [], )";
  for (const std::string& bad :
       {head + R"("devices": [{"name": "gpu", "pages": 16, "pfn": "0xffffffffffffffff"}]})",
        head + R"("config": "DEVICE_PRIVATE=maybe"})"}) {
    const auto parsed = parse(bad, "t.json");
    ASSERT_TRUE(parsed) << parsed.error().to_string();
    EXPECT_FALSE(run(*parsed, "")) << bad;
  }
}

}  // namespace
}  // namespace hmmscope::scenario
