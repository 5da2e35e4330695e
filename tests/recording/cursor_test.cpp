#include "engine/recording/cursor.h"

#include <gtest/gtest.h>

#include "tests/recording/random_recording.h"

namespace hmmscope {
namespace {

using testing::random_recording;
using testing::RandomOptions;
using testing::RandomRecording;

std::vector<uint64_t> words(const Cursor& cursor) { return {cursor.state().begin(), cursor.state().end()}; }

class CursorOnRandomRecordings : public ::testing::TestWithParam<uint32_t> {
 protected:
  RandomRecording random_ = random_recording({.seed = GetParam(), .steps = 400 + GetParam() % 3 * 300});
};

TEST_P(CursorOnRandomRecordings, StepsForwardThroughTheRecordedStates) {
  Cursor cursor(random_.recording);
  EXPECT_EQ(cursor.current_step(), no_step);
  for (StepIndex p = 0;; ++p) {
    ASSERT_EQ(cursor.position(), p);
    ASSERT_EQ(words(cursor), random_.states[p]) << "position " << p;
    if (!cursor.step()) break;
    ASSERT_EQ(cursor.current_step(), p);
  }
  EXPECT_EQ(cursor.position(), random_.recording->steps());
}

TEST_P(CursorOnRandomRecordings, StepAndBackIsTheIdentityByHash) {
  Cursor cursor(random_.recording);
  for (;;) {
    const uint64_t here = cursor.hash();
    ASSERT_EQ(here, state_hash(random_.states[cursor.position()]));
    if (!cursor.step()) break;
    ASSERT_TRUE(cursor.back());
    ASSERT_EQ(cursor.hash(), here) << "at position " << cursor.position();
    ASSERT_TRUE(cursor.step());
  }
  while (cursor.back()) ASSERT_EQ(cursor.hash(), state_hash(random_.states[cursor.position()]));
  EXPECT_EQ(words(cursor), random_.states[0]);
  EXPECT_FALSE(cursor.back());
}

TEST_P(CursorOnRandomRecordings, SeekEqualsStepping) {
  // Keyframes from one a step to one in all, with budgets that force every doubling in between.
  struct Shape {
    uint64_t distance;
    size_t budget;
  };
  std::mt19937 random(GetParam());
  for (const Shape shape : {Shape{1, 1 << 30}, Shape{40, 1 << 30}, Shape{1, 200000}, Shape{1, 20000},
                            Shape{7, 1}, Shape{1 << 30, 1}}) {
    auto keyframes = std::make_shared<const Keyframes>(random_.recording,
                                                       Keyframes::Options{shape.distance, shape.budget});
    Cursor cursor(random_.recording, keyframes);
    for (int i = 0; i < 300; ++i) {
      StepIndex target = static_cast<StepIndex>(random() % random_.states.size());
      if (random() % 4 == 0)
        target = std::min<StepIndex>(cursor.position() + random() % 4, random_.recording->steps());
      cursor.seek(target);
      ASSERT_EQ(cursor.position(), target);
      ASSERT_EQ(words(cursor), random_.states[target]) << "distance " << shape.distance << " budget "
                                                       << shape.budget << " keyframes " << keyframes->count();
      if (random() % 3 == 0) {
        ASSERT_EQ(cursor.hash(), state_hash(random_.states[target]));
      }
      if (random() % 5 == 0) {
        cursor.step();
        ASSERT_EQ(words(cursor), random_.states[cursor.position()]);
      }
      if (random() % 5 == 0) {
        cursor.back();
        ASSERT_EQ(words(cursor), random_.states[cursor.position()]);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, CursorOnRandomRecordings, ::testing::Range(1u, 13u));

TEST(Cursor, SeekIsClampedToTheEnd) {
  const auto random = random_recording({.seed = 5, .steps = 20});
  Cursor cursor(random.recording);
  cursor.seek(1000);
  EXPECT_EQ(cursor.position(), 20u);
  EXPECT_EQ(words(cursor), random.states.back());
}

TEST(Cursor, WorksOnAnEmptyRecording) {
  Memory memory;
  Recorder recorder(memory);
  Cursor cursor(std::make_shared<const Recording>(std::move(recorder).finish()));
  EXPECT_FALSE(cursor.step());
  EXPECT_FALSE(cursor.back());
  cursor.seek(3);
  EXPECT_EQ(cursor.position(), 0u);
  EXPECT_EQ(cursor.hash(), 0u);
}

TEST(Keyframes, BuildingCanBeStopped) {
  const auto random = testing::random_recording({.seed = 5, .steps = 50});
  EXPECT_EQ(Keyframes::build(random.recording, [](uint64_t) { return false; }), nullptr);
  const std::shared_ptr<const Keyframes> keyframes = Keyframes::build(random.recording, {});
  ASSERT_NE(keyframes, nullptr);
  Cursor cursor(random.recording, keyframes);
  cursor.seek(37);
  EXPECT_EQ(cursor.hash(), state_hash(random.states[37]));
}

TEST(Keyframes, SharePagesThatDoNotChange) {
  // Ten thousand steps write one page of a state of a thousand random pages.
  Memory memory;
  Region region;
  region.count = 1000 * PagedState::page_words;
  memory.add_region(region);
  std::mt19937_64 random(1);
  for (WordIndex w = 0; w < region.count; ++w) memory.store(w, random());
  Recorder recorder(memory);
  for (uint32_t i = 0; i < 10000; ++i) {
    recorder.step(RuleId::unknown_rule);
    recorder.write(i % PagedState::page_words, random());
  }
  const auto recording = std::make_shared<const Recording>(std::move(recorder).finish());
  const Keyframes keyframes(recording, {.distance = 100, .budget = 1 << 30});
  EXPECT_GE(keyframes.count(), 100u);
  const size_t page = PagedState::page_words * sizeof(uint64_t);
  EXPECT_LT(keyframes.bytes(), (1000 + 2 * 101) * page);
}

TEST(Keyframes, StoreLinearPagesAsPieces) {
  Memory memory;
  Region region;
  region.count = 512 * PagedState::page_words;
  memory.add_region(region);
  Recorder recorder(memory);
  for (uint32_t i = 0; i < 50; ++i) {
    recorder.step(RuleId::unknown_rule);
    recorder.fill(3, region.count - 5, i * 1000003, i);
  }
  const auto recording = std::make_shared<const Recording>(std::move(recorder).finish());
  const Keyframes keyframes(recording, {.distance = 1, .budget = 1 << 30});
  EXPECT_EQ(keyframes.count(), 51u);
  EXPECT_LT(keyframes.bytes(), 51 * 512 * 100u) << "a page of one piece should take tens of bytes";
}

TEST(Keyframes, StayNearTheirBudget) {
  Memory memory;
  Region region;
  region.count = 64 * PagedState::page_words;
  memory.add_region(region);
  Recorder recorder(memory);
  std::mt19937_64 random(1);
  for (uint32_t i = 0; i < 100000; ++i) {
    recorder.step(RuleId::unknown_rule);
    recorder.write(static_cast<WordIndex>(random() % region.count), random());
  }
  const auto recording = std::make_shared<const Recording>(std::move(recorder).finish());
  const size_t budget = size_t{4} << 20;
  const Keyframes keyframes(recording, {.distance = 50, .budget = budget});
  EXPECT_GT(keyframes.count(), 4u);
  EXPECT_LT(keyframes.bytes(), budget + budget / 8);
}

/// So many pages that two threads share them.
TEST(Keyframes, RestoreThousandsOfPages) {
  Memory memory;
  Region region;
  region.count = 3000 * PagedState::page_words;
  memory.add_region(region);
  Recorder recorder(memory);
  std::mt19937_64 random(1);
  constexpr uint32_t steps = 20, writes = 5000;
  for (uint32_t i = 0; i < steps; ++i) {
    recorder.step(RuleId::unknown_rule);
    for (uint32_t k = 0; k < writes; ++k) recorder.write(static_cast<WordIndex>(random() % region.count), random());
  }
  const auto recording = std::make_shared<const Recording>(std::move(recorder).finish());
  std::vector<uint64_t> hashes;
  Cursor stepping(recording);
  do hashes.push_back(stepping.hash());
  while (stepping.step());
  ASSERT_EQ(hashes.size(), steps + 1);
  const Keyframes keyframes(recording, {.distance = 1, .budget = size_t{1} << 30});
  PagedState state(recording->initial());
  for (int i = 0; i < 12; ++i) {
    const auto keyframe = static_cast<uint32_t>(random() % keyframes.count());
    keyframes.restore(keyframe, state);
    ASSERT_EQ(state_hash(state.words()), hashes[keyframes.position(keyframe)]) << "keyframe " << keyframe;
  }
}

TEST(StateHash, DependsOnIndexAndValueOnly) {
  const std::vector<uint64_t> a = {1, 2, 0};
  const std::vector<uint64_t> swapped = {2, 1, 0};
  const std::vector<uint64_t> longer = {1, 2, 0, 0, 0};
  EXPECT_NE(state_hash(a), state_hash(swapped));
  EXPECT_EQ(state_hash(a), state_hash(longer)) << "words that were never written do not change the hash";
}

}  // namespace
}  // namespace hmmscope
