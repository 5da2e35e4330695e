#include "engine/recording/history.h"

#include <gtest/gtest.h>

#include "tests/recording/random_recording.h"

namespace hmmscope {
namespace {

using testing::random_recording;

bool operator==(const Change& a, const Change& b) {
  return a.step == b.step && a.before == b.before && a.after == b.after && a.evidence == b.evidence;
}

std::vector<Change> scan(const Recording& recording, WordIndex word, uint64_t mask) {
  std::vector<Change> found;
  for (StepIndex step = 0; step < recording.steps(); ++step) {
    for (uint32_t i = 0; i < recording.write_count(step); ++i) {
      const WriteView write = recording.write(step, i);
      if (!write.covers(word)) continue;
      const uint64_t before = write.old_at(word - write.first);
      const uint64_t after = write.new_at(word - write.first);
      if (mask == 0 || ((before ^ after) & mask) != 0) found.push_back({step, before, after, write.evidence});
    }
  }
  return found;
}

class HistoryOfRandomRecordings : public ::testing::TestWithParam<uint32_t> {};

TEST_P(HistoryOfRandomRecordings, EqualsAScanOfTheRecording) {
  const auto random = random_recording({.seed = GetParam(), .steps = 300});
  const Recording& recording = *random.recording;
  const History history(random.recording);
  std::mt19937_64 dice(GetParam());
  for (int i = 0; i < 60; ++i) {
    const auto word = static_cast<WordIndex>(dice() % recording.word_count());
    for (const uint64_t mask : {uint64_t{0}, ~uint64_t{0}, uint64_t{1}, uint64_t{1} << 63}) {
      const auto expected = scan(recording, word, mask);
      const auto found = history.changes(word, mask);
      ASSERT_TRUE(std::equal(found.begin(), found.end(), expected.begin(), expected.end(),
                             [](const Change& a, const Change& b) { return a == b; }))
          << "word " << word << " mask " << mask;
      const auto at = static_cast<StepIndex>(dice() % (recording.steps() + 2));
      const auto next = history.next_change(word, mask, at);
      const auto first =
          std::find_if(expected.begin(), expected.end(), [&](const Change& c) { return c.step >= at; });
      ASSERT_EQ(next.has_value(), first != expected.end());
      if (next) {
        ASSERT_TRUE(*next == *first);
      }
      const auto previous = history.previous_change(word, mask, at);
      const auto last =
          std::find_if(expected.rbegin(), expected.rend(), [&](const Change& c) { return c.step < at; });
      ASSERT_EQ(previous.has_value(), last != expected.rend());
      if (previous) {
        ASSERT_TRUE(*previous == *last);
      }
      if (mask == 0) {
        const auto written = history.last_write(word, at);
        ASSERT_EQ(written.has_value(), previous.has_value());
        if (written) {
          ASSERT_TRUE(*written == *previous);
          ASSERT_EQ(written->after, random.states[std::min<StepIndex>(at, recording.steps())][word]);
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, HistoryOfRandomRecordings, ::testing::Range(100u, 112u));

TEST_P(HistoryOfRandomRecordings, WritesCanBeReadOneByOneFromAnywhere) {
  const auto random = random_recording({.seed = GetParam(), .steps = 300});
  const Recording& recording = *random.recording;
  const History history(random.recording);
  std::mt19937_64 dice(GetParam() + 1);
  for (int i = 0; i < 60; ++i) {
    const auto word = static_cast<WordIndex>(dice() % (recording.word_count() + 1));
    const auto from = static_cast<uint32_t>(dice() % (recording.writes() + 2));
    auto writes = history.writes(word, from);
    for (uint32_t number = from; number < recording.writes(); ++number) {
      const WriteView view = recording.write_at(number);
      if (!view.covers(word)) continue;
      const auto write = writes.next();
      ASSERT_TRUE(write.has_value()) << "word " << word << " from " << from;
      EXPECT_EQ(write->number, number);
      EXPECT_EQ(write->before, view.old_at(word - view.first));
      EXPECT_EQ(write->after, view.new_at(word - view.first));
      EXPECT_EQ(write->evidence, view.evidence);
    }
    EXPECT_FALSE(writes.next().has_value());
  }
}

TEST(History, BuildingCanBeStopped) {
  const auto random = random_recording({.seed = 3, .steps = 50});
  EXPECT_EQ(History::build(random.recording, [](uint64_t) { return false; }), nullptr);
  const auto history = History::build(random.recording, [](uint64_t) { return true; });
  ASSERT_NE(history, nullptr);
  EXPECT_EQ(history->changes(0).size(), scan(*random.recording, 0, ~0ull).size());
}

TEST(History, OfAWordThatDoesNotExistIsEmpty) {
  const auto random = random_recording({.seed = 3, .steps = 10});
  const History history(random.recording);
  const WordIndex beyond = random.recording->word_count();
  EXPECT_TRUE(history.changes(beyond).empty());
  EXPECT_FALSE(history.next_change(no_word, 0, 0));
  EXPECT_FALSE(history.previous_change(beyond, 0, 5));
}

TEST(History, OfAnEmptyRecordingIsEmpty) {
  Memory memory;
  Recorder recorder(memory);
  const History history(std::make_shared<const Recording>(std::move(recorder).finish()));
  EXPECT_TRUE(history.changes(0).empty());
}

TEST(History, OfARunOverTheWholeStateTakesFewEntries) {
  Memory memory;
  Region region;
  region.count = 262144 + 2;
  memory.add_region(region);
  Recorder recorder(memory);
  for (uint32_t i = 0; i < 1000; ++i) {
    recorder.step(RuleId::unknown_rule);
    recorder.fill(1, 262144, i, 1);
  }
  const auto recording = std::make_shared<const Recording>(std::move(recorder).finish());
  const History history(recording);
  EXPECT_EQ(history.changes(1, 0).size(), 1000u);
  EXPECT_TRUE(history.changes(0, 0).empty());
  EXPECT_EQ(history.last_write(131072, 500)->after, 499u + 131071u);
  EXPECT_LT(history.bytes(), 2 * region.count * sizeof(uint32_t) + 1000 * 40 * sizeof(uint32_t));
}

}  // namespace
}  // namespace hmmscope
