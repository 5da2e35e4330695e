// trace.dat files of both versions and the text of the same run: one recording.
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/traces/replay_support.h"
#include "traces/document.h"
#include "traces/reader/source.h"

namespace hmmscope::traces {
namespace {

const std::filesystem::path text_file = samples_dir / "6.12-snapshot.trace.txt";

class DatSamples : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Versions, DatSamples,
                         testing::Values("dat/6.12-snapshot-v7.dat.xz", "dat/6.12-snapshot-v6.dat.xz"));

/// trace.dat counts nanoseconds where the text prints microseconds, and numbers records instead of lines.
TEST_P(DatSamples, HoldsTheEventsOfTheText) {
  const auto dat = open_trace(samples_dir / GetParam());
  const auto text = open_trace(text_file);
  ASSERT_TRUE(dat) << dat.error().to_string();
  ASSERT_TRUE(text);
  EXPECT_EQ((*dat)->info().kernel, (*text)->info().kernel);
  EXPECT_FALSE((*dat)->info().config.empty());  // from meta.json
  ASSERT_EQ((*dat)->size(), (*text)->size());
  uint64_t dat_words[64] = {}, text_words[64] = {};
  for (size_t i = 0; i < (*dat)->size(); ++i) {
    const EventView a = (**dat)[i], b = (**text)[i];
    ASSERT_EQ(a.kind_name(), b.kind_name()) << i;
    EXPECT_EQ((a.time_ns() + 500) / 1000, b.time_ns() / 1000) << i;
    EXPECT_EQ(a.pid(), b.pid()) << i;
    EXPECT_EQ(a.cpu(), b.cpu()) << i;
    for (const char* name : {"start", "addr", "end", "ret", "vm_flags", "mask"}) {
      const auto mine = a.number(name), theirs = b.number(name);
      if (mine && theirs) {
        EXPECT_EQ(*mine, *theirs) << i << name;
      }
    }
    for (const char* name : {"pfns", "src", "dst"}) {
      const auto mine = a.array(name, dat_words), theirs = b.array(name, text_words);
      ASSERT_EQ(mine, theirs) << i;
      for (uint32_t k = 0; k < mine.value_or(0); ++k) ASSERT_EQ(dat_words[k], text_words[k]) << i;
    }
  }
}

TEST_P(DatSamples, GivesTheRecordingOfTheText) {
  const auto dat = open_document(samples_dir / GetParam());
  const auto text = open_document(text_file);
  ASSERT_TRUE(dat) << dat.error().to_string();
  ASSERT_TRUE(text);
  const Recording &a = *(*dat)->recording, &b = *(*text)->recording;
  EXPECT_EQ((*dat)->model.id, (*text)->model.id);
  ASSERT_EQ(a.steps(), b.steps());
  for (StepIndex step = 0; step < a.steps(); ++step) {
    ASSERT_EQ(a.rule_of(step), b.rule_of(step)) << step;
    ASSERT_EQ(a.event_of(step), b.event_of(step)) << step;
    ASSERT_EQ(a.write_count(step), b.write_count(step)) << step;
    for (uint32_t k = 0; k < a.write_count(step); ++k) {
      EXPECT_EQ(a.write(step, k).first, b.write(step, k).first) << step;
      EXPECT_EQ(a.write(step, k).count, b.write(step, k).count) << step;
      EXPECT_EQ(a.write(step, k).evidence, b.write(step, k).evidence) << step;
    }
  }
  // The same states, step for step: what one of the formats does not carry is in no state (times of a nanosecond,
  // numbers of lines and records, the header's counts, names of tasks that the kernel resolved late).
  Cursor dat_state((*dat)->recording, (*dat)->keyframes), text_state((*text)->recording, (*text)->keyframes);
  for (StepIndex step = 0; step <= a.steps(); ++step) {
    dat_state.seek(step);
    text_state.seek(step);
    ASSERT_EQ(dat_state.hash(), text_state.hash()) << step;
  }
  ASSERT_EQ(a.checks().size(), b.checks().size());
  for (size_t i = 0; i < a.checks().size(); ++i) {
    EXPECT_EQ(a.checks()[i].verdict, b.checks()[i].verdict);
    EXPECT_EQ(a.checks()[i].words_compared, b.checks()[i].words_compared);
  }
}

/// Headers that are whole in front of data that cannot be set up: libtracecmd 1.3 crashes when it closes such a file, and
/// is not given it.
TEST(DatFiles, DataThatCannotBeSetUpIsAnError) {
  const auto opened = open_trace(std::filesystem::path(HMMSCOPE_SOURCE_DIR) / "tests" / "traces" / "damaged.dat.xz");
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().message.find("the records of CPU 0 cannot be unpacked"), std::string::npos) << opened.error().to_string();
  EXPECT_EQ(opened.error().offset, uint64_t{16388});
}

}  // namespace
}  // namespace hmmscope::traces
