// The check must bite: any one bit of any one output word, altered, is a divergence at that word and nowhere
// else.
#include <bit>
#include <random>

#include "tests/traces/replay_support.h"

namespace hmmscope::traces {
namespace {

/// Replays with one bit of one word flipped; "" when the check says exactly that.
std::string judge_flip(const std::string& text, const OutputWord& word, unsigned bit) {
  const uint64_t flipped = word.value ^ (uint64_t{1} << bit);
  const auto recording = replay_text(with_word(text, word, flipped));
  if (!recording) return recording.error().to_string();
  const CheckCounts counts = count_checks(*recording);
  if (counts.diverged != 1) return counts_text(counts);
  for (const CallCheck& check : recording->checks()) {
    if (check.verdict != Verdict::diverged) continue;
    if (check.word == no_word) return "control flow: " + check.reason;
    const Region& region = recording->regions()[recording->region_of(check.word)];
    if (region.kind != RegionKind::hmm_pfns || region.address != word.start ||
        check.word - region.first != word.slot)
      return "at " + recording->word_name(check.word);
    if (check.kernel != flipped || check.engine != word.value) return "with other values";
    // The kernel's word is kept in a step of its own.
    if (recording->rule_of(check.step) != RuleId::check_diverged) return "without a step";
    const WriteView write = recording->write(check.step, 0);
    if (write.first != check.word || write.new_at(0) != flipped) return "the step writes something else";
    return {};
  }
  return "nothing";
}

TEST(CheckBites, EveryBitOfEveryWordOfASmallCapture) {
  for (const char* name : {"6.1-snapshot.trace.txt", "6.12-snapshot.trace.txt"}) {
    const std::string text = sample_text(samples_dir / name);
    const auto words = output_words(text);
    ASSERT_EQ(words.size(), 7u) << name;
    for (const OutputWord& word : words)
      for (unsigned bit = 0; bit < 64; ++bit)
        ASSERT_EQ(judge_flip(text, word, bit), "") << name << " slot " << word.slot << " bit " << bit;
  }
}

/// Random picks in every sample. A sticky bit of a word whose input no event shows is the only kind of bit
/// that nobody can know; where there are such words (1 GiB ranges of the fixed layout) they are left to the
/// next test.
TEST(CheckBites, RandomBitsInEverySample) {
  std::mt19937_64 random(20251120);
  for (const auto& path : sample_files()) {
    const std::string text = sample_text(path);
    const auto words = output_words(text);
    if (words.empty()) continue;
    const bool partly_unknown = path.string().find("fixed-hugetlb1g") != std::string::npos;
    const int picks = text.size() > 2'000'000 ? 6 : 12;
    for (int pick = 0; pick < picks; ++pick) {
      const OutputWord& word = words[random() % words.size()];
      const auto bit = static_cast<unsigned>(random() % 64);
      if (partly_unknown && word.slot >= 512 && bit >= 58 && bit <= 60) continue;
      EXPECT_EQ(judge_flip(text, word, bit), "") << path << " slot " << word.slot << " bit " << bit;
    }
  }
}

TEST(CheckBites, BitsThatNothingShowsAreCountedNotAgreed) {
  const std::string text = sample_text(samples_dir / "6.12-fixed-hugetlb1g.trace.txt.xz");
  const auto plain = replay_text(text);
  ASSERT_TRUE(plain) << plain.error().to_string();
  const uint64_t unknown = count_checks(*plain).words_unknown;
  EXPECT_GT(unknown, 0u);
  for (const OutputWord& word : output_words(text)) {
    if (word.slot < 512) continue;
    // Slot 262080 and up: no window shows the input, so DMA_MAPPED may have been there or not. VALID may not.
    EXPECT_EQ(judge_flip(text, word, 63), "");
    const auto recording = replay_text(with_word(text, word, word.value ^ (uint64_t{1} << 60)));
    ASSERT_TRUE(recording);
    const CheckCounts counts = count_checks(*recording);
    EXPECT_EQ(counts.diverged, 0u);
    EXPECT_EQ(counts.words_unknown, unknown);
    break;
  }
}

/// The words inside the call (what the pte handler stored) are outputs too.
TEST(CheckBites, WordsStoredOnTheWay) {
  const std::string text = sample_text(samples_dir / "6.12-snapshot.trace.txt");
  for (size_t at = text.find(": h_pte_r: "); at != std::string::npos; at = text.find(": h_pte_r: ", at + 1)) {
    const size_t value = text.find("pfn=0x", at) + 4;
    const size_t end = text.find('\n', value);
    OutputWord word{value, end - value, std::stoull(text.substr(value, end - value), nullptr, 16), 0, 0};
    const auto recording = replay_text(with_word(text, word, word.value ^ 1));
    ASSERT_TRUE(recording);
    EXPECT_EQ(count_checks(*recording).diverged, 1u);
  }
}

/// So are the ways the kernel took: a return value, a callback more or less.
TEST(CheckBites, ControlFlow) {
  const std::string text = without_counts(sample_text(samples_dir / "6.12-snapshot.trace.txt"));
  const auto diverged = [](const std::string& changed) {
    const auto recording = replay_text(changed);
    return recording ? count_checks(*recording).diverged : 99;
  };
  std::string other = text;
  size_t at = other.find(": rf_out: ");
  at = other.find("ret=0 ", at);
  EXPECT_EQ(diverged(other.replace(at, 6, "ret=-14 ")), 1u);
  const auto without = [&](std::string_view event, std::string changed) {
    const size_t found = changed.find(event, changed.find(": rf_in: "));
    EXPECT_NE(found, std::string::npos) << event;
    const size_t begin = changed.rfind('\n', found) + 1;
    return changed.erase(begin, changed.find('\n', found) + 1 - begin);
  };
  EXPECT_EQ(diverged(without(": w_hole: ", text)), 1u);
  // A kernel that does not go this way shows neither the entry nor the return.
  for (const char* event : {": w_test", ": w_pmd", ": h_pte"})
    EXPECT_EQ(diverged(without(std::string(event) + "_r: ", without(std::string(event) + ": ", text))), 1u) << "without the first " << event;
}

/// Entries and returns nest: one without the other is an event that was not recorded, nothing that the kernel did.
TEST(CheckBites, AMissingEventIsNoOtherWay) {
  const std::string text = without_counts(sample_text(samples_dir / "6.12-snapshot.trace.txt"));
  for (const std::string event : {": w_test: ", ": w_test_r: ", ": w_pud: ", ": w_pud_r: ", ": w_pmd: ", ": w_pmd_r: ", ": h_pte: ", ": h_pte_r: ", ": rf_out: "}) {
    std::string changed = text;
    const size_t at = changed.find(event, changed.find(": rf_in: "));
    ASSERT_NE(at, std::string::npos) << event;
    const size_t begin = changed.rfind('\n', at) + 1;
    changed.erase(begin, changed.find('\n', at) + 1 - begin);
    const auto recording = replay_text(changed);
    ASSERT_TRUE(recording) << event;
    ASSERT_FALSE(recording->checks().empty()) << event;
    size_t missing = 0;
    for (const CallCheck& check : recording->checks()) {
      EXPECT_NE(check.verdict, Verdict::diverged) << event << check.reason;
      missing += check.verdict == Verdict::unknown && check.reason.find("an event is missing: ") != std::string::npos;
    }
    EXPECT_EQ(missing, 1u) << event;
  }
}

}  // namespace
}  // namespace hmmscope::traces
