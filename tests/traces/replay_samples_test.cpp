// Whole captures: the engine explains every call, and damage in a trace is never taken for a divergence of
// the kernel.
#include <atomic>
#include <map>
#include <random>

#include "tests/traces/replay_support.h"

namespace hmmscope::traces {
namespace {

/// Calls that no probe decides: another task's callback was under way as the sequence was compared.
const std::map<std::string, size_t> undecided_calls = {{"6.12-debian-race.trace.txt.xz", 1}};

TEST(ReplaySamples, EveryCallAgrees) {
  for (const auto& path : sample_files()) {
    const std::string text = sample_text(path);
    ASSERT_FALSE(text.empty()) << path;
    const auto recording = replay_text(text, path.filename().string());
    ASSERT_TRUE(recording) << recording.error().to_string();
    const CheckCounts counts = count_checks(*recording);
    size_t calls = 0;
    for (size_t at = text.find(": rf_in: "); at != std::string::npos; at = text.find(": rf_in: ", at + 1))
      ++calls;
    EXPECT_EQ(counts.calls, calls) << path;
    const auto known = undecided_calls.find(path.filename().string());
    const size_t undecided = known == undecided_calls.end() ? 0 : known->second;
    EXPECT_EQ(counts.agreed, calls - undecided) << path;
    EXPECT_EQ(counts.unknown, undecided) << path;
    for (const CallCheck& check : recording->checks()) {
      if (check.verdict == Verdict::unknown && undecided != 0) continue;
      EXPECT_EQ(check.verdict, Verdict::agreed) << path << ": " << check.reason;
    }
  }
}

/// Checks point at what they speak of.
TEST(ReplaySamples, ChecksPointIntoTheRecording) {
  const auto recording = replay_text(sample_text(samples_dir / "6.12-compound.trace.txt"));
  ASSERT_TRUE(recording);
  ASSERT_FALSE(recording->checks().empty());
  for (const CallCheck& check : recording->checks()) {
    ASSERT_LT(check.call, recording->calls().size());
    EXPECT_EQ(recording->calls()[check.call].function, Function::hmm_range_fault);
    EXPECT_TRUE(recording->calls()[check.call].returned);
    ASSERT_LT(check.step, recording->steps());
    EXPECT_EQ(recording->rule_of(check.step), RuleId::check_agreed);
    EXPECT_GT(check.words_compared, 0u);
  }
  EXPECT_EQ(recording->meta("model"), "6.12");
}

/// What came from an event is marked so, and what the engine did is its own.
TEST(ReplaySamples, EvidenceSaysWhereWordsComeFrom) {
  const auto recording = replay_text(sample_text(samples_dir / "6.12-snapshot.trace.txt"));
  ASSERT_TRUE(recording);
  size_t shown = 0, computed = 0;
  for (StepIndex step = 0; step < recording->steps(); ++step) {
    for (uint32_t k = 0; k < recording->write_count(step); ++k) {
      const WriteView write = recording->write(step, k);
      const RegionKind kind = recording->regions()[recording->region_of(write.first)].kind;
      if (recording->rule_of(step) == RuleId::trace_pte_shown && kind == RegionKind::pte) {
        EXPECT_EQ(write.evidence, Evidence::observed);
        ++shown;
      }
      if (recording->rule_of(step) == RuleId::pte_present && kind == RegionKind::hmm_pfns) {
        EXPECT_EQ(write.evidence, Evidence::computed);
        ++computed;
      }
    }
  }
  EXPECT_EQ(shown, 5u);
  EXPECT_GE(computed, 2u);
}

/// A trace that stops early: calls that ended agree as before, the open one is unknown.
TEST(ReplaySamples, TruncatedTracesDoNotDiverge) {
  std::mt19937_64 random(7);
  for (const char* name : {"6.12-snapshot.trace.txt", "6.12-anon_write_huge.trace.txt.xz",
                           "6.12-fuzz-1.trace.txt.xz", "6.12-debian-fuzz-1.trace.txt.xz"}) {
    const std::string text = without_counts(sample_text(samples_dir / name));
    const size_t first_call = text.find(": rf_in: ");
    for (int pick = 0; pick < 12; ++pick) {
      const size_t cut = text.find('\n', first_call + random() % (text.size() - first_call));
      const auto recording = replay_text(std::string_view(text).substr(0, cut + 1));
      ASSERT_TRUE(recording) << recording.error().to_string();
      const CheckCounts counts = count_checks(*recording);
      EXPECT_EQ(counts.diverged, 0u) << name << " cut at " << cut;
      EXPECT_LE(counts.unknown, 1u) << name << " cut at " << cut;
    }
  }
}

/// Lines lost or repeated anywhere: any judgement, but an end, and a recording whose steps undo and redo.
TEST(ReplaySamples, DamagedTracesAreReplayedSafely) {
  std::mt19937_64 random(11);
  const std::string text = without_counts(sample_text(samples_dir / "6.12-overlap-4k.trace.txt.xz"));
  std::vector<std::string_view> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    lines.push_back(std::string_view(text).substr(at, end - at + 1));
    at = end + 1;
  }
  for (int round = 0; round < 30; ++round) {
    std::string damaged;
    for (size_t k = 0; k < lines.size(); ++k) {
      const uint64_t dice = k < 3 ? 9 : random() % 40;
      if (dice == 0) continue;
      damaged += lines[k];
      if (dice == 1) damaged += lines[random() % lines.size()];
      if (dice == 2) {
        std::string twisted(lines[random() % lines.size()]);
        const size_t digit = twisted.find("0x");
        if (digit != std::string::npos && digit + 2 < twisted.size())
          twisted[digit + 2] = "0123456789abcdef"[random() % 16];
        damaged += twisted;
      }
    }
    const auto recording = replay_text(damaged);
    if (!recording) continue;  // the reader may refuse what was twisted
    EXPECT_LE(count_checks(*recording).calls, 200u);
    EXPECT_GT(recording->steps(), 0u);
  }
}

/// Without the migrations nothing tells who owns the two device pages: unknown, neither agreed nor diverged,
/// and a bit that does not depend on the owner still diverges.
TEST(ReplaySamples, UnknownOwnersAreNotGuessed) {
  const std::string text = without_counts(sample_text(samples_dir / "6.12-snapshot.trace.txt"));
  std::string kept;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    const std::string_view line = std::string_view(text).substr(at, end - at + 1);
    if (line.find(": mv_") == std::string_view::npos) kept += line;
    at = end + 1;
  }
  const auto recording = replay_text(kept);
  ASSERT_TRUE(recording) << recording.error().to_string();
  ASSERT_EQ(recording->checks().size(), 1u);
  EXPECT_EQ(recording->checks()[0].verdict, Verdict::unknown);
  EXPECT_NE(recording->checks()[0].reason.find("owner"), std::string::npos);
  const auto words = output_words(kept);
  const auto altered = replay_text(with_word(kept, words[3], words[3].value ^ 1));
  ASSERT_TRUE(altered);
  EXPECT_EQ(count_checks(*altered).diverged, 1u);
}

