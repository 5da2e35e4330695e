// Page tables that change between two looks of hmm_range_fault at them: what it saw first is not what it goes by.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/schedule/explore_support.h"

namespace hmmscope::scenario {
namespace {

size_t times(const Recording& recording, RuleId rule) {
  size_t count = 0;
  for (StepIndex step = 0; step < recording.steps(); ++step) count += recording.rule_of(step) == rule;
  return count;
}

/// The step number (from 1) of a rule's first step; 0 when it does not fire.
StepIndex step_of(const Recording& recording, RuleId rule) {
  for (StepIndex step = 0; step < recording.steps(); ++step) {
    if (recording.rule_of(step) == rule) return step + 1;
  }
  return 0;
}

std::string splits(const std::string& kernel) {
  return R"({"hmmscope-scenario": 1, "title": "t", "kernel": ")" + kernel + R"(", "granularity": "rule",
    "devices": [{"name": "gpu0", "pages": 64}],
    "vmas": [{"name": "heap", "start": "0x7f0000000000", "size": "2M", "thp": true}],
    "pages": [{"at": "heap", "pages": 512, "state": "thp", "pfn": "0x12400"}],
    "operations": [{"op": "range-fault", "task": "gpu", "array": "a", "device": "gpu0", "at": "heap", "pages": 2, "default": "REQ_FAULT", "rounds": 1},
                   {"op": "madvise-dontneed", "task": "cpu", "at": "heap+1", "pages": 1}]})";
}

// However far the split gets between two steps of the walk, the walk never takes the table for a leaf: what its slots say
// when it succeeds is what the CPU's tables say, and otherwise the sequence has moved.
TEST(WalkRace, AHugePageThatIsSplitMeanwhileIsWalkedPteByPte) {
  for (const char* kernel : {"5.7", "5.15", "6.12", "7.3"}) {
    const Scenario scenario = parsed_or_fail(splits(kernel));
    size_t again = 0, mixed = 0;
    for (int gpu = 10; gpu < 22; ++gpu) {
      for (int cpu = 8; cpu < 18; cpu += 3) {
        RunOptions options;
        options.schedule = "gpu:" + std::to_string(gpu) + " cpu:" + std::to_string(cpu) + " gpu:60";
        const auto outcome = run(scenario, options);
        ASSERT_TRUE(outcome) << outcome.error().to_string();
        EXPECT_THAT(outcome->failures, testing::IsEmpty()) << kernel << " " << options.schedule << ": " << outcome->failures[0].text;
        if (times(outcome->recording, RuleId::pmd_not_huge_any_more) == 0) continue;
        ++again;
        // The second look finds the pte table, or nothing any more.
        mixed += times(outcome->recording, RuleId::pmd_table);
        EXPECT_EQ(times(outcome->recording, RuleId::handle_pmd_fill), 0u) << kernel << " " << options.schedule;
      }
    }
    EXPECT_GT(again, 0u) << kernel;
    EXPECT_GT(mixed, 0u) << kernel;
  }
}

// A page is thrown away and the walk comes upon its table's place in between: 6.5's pte_offset_map says so, before it did
// not look.
TEST(WalkRace, APteTableThatIsGoneStartsThePmdOver) {
  const auto text = [](const std::string& kernel, StepIndex step) {
    const std::string inject = step == 0 ? "" : R"("inject": [{"what": "flip", "step": )" + std::to_string(step) + R"(, "at": "heap", "level": "pmd", "bits": 1}], )";
    return R"({"hmmscope-scenario": 1, "title": "t", "kernel": ")" + kernel + R"(", )" + inject +
           R"("vmas": [{"name": "heap", "start": "0x7f0000000000", "size": "8K"}], "pages": [{"at": "heap", "state": "present", "pfn": "0x1234"}],
              "operations": [{"op": "range-fault", "array": "a", "at": "heap", "pages": 2, "default": 0, "expect": "0"},
                             {"op": "expect", "array": "a", "count": 2, "value": "ERROR"}]})";
  };
  for (const auto& [kernel, looks] : {std::pair("6.4", false), std::pair("6.5", true), std::pair("7.3", true)}) {
    const auto plain = run(parsed_or_fail(text(kernel, 0)));
    ASSERT_TRUE(plain) << plain.error().to_string();
    const StepIndex step = step_of(plain->recording, RuleId::pmd_table);
    ASSERT_NE(step, 0u);
    const auto raced = run(parsed_or_fail(text(kernel, step)));
    ASSERT_TRUE(raced) << raced.error().to_string();
    EXPECT_EQ(times(raced->recording, RuleId::pmd_table_gone), looks ? 1u : 0u) << kernel;
    EXPECT_EQ(times(raced->recording, RuleId::pmd_not_present_error), looks ? 1u : 0u) << kernel;
    EXPECT_EQ(raced->failures.empty(), looks) << kernel;
  }
}

TEST(WalkRace, AHugePudThatIsGoneIsVisitedAgain) {
  const auto text = [](StepIndex step) {
    const std::string inject = step == 0 ? "" : R"("inject": [{"what": "flip", "step": )" + std::to_string(step) + R"(, "at": "heap", "level": "pud", "bits": "0x80000000400000e7"}], )";
    return R"({"hmmscope-scenario": 1, "title": "t", "kernel": "6.12", )" + inject +
           R"("vmas": [{"name": "heap", "start": "0x7f4000000000", "size": "1G"}], "pages": [{"at": "heap", "state": "pud-leaf", "pages": 262144, "pfn": "0x40000"}],
              "operations": [{"op": "range-fault", "array": "a", "at": "heap", "pages": 16, "default": 0, "expect": "0"},
                             {"op": "expect", "array": "a", "count": 16, "word": 0}]})";
  };
  const auto plain = run(parsed_or_fail(text(0)));
  ASSERT_TRUE(plain) << plain.error().to_string();
  const StepIndex step = step_of(plain->recording, RuleId::pud_split);
  ASSERT_NE(step, 0u);
  const auto raced = run(parsed_or_fail(text(step)));
  ASSERT_TRUE(raced) << raced.error().to_string();
  EXPECT_THAT(raced->failures, testing::IsEmpty());
  EXPECT_EQ(times(raced->recording, RuleId::walk_pud_again), 1u);
  EXPECT_EQ(times(raced->recording, RuleId::walk_pud_hole), 1u);
  EXPECT_EQ(times(raced->recording, RuleId::walk_table_bad), 0u);
}

}  // namespace
}  // namespace hmmscope::scenario
