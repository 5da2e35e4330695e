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
  // Every third state is several pages with runs over many of them.
  RandomRecording random_ = random_recording(
      GetParam() % 3 == 0
          ? RandomOptions{.seed = GetParam(), .steps = 300, .first_words = 7000, .longest_run = 6000}
          : RandomOptions{.seed = GetParam(), .steps = 400 + GetParam() % 3 * 300});
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
  // From a stored page a write to none at all.
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
                                                       << shape.budget << " stored " << keyframes->count();
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

/// Pages that nobody reads stay behind, each at a position of its own, and are right when somebody does.
TEST_P(CursorOnRandomRecordings, AWordReadNowAndThenIsRight) {
  std::mt19937 random(GetParam());
  for (const uint64_t distance : {1, 5, 40, 1 << 30}) {
    Cursor cursor(random_.recording, std::make_shared<const Keyframes>(
                                         random_.recording, Keyframes::Options{distance, size_t{1} << 30}));
    for (int i = 0; i < 3000; ++i) {
      switch (random() % 4) {
        case 0: cursor.seek(static_cast<StepIndex>(random() % random_.states.size())); break;
        case 1: cursor.step(); break;
        case 2: cursor.back(); break;
        default: break;
      }
      const std::vector<uint64_t>& state = random_.states[cursor.position()];
      const auto word = static_cast<WordIndex>(random() % state.size());
      ASSERT_EQ(cursor.load(word), state[word]) << "word " << word << " at " << cursor.position();
      if (random() % 8 != 0) continue;
      const auto count = static_cast<uint32_t>(random() % (state.size() - word + 1));
      const auto words = cursor.words(word, count);
      ASSERT_TRUE(std::equal(words.begin(), words.end(), &state[word], &state[word] + count));
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
  region.count = 1000 * state_page_words;
  memory.add_region(region);
  std::mt19937_64 random(1);
  for (WordIndex w = 0; w < region.count; ++w) memory.store(w, random());
  Recorder recorder(memory);
  for (uint32_t i = 0; i < 10000; ++i) {
    recorder.step(RuleId::unknown_rule);
    recorder.write(i % state_page_words, random());
  }
  const auto recording = std::make_shared<const Recording>(std::move(recorder).finish());
  const Keyframes keyframes(recording, {.distance = 100, .budget = 1 << 30});
  EXPECT_GE(keyframes.count(), 100u);
  const size_t page = state_page_words * sizeof(uint64_t);
  EXPECT_LT(keyframes.bytes(), 2 * 101 * page);
}

TEST(Keyframes, StoreLinearPagesAsPieces) {
  Memory memory;
  Region region;
  region.count = 512 * state_page_words;
  memory.add_region(region);
  Recorder recorder(memory);
  for (uint32_t i = 0; i < 5000; ++i) {
    recorder.step(RuleId::unknown_rule);
    recorder.fill(i % 500 * state_page_words + 3, state_page_words - 5, i * 1000003, i);
  }
  const auto recording = std::make_shared<const Recording>(std::move(recorder).finish());
  const Keyframes keyframes(recording, {.distance = 1, .budget = 1 << 30});
  EXPECT_EQ(keyframes.count(), 5000u);
  EXPECT_LT(keyframes.bytes(), 5000 * 120u) << "a page of a few pieces should take tens of bytes";
}

TEST(Keyframes, StayNearTheirBudget) {
  Memory memory;
  Region region;
  region.count = 64 * state_page_words;
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

/// A file may hold millions of runs over the whole state: what is kept of each must not grow with the state.
TEST(Keyframes, RunsOverManyPagesCostTheirEdges) {
  Memory memory;
  Region region;
  region.count = 2000 * state_page_words;
  memory.add_region(region);
  Recorder recorder(memory);
  constexpr uint32_t runs = 500;
  for (uint32_t i = 0; i < runs; ++i) {
    recorder.step(RuleId::unknown_rule);
    recorder.fill(i, region.count - 2 * i, i, 1);
  }
  const auto recording = std::make_shared<const Recording>(std::move(recorder).finish());
  const auto keyframes = std::make_shared<const Keyframes>(recording);
  EXPECT_LT(keyframes->bytes(), 4000 * 2 * sizeof(uint32_t) + runs * 200);
  Cursor cursor(recording, keyframes);
  cursor.seek(400);
  EXPECT_EQ(cursor.load(100000), 399u + 100000 - 399);
  EXPECT_EQ(cursor.load(1000), 399u + 1000 - 399);
  EXPECT_EQ(cursor.load(398), 398u) << "the run before began there";
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
