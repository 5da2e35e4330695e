// The check of migrations must bite: a decided bit of an output word, altered, is a divergence at that word and
// nowhere else. Bits that nothing decides are counted and never called a divergence.
#include <algorithm>
#include <random>
#include <set>

#include "tests/traces/migrate_support.h"

namespace hmmscope::traces {
namespace {

enum class Outcome { here, elsewhere, undecided, agreed };

struct Flip {
  Outcome outcome;
  std::string why;
};

Flip judge_flip(const std::string& text, const MigrateWord& word, unsigned bit, uint64_t unknown_before) {
  const uint64_t flipped = word.word.value ^ (uint64_t{1} << bit);
  const auto recording = replay_text(with_migrate_word(text, word, flipped));
  if (!recording) return {Outcome::elsewhere, recording.error().to_string()};
  const CheckCounts counts = count_migrate_checks(*recording);
  if (counts.diverged == 0) {
    const bool counted = counts.words_unknown != 0 && counts.words_unknown >= unknown_before;
    return {counted ? Outcome::undecided : Outcome::agreed, counts_text(counts)};
  }
  if (counts.diverged != 1) return {Outcome::elsewhere, counts_text(counts)};
  for (const CallCheck& check : recording->checks()) {
    if (check.verdict != Verdict::diverged) continue;
    if (check.word == no_word) return {Outcome::elsewhere, check.reason};
    const Region& region = recording->regions()[recording->region_of(check.word)];
    const uint64_t address = region.address + (check.word - region.first) * region.stride;
    if (region.kind != region_of(word.of) || address != word.word.start + word.word.slot * page_bytes)
      return {Outcome::elsewhere, recording->word_name(check.word)};
    if (check.kernel != flipped) return {Outcome::elsewhere, "another word"};
    return {Outcome::here, {}};
  }
  return {Outcome::elsewhere, "nothing"};
}

/// What nothing decides: A, D and soft-dirty of rebuilt entries. Of what the unified patches have prepared A
/// and D are decided: they are gone.
bool may_be_undecided(const std::string& text, const MigrateWord& word, unsigned bit) {
  if (word.undecided) return true;
  if (word.of != MigrateWord::Of::rebuilt) return false;
  if ((word.word.value & 1) == 0) return bit == 1;
  if (text.find("patch=unified-rfc") != std::string::npos && (bit == 5 || bit == 6)) return false;
  return bit == 5 || bit == 6 || bit == 11 || bit == 58;
}

void expect_bite(const std::string& text, const MigrateWord& word, unsigned bit, uint64_t unknown,
                 const std::string& where) {
  const Flip flip = judge_flip(text, word, bit, unknown);
  const Outcome expected = may_be_undecided(text, word, bit) ? Outcome::undecided : Outcome::here;
  EXPECT_EQ(flip.outcome, expected) << where << " kind " << static_cast<int>(word.of) << " slot "
                                    << word.word.slot << " word " << word.word.value << " bit " << bit << ": "
                                    << flip.why;
}

TEST(MigrateCheckBites, EveryBitOfEveryWordOfASmallCapture) {
  const std::string text = sample_text(samples_dir / "6.12-snapshot.trace.txt");
  const auto words = migrate_words(text);
  ASSERT_EQ(words.size(), 12u);
  for (const MigrateWord& word : words)
    for (unsigned bit = 0; bit < 64; ++bit) expect_bite(text, word, bit, 0, "6.12-snapshot");
}

/// Words of which a flip is met, but elsewhere too or as a count: entries rebuilt for a process whose mapping no event has
/// shown, and words that tell what became of a 2M page.
bool met_elsewhere(const std::string& name, MigrateWord::Of of) {
  using Of = MigrateWord::Of;
  static const std::set<std::pair<std::string, Of>> such = {{"6.12-debian-shared.trace.txt.xz", Of::rebuilt},
                                                            {"6.12-debian-swapped.trace.txt.xz", Of::rebuilt},
                                                            {"6.12-debian-thp.trace.txt.xz", Of::setup_src},
                                                            {"6.12-debian-race.trace.txt.xz", Of::setup_src}};
  return such.contains({name, of});
}

TEST(MigrateCheckBites, RandomBitsInEverySample) {
  std::mt19937_64 random(20261120);
  for (const auto& path : sample_files()) {
    const std::string text = sample_text(path);
    const auto words = migrate_words(text);
    if (words.empty()) continue;
    const auto plain = replay_text(text);
    ASSERT_TRUE(plain);
    const uint64_t unknown = count_migrate_checks(*plain).words_unknown;
    const std::string name = path.filename().string();
    for (int pick = 0; pick < 48; ++pick) {
      const MigrateWord& word = words[random() % words.size()];
      const auto bit = static_cast<unsigned>(random() % 64);
      if (met_elsewhere(name, word.of)) {
        EXPECT_NE(judge_flip(text, word, bit, unknown).outcome, Outcome::agreed) << name;
      } else {
        expect_bite(text, word, bit, unknown, name);
      }
    }
  }
}

/// The low six bits are where refusals and permissions are.
TEST(MigrateCheckBites, FlagsOfSourceWords) {
  std::mt19937_64 random(4);
  const std::string text = sample_text(samples_dir / "6.12-fuzz-1.trace.txt.xz");
  std::vector<MigrateWord> words;
  for (const MigrateWord& word : migrate_words(text))
    if (word.of == MigrateWord::Of::setup_src || word.of == MigrateWord::Of::pages_src) words.push_back(word);
  std::shuffle(words.begin(), words.end(), random);
  words.resize(std::min<size_t>(words.size(), 24));
  for (const MigrateWord& word : words)
    for (unsigned bit = 0; bit < 6; ++bit) expect_bite(text, word, bit, 0, "6.12-fuzz-1");
}

uint64_t diverged(const std::string& text) {
  const auto recording = replay_text(text);
  return recording ? count_migrate_checks(*recording).diverged : 99;
}

TEST(MigrateCheckBites, CountsAndReturnValues) {
  const std::string text = sample_text(samples_dir / "6.12-snapshot.trace.txt");
  EXPECT_EQ(diverged(text), 0u);
  EXPECT_EQ(diverged(with_replaced(text, ": mv_setup_out: ", "ret=0", "ret=-22")), 1u);
  EXPECT_EQ(diverged(with_replaced(text, ": mv_setup_out: ", "cpages=1", "cpages=0")), 1u);
  EXPECT_EQ(diverged(with_replaced(text, ": mv_setup_out: ", "npages=1", "npages=2")), 1u);
  EXPECT_EQ(diverged(with_replaced(text, ": mv_pages_out: ", "cpages=1", "cpages=3")), 1u);
  EXPECT_EQ(diverged(with_replaced(text, ": mv_fin_out: ", "npages=1", "npages=0")), 1u);
}

TEST(MigrateCheckBites, TheNotifierAndTheWalk) {
  const std::string text = sample_text(samples_dir / "6.12-snapshot.trace.txt");
  const size_t setup = text.find(": mv_setup_in: ");
  const auto inside = [&](std::string_view event, std::string_view from, std::string_view to) {
    std::string changed = text;
    const size_t at = changed.find(from, changed.find(event, setup));
    EXPECT_NE(at, std::string::npos);
    return changed.replace(at, from.size(), to);
  };
  EXPECT_EQ(diverged(inside(": mn_start: ", "owner=0xffffffffa0", "owner=0xffffffffa1")), 1u);
  EXPECT_EQ(diverged(inside(": mn_start: ", "start=0x7", "start=0x6")), 1u);
  EXPECT_EQ(diverged(inside(": mv_cpmd: ", "end=0x7", "end=0x6")), 1u);
}

/// An entry rebuilt that was not, and one that was and is not shown.
TEST(MigrateCheckBites, EntriesRebuiltTooOftenOrNotAtAll) {
  const std::string text = without_counts(sample_text(samples_dir / "6.12-migrate_fault.trace.txt.xz"));
  const size_t at = text.find(": remove_migration_pte: ", text.find(": mv_fin_in"));
  const size_t begin = text.rfind('\n', at) + 1, end = text.find('\n', at) + 1;
  const std::string line = text.substr(begin, end - begin);
  std::string changed = text;
  EXPECT_EQ(diverged(changed.insert(begin, line)), 1u);
  changed = text;
  EXPECT_EQ(diverged(changed.erase(begin, end - begin)), 1u);
}

}  // namespace
}  // namespace hmmscope::traces