/// Requests in words that no window shows: any outcome may be right, unless only words that are shown count,
/// as in a huge page.
TEST(ReplaySamples, UnknownRequestsAreNotGuessed) {
  std::string huge = sample_text(samples_dir / "6.12-overlap-hugetlb1g.trace.txt.xz");
  for (size_t at = huge.find(" mask=0x0 "); at != std::string::npos; at = huge.find(" mask=0x0 ", at + 1))
    huge.replace(at, 10, " mask=0x8000000000000000 ");
  const auto first_slot = replay_text(huge);
  ASSERT_TRUE(first_slot) << first_slot.error().to_string();
  EXPECT_EQ(count_checks(*first_slot).unknown, 0u);
  // The first 64 of 512 pages of a THP shown, the rest not.
  std::string thp = without_counts(sample_text(samples_dir / "6.12-overlap-thp.trace.txt.xz"));
  for (size_t at = thp.find(" mask=0x0 "); at != std::string::npos; at = thp.find(" mask=0x0 ", at + 1))
    thp.replace(at, 10, " mask=0xffffffffffffffff ");
  for (const char* window : {": rf_in_b: ", ": rf_in_c: "}) {
    for (size_t at = thp.find(window); at != std::string::npos; at = thp.find(window, at)) {
      const size_t begin = thp.rfind('\n', at) + 1;
      thp.erase(begin, thp.find('\n', at) + 1 - begin);
      at = begin;
    }
  }
  const auto unseen = replay_text(thp);
  ASSERT_TRUE(unseen) << unseen.error().to_string();
  EXPECT_GT(count_checks(*unseen).unknown, 0u);
}

TEST(ReplaySamples, CancelStopsTheReplay) {
  const std::string text = sample_text(samples_dir / "6.12-snapshot.trace.txt");
  const auto trace = read_trace({reinterpret_cast<const uint8_t*>(text.data()), text.size()}, "x");
  ASSERT_TRUE(trace);
  std::atomic<bool> cancel{true};
  ReplayOptions options{*kernel_model("6.12"), {}};
  options.progress.cancel = &cancel;
  const auto recording = replay(**trace, options);
  ASSERT_FALSE(recording);
  EXPECT_EQ(recording.error().message, "cancelled");
}

}  // namespace
}  // namespace hmmscope::traces
