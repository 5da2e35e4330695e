#include "engine/recording/compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "engine/recording/recorder.h"
#include "tests/recording/random_recording.h"

namespace hmmscope {
namespace {

using ::testing::HasSubstr;

Recording record(const std::function<void(Recorder&)>& steps, uint64_t initial = 0) {
  Memory memory;
  Region region;
  region.kind = RegionKind::hmm_pfns;
  region.count = 100;
  memory.add_region(region);
  memory.store(7, initial);
  Recorder recorder(memory);
  recorder.enter(Function::hmm_range_fault);
  recorder.step(RuleId::unknown_rule);
  recorder.write(3, 1);
  steps(recorder);
  return std::move(recorder).finish();
}

void some_steps(Recorder& recorder) {
  recorder.enter(Function::hmm_vma_walk_pmd);
  recorder.step(RuleId::unknown_rule);
  recorder.fill(10, 20, 5, 1);
  recorder.leave(0);
}

TEST(FirstDifference, IsNothingForEqualRecordings) {
  for (const uint32_t seed : {1u, 2u, 3u}) {
    const auto a = testing::random_recording({.seed = seed, .steps = 200});
    const auto b = testing::random_recording({.seed = seed, .steps = 200});
    EXPECT_FALSE(first_difference(*a.recording, *b.recording).has_value());
  }
}

TEST(FirstDifference, FindsTheWord) {
  const Recording a = record(some_steps);
  const Recording b = record([](Recorder& recorder) {
    recorder.enter(Function::hmm_vma_walk_pmd);
    recorder.step(RuleId::unknown_rule);
    std::vector<uint64_t> values(20);
    for (uint64_t k = 0; k < 20; ++k) values[k] = k == 13 ? 99 : 5 + k;
    recorder.copy(10, values);
  });
  const auto difference = first_difference(a, b);
  ASSERT_TRUE(difference);
  EXPECT_EQ(difference->kind, DifferenceKind::writes);
  EXPECT_EQ(difference->step, 1u);
  EXPECT_EQ(difference->word, 23u);
  EXPECT_EQ(difference->a, 18u);
  EXPECT_EQ(difference->b, 99u);
  EXPECT_THAT(describe(*difference, a, b), HasSubstr("step 1: hmm_pfns[23] becomes 0x12 here, 0x63 there"));
}

TEST(FirstDifference, FindsMissingAndShorterWrites) {
  const Recording a = record(some_steps);
  const Recording none = record([](Recorder& recorder) {
    recorder.enter(Function::hmm_vma_walk_pmd);
    recorder.step(RuleId::unknown_rule);
  });
  EXPECT_EQ(first_difference(a, none)->word, 10u);
  EXPECT_EQ(first_difference(none, a)->word, 10u);
  const Recording shorter = record([](Recorder& recorder) {
    recorder.enter(Function::hmm_vma_walk_pmd);
    recorder.step(RuleId::unknown_rule);
    recorder.fill(10, 19, 5, 1);
  });
  EXPECT_EQ(first_difference(a, shorter)->word, 29u);
}

TEST(FirstDifference, FindsAnotherCallOfTheSameFunction) {
  const auto twice = [](bool one_call) {
    return record([one_call](Recorder& recorder) {
      recorder.enter(Function::hmm_vma_walk_pmd);
      recorder.step(RuleId::unknown_rule);
      if (!one_call) {
        recorder.leave(0);
        recorder.enter(Function::hmm_vma_walk_pmd);
      }
      recorder.step(RuleId::unknown_rule);
      recorder.leave(0);
    });
  };
  const auto difference = first_difference(twice(true), twice(false));
  ASSERT_TRUE(difference);
  EXPECT_EQ(difference->kind, DifferenceKind::call_path);
  EXPECT_EQ(difference->step, 2u);
}

TEST(FirstDifference, FindsAnotherFunctionAndTheEnd) {
  const Recording a = record(some_steps);
  const Recording other = record([](Recorder& recorder) {
    recorder.enter(Function::hmm_vma_walk_pud);
    recorder.step(RuleId::unknown_rule);
    recorder.fill(10, 20, 5, 1);
  });
  EXPECT_EQ(first_difference(a, other)->kind, DifferenceKind::call_path);
  const Recording shorter = record([](Recorder&) {});
  const auto end = first_difference(a, shorter);
  EXPECT_EQ(end->kind, DifferenceKind::length);
  EXPECT_EQ(end->step, 1u);
  EXPECT_THAT(describe(*end, a, shorter), HasSubstr("the other ends"));
  EXPECT_EQ(first_difference(a, record(some_steps, 5))->kind, DifferenceKind::state);
}

}  // namespace
}  // namespace hmmscope
