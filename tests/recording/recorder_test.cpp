#include "engine/recording/recorder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/base/too_large.h"

namespace hmmscope {
namespace {

using ::testing::ElementsAre;

class RecorderTest : public ::testing::Test {
 protected:
  RegionId add(RegionKind kind, uint32_t count, uint64_t address = 0, std::string name = {}) {
    Region region;
    region.kind = kind;
    region.count = count;
    region.address = address;
    region.name = std::move(name);
    return memory_.add_region(region);
  }
  Memory memory_;
};

TEST_F(RecorderTest, KeepsTheInitialStateAndTheWritesOfEachStep) {
  add(RegionKind::hmm_pfns, 4);
  memory_.store(2, 7);
  Recorder recorder(memory_);
  EXPECT_EQ(recorder.step(RuleId::unknown_rule, {10, 20}), 0u);
  recorder.write(2, 8, Evidence::observed);
  recorder.write(3, 9);
  EXPECT_EQ(recorder.step(RuleId::unknown_rule), 1u);
  const Recording recording = std::move(recorder).finish();
  EXPECT_THAT(recording.initial(), ElementsAre(0, 0, 7, 0));
  EXPECT_THAT(recording.operands(0), ElementsAre(10, 20));
  EXPECT_TRUE(recording.operands(1).empty());
  ASSERT_EQ(recording.write_count(0), 2u);
  EXPECT_EQ(recording.write_count(1), 0u);
  const WriteView write = recording.write(0, 0);
  EXPECT_EQ(write.first, 2u);
  EXPECT_EQ(write.old_at(0), 7u);
  EXPECT_EQ(write.new_at(0), 8u);
  EXPECT_EQ(write.evidence, Evidence::observed);
  EXPECT_EQ(recording.write(0, 1).evidence, Evidence::computed);
  EXPECT_EQ(recording.call_of(0), no_call);
  EXPECT_EQ(recording.event_of(0), no_event);
  EXPECT_EQ(recording.step_of_write(1), 0u);
}

TEST_F(RecorderTest, WhatARunMayUseIsLimited) {
  memory_.limit(10, 2);
  add(RegionKind::hmm_pfns, 4);
  EXPECT_THROW(add(RegionKind::hmm_pfns, 7), TooLarge);
  add(RegionKind::hmm_pfns, 6);
  EXPECT_THROW(add(RegionKind::hmm_pfns, 0), TooLarge);
  EXPECT_EQ(memory_.words().size(), 10u);
  Recorder recorder(memory_);
  recorder.limit(2);
  recorder.enter(Function::scenario);
  recorder.step(RuleId::unknown_rule);
  recorder.step(RuleId::unknown_rule);
  EXPECT_THROW(recorder.enter(Function::scenario), TooLarge);
  recorder.leave();   // the way out stays open
  EXPECT_EQ(recorder.current_call(), no_call);
}

TEST_F(RecorderTest, RunsAreOneWriteWhateverTheirLength) {
  add(RegionKind::hmm_pfns, 300000);
  Recorder recorder(memory_);
  recorder.step(RuleId::unknown_rule);
  recorder.fill(5, 262144, 100, 3);
  recorder.fill_keeping(5, 262144, 0x10000000, 1, 0xff);
  const Recording recording = std::move(recorder).finish();
  EXPECT_EQ(recording.writes(), 2u);
  const WriteView filled = recording.write(0, 0);
  EXPECT_EQ(filled.new_shape, WriteShape::linear);
  EXPECT_EQ(filled.old_shape, WriteShape::linear);
  EXPECT_EQ(filled.new_at(262143), 100 + 3 * 262143u);
  const WriteView kept = recording.write(0, 1);
  EXPECT_EQ(kept.old_at(1000), 100 + 3000u);
  EXPECT_EQ(kept.new_at(1000), ((100 + 3000u) & 0xff) | (0x10000000u + 1000));
  EXPECT_EQ(memory_.load(1005), kept.new_at(1000));
  EXPECT_EQ(memory_.load(4), 0u);
  EXPECT_EQ(memory_.load(5 + 262144), 0u);
}

TEST_F(RecorderTest, CopiesKeepTheirValuesOnlyWhenThereIsNoPattern) {
  add(RegionKind::hmm_pfns, 10);
  Recorder recorder(memory_);
  recorder.step(RuleId::unknown_rule);
  const std::vector<uint64_t> values = {5, 1, 9};
  const std::vector<uint64_t> descending = {9, 8, 7};
  recorder.copy(1, values);
  recorder.copy(1, descending);
  recorder.copy(1, std::span(values).first(1));
  recorder.copy(1, std::span(values).first(0));
  const Recording recording = std::move(recorder).finish();
  ASSERT_EQ(recording.write_count(0), 3u);
  EXPECT_EQ(recording.write(0, 0).new_shape, WriteShape::literal);
  EXPECT_EQ(recording.write(0, 0).new_at(2), 9u);
  EXPECT_EQ(recording.write(0, 1).new_shape, WriteShape::linear);
  EXPECT_EQ(recording.write(0, 1).new_at(2), 7u);
  EXPECT_EQ(recording.write(0, 1).old_at(1), 1u);
  EXPECT_EQ(recording.write(0, 2).new_shape, WriteShape::single);
}

/// What a 1G leaf's words replace: some that were shown, many that follow a pattern.
TEST_F(RecorderTest, LongRunsAreCutWhereTheOldWordsChangeTheirPattern) {
  constexpr uint32_t count = 20000;
  add(RegionKind::hmm_pfns, count + 10);
  std::vector<uint64_t> before(count + 10, 0);
  for (uint32_t k = 0; k < 300; ++k) before[5 + k] = k * k * 77 + 3;
  for (uint32_t k = 300; k < 9000; ++k) before[5 + k] = 1000 + 8 * k;
  for (WordIndex k = 0; k < before.size(); ++k) memory_.store(k, before[k]);
  Recorder recorder(memory_);
  recorder.step(RuleId::unknown_rule);
  recorder.fill(5, count, 0x100, 2);
  const Recording recording = std::move(recorder).finish();
  ASSERT_EQ(recording.write_count(0), 3u);
  WordIndex next = 5;
  for (uint32_t n = 0; n < 3; ++n) {
    const WriteView write = recording.write(0, n);
    ASSERT_EQ(write.first, next);
    for (uint32_t k = 0; k < write.count; ++k) {
      ASSERT_EQ(write.old_at(k), before[next + k]) << next + k;
      ASSERT_EQ(write.new_at(k), 0x100 + 2 * uint64_t{next + k - 5}) << next + k;
      ASSERT_EQ(memory_.load(next + k), write.new_at(k));
    }
    next += write.count;
  }
  EXPECT_EQ(next, 5 + count);
  EXPECT_LT(recording.bytes(), before.size() * 8 + 10000) << "beside the initial words hardly more than the 300";
}

/// With bits that each word keeps, whatever the old words are: as word by word.
TEST_F(RecorderTest, LongRunsKeepBitsAsShortOnesDo) {
  constexpr uint32_t count = 9000;
  add(RegionKind::hmm_pfns, count);
  const uint64_t keeps[] = {0xf000000000000000, 0x0800000000000000, 0xff00, 1, ~uint64_t{0}};
  const uint64_t strides[] = {0, 1, 0x1000, uint64_t{1} << 50, ~uint64_t{0}};
  uint32_t parts = 0, round = 0;
  Recorder recorder(memory_);
  std::vector<uint64_t> truth(count, 0);
  for (const uint64_t keep : keeps)
    for (const uint64_t stride : strides) {
      recorder.step(RuleId::unknown_rule);
      const uint64_t base = 0x2000000000000000 + 77 * ++round;
      recorder.fill_keeping(0, count, base, stride, keep);
      for (uint32_t k = 0; k < count; ++k) truth[k] = (truth[k] & keep) | (base + k * stride);
      for (uint32_t k = 0; k < count; ++k) ASSERT_EQ(memory_.load(k), truth[k]) << std::hex << keep << " " << stride << " " << k;
      // Some of them become others.
      recorder.step(RuleId::unknown_rule);
      recorder.fill(1000 + round, 300, keep ^ stride, 3);
      for (uint32_t k = 0; k < 300; ++k) truth[1000 + round + k] = (keep ^ stride) + 3 * uint64_t{k};
    }
  const Recording recording = std::move(recorder).finish();
  std::vector<uint64_t> now(count, 0);
  for (StepIndex step = 0; step < recording.steps(); ++step) {
    parts = std::max(parts, recording.write_count(step));
    for (uint32_t n = 0; n < recording.write_count(step); ++n) {
      const WriteView write = recording.write(step, n);
      for (uint32_t k = 0; k < write.count; ++k) {
        ASSERT_EQ(write.old_at(k), now[write.first + k]);
        now[write.first + k] = write.new_at(k);
      }
    }
  }
  EXPECT_EQ(now, truth);
  EXPECT_GT(parts, 1u);
}

TEST_F(RecorderTest, CallsNestAndKnowTheirSteps) {
  Recorder recorder(memory_);
  recorder.step(RuleId::unknown_rule);
  const CallId outer = recorder.enter(Function::hmm_range_fault, {1, 2, 3});
  recorder.step(RuleId::unknown_rule);
  const CallId inner = recorder.enter(Function::walk_page_range);
  recorder.step(RuleId::unknown_rule);
  recorder.leave(-16);
  recorder.step(RuleId::unknown_rule);
  recorder.leave();
  recorder.step(RuleId::unknown_rule);
  const CallId open = recorder.enter(Function::hmm_range_fault);
  const Recording recording = std::move(recorder).finish();
  const auto calls = recording.calls();
  ASSERT_EQ(calls.size(), 3u);
  EXPECT_EQ(calls[outer].first_step, 1u);
  EXPECT_EQ(calls[outer].end_step, 4u);
  EXPECT_FALSE(calls[outer].returned);
  EXPECT_THAT(recording.arguments(outer), ElementsAre(1, 2, 3));
  EXPECT_EQ(calls[inner].parent, outer);
  EXPECT_EQ(calls[inner].depth, 1u);
  EXPECT_TRUE(calls[inner].returned);
  EXPECT_EQ(calls[inner].result, -16);
  EXPECT_THAT(recording.path(inner), ElementsAre(outer, inner));
  EXPECT_EQ(recording.call_of(0), no_call);
  EXPECT_EQ(recording.call_of(3), outer);
  EXPECT_EQ(calls[open].end_step, 5u) << "a call that is open at the end is closed there";
  EXPECT_FALSE(calls[open].returned);
  EXPECT_EQ(recording.tasks().size(), 1u) << "every call's task can be looked up";
}

TEST_F(RecorderTest, TasksInterleave) {
  Recorder recorder(memory_);
  const CallId a = recorder.enter(Function::hmm_range_fault, {}, 0);
  recorder.switch_to(no_call);
  const CallId b = recorder.enter(Function::munmap, {}, 1);
  recorder.switch_to(a);
  const CallId child = recorder.enter(Function::walk_page_range, {}, 0);
  recorder.switch_to(b);
  recorder.step(RuleId::unknown_rule);
  recorder.leave();
  EXPECT_EQ(recorder.current_call(), no_call);
  recorder.switch_to(child);
  recorder.leave();
  EXPECT_EQ(recorder.current_call(), a);
  recorder.leave(0);
  const Recording recording = std::move(recorder).finish();
  EXPECT_EQ(recording.calls()[b].parent, no_call);
  EXPECT_EQ(recording.call_of(0), b);
  EXPECT_EQ(recording.tasks().size(), 2u);
}

TEST_F(RecorderTest, EventsMayStartLate) {
  Recorder recorder(memory_);
  recorder.step(RuleId::unknown_rule);
  recorder.set_event(recorder.add_event({.time_ns = 12, .line = 4}));
  recorder.step(RuleId::unknown_rule);
  recorder.step(RuleId::unknown_rule);
  const Recording recording = std::move(recorder).finish();
  EXPECT_EQ(recording.event_of(0), no_event);
  EXPECT_EQ(recording.event_of(1), 0u);
  EXPECT_EQ(recording.event_of(2), 0u);
  EXPECT_EQ(recording.events()[0].line, 4u);
}

TEST_F(RecorderTest, WordsHaveNames) {
  add(RegionKind::hmm_pfns, 10, 0x1000, "hmm_pfns");
  add(RegionKind::pte, 512, 0x7f0000000000, "pte table");
  add(RegionKind::vma, 8, 0, "vma heap");
  add(RegionKind::counters, 2);
  Recorder recorder(memory_);
  const Recording recording = std::move(recorder).finish();
  EXPECT_EQ(recording.word_name(7), "hmm_pfns[7]");
  EXPECT_EQ(recording.word_name(22), "pte 0x7f0000000000 [12]");
  EXPECT_EQ(recording.word_name(524), "vma heap.vm_flags");
  EXPECT_EQ(recording.word_name(529), "vma heap[7]") << "words past the known fields are numbered";
  EXPECT_EQ(recording.word_name(531), "counters[1]");
  EXPECT_EQ(recording.word_name(9999), "word 9999");
}

TEST_F(RecorderTest, RegionsAreFoundByWord) {
  const RegionId a = add(RegionKind::hmm_pfns, 10);
  add(RegionKind::counters, 0);
  const RegionId b = add(RegionKind::counters, 2);
  EXPECT_EQ(memory_.region_of(0), a);
  EXPECT_EQ(memory_.region_of(9), a);
  EXPECT_EQ(memory_.region_of(10), b);
  EXPECT_EQ(memory_.region_of(12), no_region);
}

TEST_F(RecorderTest, ATypicalStepTakesAtMost64Bytes) {
  add(RegionKind::hmm_pfns, 1024);
  Recorder recorder(memory_);
  constexpr uint32_t steps = 100000;
  recorder.enter(Function::hmm_range_fault);
  for (uint32_t i = 0; i < steps; ++i) {
    recorder.step(RuleId::unknown_rule, {i, 2, 3});
    recorder.write(i % 1024, i);
  }
  recorder.leave(0);
  const Recording recording = std::move(recorder).finish();
  EXPECT_LE(recording.bytes(), 64u * steps);
}

TEST(Recorder, OneOfManyFaultsThatFoundNothingToDoIsKept) {
  Memory memory;
  Recorder recorder(memory);
  const CallId range = recorder.enter(Function::hmm_vma_fault, {1, 2});
  for (uint64_t page = 0; page < 1000; ++page) {
    recorder.enter(Function::handle_mm_fault, {page, 7});
    if (page == 0 || page == 500) recorder.step(RuleId::pte_none_zero, {});
    recorder.leave(page == 900 ? -14 : 0);
  }
  recorder.leave(0);
  recorder.enter(Function::handle_mm_fault, {5000, 7});  // of another caller
  recorder.leave(0);
  const Recording recording = std::move(recorder).finish();
  std::vector<uint64_t> kept;
  for (CallId call = 0; call < recording.calls().size(); ++call) {
    if (recording.calls()[call].function == Function::handle_mm_fault) kept.push_back(recording.arguments(call)[0]);
  }
  // The two with a step, the first empty one behind each, the one that failed and the first behind it.
  EXPECT_EQ(kept, (std::vector<uint64_t>{0, 1, 500, 501, 900, 901, 5000}));
  EXPECT_EQ(recording.calls()[range].end_step, 2u);
  EXPECT_EQ(recording.call_of(1), 3u);
}

/// Arguments handed on are kept once; dropping a call that did so leaves them to the other.
TEST(Recorder, CallsMayShareArguments) {
  Memory memory;
  Recorder recorder(memory);
  const CallId pmd = recorder.enter(Function::hmm_vma_walk_pmd, {4096, 8192});
  const CallId handle = recorder.enter(Function::hmm_vma_handle_pmd, {4096, 8192});
  const CallId first = recorder.enter(Function::handle_mm_fault, {8192});
  recorder.leave(0);
  recorder.enter(Function::handle_mm_fault, {8192});   // dropped
  recorder.leave(0);
  const CallId none = recorder.enter(Function::hmm_vma_fault);
  recorder.leave(0);
  const CallId other = recorder.enter(Function::hmm_vma_fault, {8192, 4096});
  recorder.leave(0);
  const Recording recording = std::move(recorder).finish();
  ASSERT_EQ(recording.calls().size(), 5u);
  EXPECT_THAT(recording.arguments(pmd), ElementsAre(4096, 8192));
  EXPECT_THAT(recording.arguments(handle), ElementsAre(4096, 8192));
  EXPECT_THAT(recording.arguments(first), ElementsAre(8192));
  EXPECT_THAT(recording.arguments(none), ElementsAre());
  EXPECT_THAT(recording.arguments(other), ElementsAre(8192, 4096));
  EXPECT_EQ(recording.calls()[pmd].first_argument, recording.calls()[handle].first_argument);
}

/// Runs over what earlier runs wrote share their description; each reads back its own old words.
TEST(Recorder, RunsWrittenAgainKeepTheirOldWords) {
  Memory memory;
  memory.add_region({RegionKind::hmm_pfns, 0, 0, 64, 0, 4096, "slots"});
  Recorder recorder(memory);
  for (const uint64_t base : {0x1000ull, 0x9000ull, 0x9000ull, ~0ull}) {
    for (WordIndex first = 0; first < 64; first += 16) {
      recorder.step(RuleId::unknown_rule);
      recorder.fill(first, 16, base + first * 3, 1);
    }
  }
  const std::vector<uint64_t> last(memory.words().begin(), memory.words().end());
  const Recording recording = std::move(recorder).finish();
  std::vector<uint64_t> now(64, 0);
  for (uint32_t w = 0; w < recording.writes(); ++w) {
    const WriteView write = recording.write_at(w);
    for (uint32_t k = 0; k < write.count; ++k) {
      ASSERT_EQ(write.old_at(k), now[write.first + k]) << "write " << w << " word " << k;
      now[write.first + k] = write.new_at(k);
    }
  }
  EXPECT_EQ(now, last);
}

}  // namespace
}  // namespace hmmscope
