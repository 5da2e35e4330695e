// What the check makes of traces that leave out what it needs: the array at return, the probes of the walk, arrays
// that are damaged. Nothing of that may count as agreement, nor as a divergence.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/traces/migrate_support.h"
#include "tests/traces/trace_text.h"
#include "traces/check/detect_model.h"

namespace hmmscope::traces {
namespace {

using testing::HasSubstr;

struct Told {
  CheckCounts ranges, migrations;
  std::string reason;  ///< of the first call that did not agree
};

Told tell(const std::string& text) {
  const auto recording = replay_text(without_counts(text));
  EXPECT_TRUE(recording) << recording.error().to_string();
  if (!recording) return {};
  Told told{count_checks(*recording), count_migrate_checks(*recording), {}};
  for (const CallCheck& check : recording->checks())
    if (check.verdict != Verdict::agreed && told.reason.empty()) told.reason = check.reason;
  return told;
}

std::string snapshot() { return sample_text(samples_dir / "6.12-snapshot.trace.txt"); }

/// Without the array of the first such event.
std::string without_array(std::string text, std::string_view event, std::string_view array) {
  const size_t at = text.find(array, text.find(event)), end = text.find('}', at);
  return text.erase(at, end + 1 - at);
}

/// The line of the first such event, counted from 1.
size_t line_of(const std::string& text, std::string_view event) {
  const size_t at = text.find(event);
  return 1 + static_cast<size_t>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
}

TEST(ShownArrays, AnOutputThatNoEventShowsIsNotAgreement) {
  const Told told = tell(without_array(snapshot(), ": rf_out: ", " pfns={"));
  EXPECT_EQ(told.ranges.unknown, 1u);
  EXPECT_EQ(told.ranges.agreed, 0u);
  EXPECT_EQ(told.ranges.words_unknown, 7u);
  EXPECT_THAT(told.reason, HasSubstr("rf_out"));
}

TEST(ShownArrays, WordsBehindTheShownOnesAreCounted) {
  std::string text = snapshot();
  const size_t array = text.find(" pfns={", text.find(": rf_out: "));
  const size_t third = text.find(',', text.find(',', array) + 1);
  text.erase(third, text.find('}', array) - third);
  const Told told = tell(text);
  EXPECT_EQ(told.ranges.agreed, 1u);
  EXPECT_EQ(told.ranges.words_unknown, 5u);
}

TEST(ShownArrays, ADamagedArrayIsNamedWithItsLine) {
  for (const auto& [event, array] :
       {std::pair(": rf_out: ", " pfns={"), std::pair(": rf_in: ", " pfns={"),
        std::pair(": mv_setup_out: ", " src={"), std::pair(": mv_pages_in: ", " dst={")}) {
    const std::string text = without_counts(snapshot());
    const size_t first = text.find(array, text.find(event)) + std::string_view(array).size();
    const size_t comma = text.find_first_of(",}", first), end = text.find('\n', first);
    for (const std::string& changed :
         {text.substr(0, first) + "(fault)" + text.substr(comma),
          text.substr(0, first) + "zzz" + text.substr(comma),
          text.substr(0, first) + "0x12345678123456789" + text.substr(comma),
          text.substr(0, comma - 1) + text.substr(end)}) {
      const Told told = tell(changed);
      EXPECT_EQ(told.ranges.diverged + told.migrations.diverged, 0u) << event;
      EXPECT_GE(told.ranges.unknown + told.migrations.unknown, 1u) << event;
      EXPECT_THAT(told.reason, HasSubstr("line " + std::to_string(line_of(text, event)) + " is damaged"));
    }
  }
}

TEST(ShownArrays, ASetupWhoseWordsNothingShowsIsNotAgreement) {
  std::string text = snapshot();
  for (const char* event : {": mv_setup_out: ", ": mv_pages_in: "})
    for (const char* array : {" src={", " dst={"}) text = without_array(text, event, array);
  const Told told = tell(text);
  EXPECT_EQ(told.migrations.diverged, 0u);
  EXPECT_EQ(told.migrations.unknown, 3u);  // and the two calls behind it
  EXPECT_THAT(told.reason, HasSubstr("no event shows a word of src or dst"));
}

TEST(ShownArrays, ArraysThatAreMissingAreNotCalledShort) {
  std::string text = snapshot();
  for (const char* array : {" src={", " dst={"}) text = without_array(text, ": mv_pages_in: ", array);
  EXPECT_THAT(tell(text).reason, HasSubstr("neither src nor dst"));
}

/// The events of the project's own bpftrace script: calls, faults, no walk.
TEST(ShownArrays, WithoutProbesOfTheWalkTheCallIsUnknown) {
  TraceText trace = sample_trace("6.12-snapshot.trace.txt");
  std::erase_if(trace.events, [](const std::string& event) {
    return event.find(": w_") != std::string::npos || event.find(": h_p") != std::string::npos ||
           event.find(": fault") != std::string::npos || event.find(": ptes") != std::string::npos;
  });
  const Told told = tell(trace.text());
  EXPECT_EQ(told.ranges.diverged, 0u);
  EXPECT_EQ(told.ranges.unknown, 1u);
  EXPECT_THAT(told.reason, HasSubstr("hmm_vma_walk_test"));
}

TEST(ShownArrays, AReportThatLosesArraysSaysWhatToDo) {
  TraceText trace = sample_trace("6.12-snapshot.trace.txt");
  trace.head.clear();
  std::string text = trace.text();
  const size_t place = text.find("+0x"), open = text.rfind('(', place), close = text.find(')', place);
  text.replace(open, close - open + 1, "(ffffffff8122d414)");
  const auto read = trace_of_text(text);
  ASSERT_TRUE(read);
  const auto guess = guess_model(**read, Progress{});
  ASSERT_FALSE(guess);
  EXPECT_THAT(guess.error().to_string(), HasSubstr("use trace-cmd report -R"));
}

/// trace-cmd report -R does print them: the end of one program, cut out of a run of all tests at once.
TEST(ShownArrays, ACutOfARawReportAgrees) {
  const Told told = tell(sample_text(samples_dir / "6.12-stress-exclusive.report.txt"));
  EXPECT_EQ(told.ranges.calls, 1u);
  EXPECT_EQ(told.ranges.agreed, 1u) << told.reason;
  EXPECT_EQ(told.ranges.words_compared, 66u);
}

/// A word of src that is another one when pages begins than when setup returned, and nobody wrote it.
TEST(ShownArrays, ASourceWordThatChangedBetweenTheCallsIsNoticed) {
  const std::string text = sample_text(samples_dir / "6.12-fuzz-1.trace.txt.xz");
  size_t array = std::string::npos;
  for (size_t at = text.find(": mv_pages_in: "); at != std::string::npos && array == std::string::npos;
       at = text.find(": mv_pages_in: ", at + 1)) {
    const size_t found = text.find(" src={0x2,0x2,", at);
    if (found < text.find('\n', at)) array = found;
  }
  ASSERT_NE(array, std::string::npos);
  const OutputWord word{array + 6, 3, 2, 0, 0};
  for (const uint64_t changed : {uint64_t{0x202}, uint64_t{0xa}, uint64_t{0x82}}) {
    const Told told = tell(with_word(text, word, changed));
    EXPECT_EQ(told.migrations.unknown + told.migrations.diverged, 1u) << changed;
    EXPECT_THAT(told.reason, HasSubstr("no event shows who changed it"));
  }
  // What a driver may do: give the page up.
  EXPECT_THAT(tell(with_word(text, word, 0)).reason, testing::Not(HasSubstr("who changed it")));
}

/// An entry rebuilt in an address space that no event has shown: its page is known all the same.
TEST(ShownArrays, AnEntryRebuiltElsewhereMustNameThePage) {
  const std::string text = sample_text(samples_dir / "6.12-debian-shared.trace.txt.xz");
  ASSERT_EQ(tell(text).migrations.diverged, 0u);
  std::map<uint64_t, std::vector<MigrateWord>> rebuilt;
  for (const MigrateWord& word : migrate_words(text))
    if (word.of == MigrateWord::Of::rebuilt) rebuilt[word.word.start].push_back(word);
  size_t tried = 0;
  for (const auto& [addr, words] : rebuilt) {
    if (words.size() < 2 || tried == 8) continue;
    ++tried;
    for (const MigrateWord& word : {words.front(), words.back()})
      EXPECT_GE(tell(with_migrate_word(text, word, word.word.value ^ (uint64_t{1} << 13))).migrations.diverged, 1u)
          << addr;
  }
  EXPECT_GT(tried, 0u);
}

/// The later form of the unified patches takes back what it has prepared, by way of arrays that a capture of the form
/// as posted never shows.
TEST(ShownArrays, AnotherFormOfTheUnifiedPatchesIsNoCrash) {
  for (const auto& path : sample_files()) {
    if (path.filename().string().find("-unified-") == std::string::npos) continue;
    const auto trace = trace_of_text(sample_text(path));
    ASSERT_TRUE(trace);
    const auto model = model_of((*trace)->info(), "7.1-unified-later");
    ASSERT_TRUE(model) << model.error().to_string();
    const auto recording = replay(**trace, {*model, {}});
    ASSERT_TRUE(recording);
    EXPECT_GT(count_checks(*recording).calls, 0u) << path;
  }
}

}  // namespace
}  // namespace hmmscope::traces
