#include "engine/recording/recording_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <filesystem>
#include <fstream>

#include "engine/recording/cursor.h"
#include "engine/recording/file_format.h"
#include "engine/recording/history.h"
#include "tests/recording/random_recording.h"

namespace hmmscope {
namespace {

namespace format = file_format;
using ::testing::HasSubstr;
using testing::random_recording;

std::vector<uint8_t> bytes_of(const Recording& recording) {
  auto bytes = RecordingFile::to_bytes(recording);
  EXPECT_TRUE(bytes.has_value());
  return bytes ? *bytes : std::vector<uint8_t>{};
}

void expect_equal(const Recording& a, const Recording& b) {
  ASSERT_EQ(a.steps(), b.steps());
  ASSERT_EQ(a.writes(), b.writes());
  ASSERT_EQ(a.word_count(), b.word_count());
  for (StepIndex s = 0; s < a.steps(); ++s) {
    ASSERT_EQ(a.rule_of(s), b.rule_of(s));
    ASSERT_EQ(a.rule_name(s), b.rule_name(s));
    ASSERT_EQ(a.call_of(s), b.call_of(s));
    ASSERT_EQ(a.event_of(s), b.event_of(s));
    ASSERT_TRUE(std::ranges::equal(a.operands(s), b.operands(s)));
    ASSERT_EQ(a.write_count(s), b.write_count(s));
    for (uint32_t i = 0; i < a.write_count(s); ++i) {
      const WriteView x = a.write(s, i);
      const WriteView y = b.write(s, i);
      ASSERT_EQ(x.first, y.first);
      ASSERT_EQ(x.count, y.count);
      ASSERT_EQ(x.evidence, y.evidence);
      ASSERT_EQ(x.new_shape, y.new_shape);
      ASSERT_EQ(x.old_shape, y.old_shape);
      for (uint32_t k = 0; k < x.count; ++k) {
        ASSERT_EQ(x.new_at(k), y.new_at(k));
        ASSERT_EQ(x.old_at(k), y.old_at(k));
      }
    }
  }
  ASSERT_EQ(a.calls().size(), b.calls().size());
  for (CallId c = 0; c < a.calls().size(); ++c) {
    const Call& x = a.calls()[c];
    const Call& y = b.calls()[c];
    ASSERT_EQ(
        std::tuple(x.parent, x.function, x.first_step, x.end_step, x.depth, x.task, x.returned, x.result),
        std::tuple(y.parent, y.function, y.first_step, y.end_step, y.depth, y.task, y.returned, y.result));
    ASSERT_TRUE(std::ranges::equal(a.arguments(c), b.arguments(c)));
  }
  ASSERT_EQ(a.regions().size(), b.regions().size());
  for (RegionId r = 0; r < a.regions().size(); ++r) {
    const Region& x = a.regions()[r];
    const Region& y = b.regions()[r];
    ASSERT_EQ(std::tuple(x.kind, x.owner, x.first, x.count, x.address, x.stride, x.name),
              std::tuple(y.kind, y.owner, y.first, y.count, y.address, y.stride, y.name));
  }
  EXPECT_EQ(a.meta(), b.meta());
  EXPECT_EQ(a.events().size(), b.events().size());
  EXPECT_TRUE(std::ranges::equal(a.event_kinds(), b.event_kinds()));
  ASSERT_EQ(a.checks().size(), b.checks().size());
  for (size_t i = 0; i < a.checks().size(); ++i) {
    const CallCheck& x = a.checks()[i];
    const CallCheck& y = b.checks()[i];
    ASSERT_EQ(std::tuple(x.call, x.verdict, x.step, x.word, x.kernel, x.engine, x.known, x.rule,
                         x.words_compared, x.reason),
              std::tuple(y.call, y.verdict, y.step, y.word, y.kernel, y.engine, y.known, y.rule,
                         y.words_compared, y.reason));
  }
}

/// A small file may not cost a machine its memory.
TEST(RecordingFile, RefusesWhatShrankLikeNoRecordingDoes) {
  Memory memory;
  Region zeros;
  zeros.kind = RegionKind::hmm_pfns;
  zeros.count = 1u << 20;
  memory.add_region(std::move(zeros));
  Recorder recorder(memory);
  recorder.step(RuleId::unknown_rule);
  const auto bytes = bytes_of(std::move(recorder).finish());
  EXPECT_TRUE(RecordingFile::from_bytes(bytes, "test").has_value());
  const auto refused = RecordingFile::from_bytes(bytes, "test", uint64_t{16} << 20);   // a sixteenth goes without a look
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().to_string(), HasSubstr("made to fill the memory"));
}

class RoundTrip : public ::testing::TestWithParam<uint32_t> {};

TEST_P(RoundTrip, KeepsEverything) {
  const auto random = random_recording({.seed = GetParam(), .steps = 500, .events = GetParam() % 2 == 0});
  const auto bytes = bytes_of(*random.recording);
  auto loaded = RecordingFile::from_bytes(bytes, "test");
  ASSERT_TRUE(loaded.has_value()) << loaded.error().to_string();
  expect_equal(*random.recording, *loaded);
  EXPECT_EQ(bytes_of(*loaded), bytes);
  const auto stopped =
      RecordingFile::from_bytes(bytes, "test", RecordingFile::default_limit, [](uint64_t) { return false; });
  ASSERT_FALSE(stopped.has_value());
  EXPECT_EQ(stopped.error().to_string(), "cancelled");

  Cursor cursor(std::make_shared<const Recording>(std::move(*loaded)));
  do {
    ASSERT_EQ(cursor.hash(), state_hash(random.states[cursor.position()]));
  } while (cursor.step());
  while (cursor.back()) ASSERT_EQ(cursor.hash(), state_hash(random.states[cursor.position()]));
}

INSTANTIATE_TEST_SUITE_P(Seeds, RoundTrip, ::testing::Range(200u, 208u));

/// Uses everything the program would use of a loaded recording; must stay in bounds whatever was loaded.
void use(Recording loaded) {
  const auto recording = std::make_shared<const Recording>(std::move(loaded));
  Cursor cursor(recording);
  const uint64_t start = cursor.hash();
  while (cursor.step()) {
    const StepIndex step = cursor.current_step();
    (void)recording->operands(step);
    (void)recording->rule_name(step);
    (void)recording->path(recording->call_of(step));
    const EventIndex event = recording->event_of(step);
    if (event != no_event) (void)recording->tasks()[recording->events()[event].task];
  }
  cursor.seek(recording->steps() / 2);
  while (cursor.back()) {
  }
  EXPECT_EQ(cursor.hash(), start);
  const History history(recording);
  for (WordIndex w = 0; w < recording->word_count(); w += 1 + recording->word_count() / 16) {
    (void)history.changes(w);
    (void)recording->word_name(w);
  }
}

std::vector<uint8_t> small_file(uint32_t seed) {
  return bytes_of(
      *random_recording({.seed = seed, .steps = 12, .first_words = 40, .longest_run = 20, .events = true})
           .recording);
}

TEST(RecordingFile, RefusesEveryTruncation) {
  const auto bytes = small_file(1);
  for (size_t size = 0; size < bytes.size(); ++size) {
    const auto loaded = RecordingFile::from_bytes(std::span(bytes).first(size), "cut");
    ASSERT_FALSE(loaded.has_value()) << "cut to " << size << " bytes";
    ASSERT_EQ(loaded.error().file, "cut");
    ASSERT_TRUE(loaded.error().has_offset);
  }
}

TEST(RecordingFile, RefusesEveryFlippedByte) {
  const auto good = small_file(2);
  for (size_t i = 0; i < good.size(); ++i) {
    for (const int flip : {0x01, 0x80, 0xff}) {
      auto bytes = good;
      bytes[i] = static_cast<uint8_t>(bytes[i] ^ flip);
      const auto loaded = RecordingFile::from_bytes(bytes, "flipped");
      ASSERT_FALSE(loaded.has_value()) << "byte " << i;
    }
  }
}

/// Section contents of a file, so that tests can forge files whose checksums are right.
struct Forge {
  struct Section {
    uint32_t tag;
    std::vector<uint8_t> bytes;
  };
  std::vector<Section> sections;

  explicit Forge(const Recording& recording);
  std::vector<uint8_t>& of(uint32_t tag) {
    return std::find_if(sections.begin(), sections.end(), [&](const Section& s) { return s.tag == tag; })
        ->bytes;
  }
  std::vector<uint8_t> file() const;
};

std::vector<uint8_t> decompress(std::span<const uint8_t> stored, const format::SectionEntry& entry) {
  if ((entry.flags & format::SectionEntry::zstd) == 0) return {stored.begin(), stored.end()};
  std::vector<uint8_t> out(entry.size);
  EXPECT_EQ(ZSTD_decompress(out.data(), out.size(), stored.data(), stored.size()), out.size());
  return out;
}

uint32_t crc_of(uint32_t start, const void* data, size_t size) {
  return static_cast<uint32_t>(crc32_z(start, static_cast<const Bytef*>(data), size));
}

Forge::Forge(const Recording& recording) {
  const auto bytes = bytes_of(recording);
  format::Header header{};
  std::memcpy(&header, bytes.data(), sizeof header);
  for (uint32_t i = 0; i < header.sections; ++i) {
    format::SectionEntry entry{};
    std::memcpy(&entry, bytes.data() + sizeof header + i * sizeof entry, sizeof entry);
    sections.push_back(
        {entry.tag, decompress(std::span(bytes).subspan(entry.offset, entry.stored_size), entry)});
  }
}

std::vector<uint8_t> Forge::file() const {
  format::Header header{format::magic, format::version, static_cast<uint32_t>(sections.size()), 0, 0};
  std::vector<format::SectionEntry> table;
  uint64_t offset = sizeof header + sections.size() * sizeof(format::SectionEntry);
  for (const Section& s : sections) {
    table.push_back(
        {s.tag, 0, offset, s.bytes.size(), s.bytes.size(), crc_of(0, s.bytes.data(), s.bytes.size()), 0});
    offset += s.bytes.size();
  }
  const size_t table_size = table.size() * sizeof(format::SectionEntry);
  header.checksum = crc_of(crc_of(0, &header, sizeof header), table.data(), table_size);
  std::vector<uint8_t> file(sizeof header + table_size);
  std::memcpy(file.data(), &header, sizeof header);
  std::memcpy(file.data() + sizeof header, table.data(), table_size);
  for (const Section& s : sections) file.insert(file.end(), s.bytes.begin(), s.bytes.end());
  return file;
}

TEST(RecordingFile, SurvivesForgedContents) {
  // Checksums are right, contents are not: every byte of every section in turn, and random sizes.
  size_t accepted = 0;
  for (const uint32_t seed : {3u, 4u}) {
    const Forge good(
        *random_recording({.seed = seed, .steps = 12, .first_words = 40, .longest_run = 20, .events = true})
             .recording);
    std::mt19937 dice(seed);
    for (size_t s = 0; s < good.sections.size(); ++s) {
      for (size_t i = 0; i < good.sections[s].bytes.size(); ++i) {
        for (const int flip : {0x01, 0x40, 0xff}) {
          Forge forged = good;
          uint8_t& byte = forged.sections[s].bytes[i];
          byte = static_cast<uint8_t>(byte ^ flip);
          auto loaded = RecordingFile::from_bytes(forged.file(), "forged", 1 << 20);
          if (!loaded) continue;
          ++accepted;
          if (accepted % 7 == 0) use(std::move(*loaded));
        }
      }
      Forge shorter = good;
      shorter.sections[s].bytes.resize(shorter.sections[s].bytes.size() * 3 / 4);
      if (auto loaded = RecordingFile::from_bytes(shorter.file(), "forged", 1 << 20)) use(std::move(*loaded));
      Forge longer = good;
      longer.sections[s].bytes.resize(longer.sections[s].bytes.size() + 1 + dice() % 64);
      if (auto loaded = RecordingFile::from_bytes(longer.file(), "forged", 1 << 20)) use(std::move(*loaded));
    }
  }
  EXPECT_GT(accepted, 100u)
      << "flips of plain values must load, else this test reaches nothing behind the checks";
}

TEST(RecordingFile, KeepsRulesAndFunctionsItDoesNotKnow) {
  Memory memory;
  Recorder recorder(memory);
  recorder.enter(Function::hmm_range_fault);
  recorder.step(RuleId::unknown_rule);
  recorder.leave(0);
  CallCheck check;
  check.rule = RuleId::unknown_rule;
  check.call = 0;
  recorder.add_check(check);
  Forge forged(std::move(recorder).finish());
  format::Bytes names;
  for (const std::string_view name : {"rule.of.tomorrow", "hmm_of_tomorrow"}) {
    names.put(uint32_t{1});
    names.put(name);
  }
  names.put(uint32_t{0});
  forged.of(format::names) = names.data;

  auto loaded = RecordingFile::from_bytes(forged.file(), "test");
  ASSERT_TRUE(loaded.has_value()) << loaded.error().to_string();
  EXPECT_EQ(loaded->rule_of(0), RuleId::unknown_rule);
  EXPECT_EQ(loaded->rule_name(0), "rule.of.tomorrow");
  EXPECT_EQ(loaded->rule_name_of_check(0), "rule.of.tomorrow");
  EXPECT_EQ(loaded->calls()[0].function, Function::unknown_function);
  EXPECT_EQ(loaded->function_name_of(0), "hmm_of_tomorrow");
  const auto saved = RecordingFile::from_bytes(bytes_of(*loaded), "test");
  ASSERT_TRUE(saved.has_value());
  EXPECT_EQ(saved->rule_name(0), "rule.of.tomorrow");
  EXPECT_EQ(saved->function_name_of(0), "hmm_of_tomorrow");
}

TEST(RecordingFile, SkipsSectionsItDoesNotKnow) {
  const auto random = random_recording({.seed = 9, .steps = 20});
  Forge forged(*random.recording);
  forged.sections.insert(forged.sections.begin() + 2, {format::tag("NEWS"), {1, 2, 3}});
  const auto loaded = RecordingFile::from_bytes(forged.file(), "test");
  ASSERT_TRUE(loaded.has_value()) << loaded.error().to_string();
  expect_equal(*random.recording, *loaded);
}

TEST(RecordingFile, RefusesAMissingOrRepeatedSection) {
  const Forge good(*random_recording({.seed = 9, .steps = 20}).recording);
  for (size_t s = 0; s < good.sections.size(); ++s) {
    Forge missing = good;
    missing.sections.erase(missing.sections.begin() + static_cast<std::ptrdiff_t>(s));
    const auto loaded = RecordingFile::from_bytes(missing.file(), "test");
    ASSERT_FALSE(loaded.has_value());
    EXPECT_THAT(loaded.error().message, HasSubstr("missing"));
    Forge twice = good;
    twice.sections.push_back(twice.sections[s]);
    EXPECT_FALSE(RecordingFile::from_bytes(twice.file(), "test").has_value());
  }
}

TEST(RecordingFile, RefusesWhatWouldTakeTooMuchMemory) {
  const auto random = random_recording({.seed = 9, .steps = 100});
  const auto bytes = bytes_of(*random.recording);
  const auto loaded = RecordingFile::from_bytes(bytes, "big", 1000);
  ASSERT_FALSE(loaded.has_value());
  EXPECT_THAT(loaded.error().message, HasSubstr("memory"));
}

TEST(RecordingFile, RefusesRunsThatWouldTakeForever) {
  Memory memory;
  Region region;
  region.count = 5000;
  memory.add_region(region);
  Recorder recorder(memory);
  recorder.step(RuleId::unknown_rule);
  for (int i = 0; i < 200; ++i) recorder.fill(0, 5000, 1, 1);
  const auto bytes = bytes_of(std::move(recorder).finish());
  const auto loaded = RecordingFile::from_bytes(bytes, "long", 500000);
  ASSERT_FALSE(loaded.has_value());
  EXPECT_THAT(loaded.error().message, HasSubstr("runs cover more words"));
}

class RecordingOnDisk : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(::testing::TempDir()) /
              (std::string("hmmrec_") + ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path folder_;
};

TEST_F(RecordingOnDisk, SavesAndLoads) {
  const auto random = random_recording({.seed = 77, .steps = 50});
  const auto path = folder_ / "a.hmmrec";
  std::ofstream(path) << "an older file";
  ASSERT_TRUE(RecordingFile::save(*random.recording, path).has_value());
  const auto loaded = RecordingFile::load(path);
  ASSERT_TRUE(loaded.has_value()) << loaded.error().to_string();
  expect_equal(*random.recording, *loaded);
  size_t files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder_)) ++files;
  EXPECT_EQ(files, 1u) << "no temporary file stays behind";
  std::array<uint8_t, 8> first{};
  std::ifstream(path, std::ios::binary).read(reinterpret_cast<char*>(first.data()), first.size());
  EXPECT_TRUE(RecordingFile::is_recording(first));
  EXPECT_FALSE(RecordingFile::is_recording(std::span(first).first(7)));
}

TEST_F(RecordingOnDisk, SavesBehindALink) {
  const auto random = random_recording({.seed = 78, .steps = 5});
  std::ofstream(folder_ / "target") << "old";
  std::filesystem::create_symlink(folder_ / "target", folder_ / "link");
  ASSERT_TRUE(RecordingFile::save(*random.recording, folder_ / "link").has_value());
  EXPECT_TRUE(std::filesystem::is_symlink(folder_ / "link"));
  EXPECT_TRUE(RecordingFile::load(folder_ / "target").has_value());
}

TEST_F(RecordingOnDisk, NamesTheFileInErrors) {
  const auto random = random_recording({.seed = 79, .steps = 5});
  const auto nowhere = folder_ / "no" / "such" / "folder.hmmrec";
  const auto saved = RecordingFile::save(*random.recording, nowhere);
  ASSERT_FALSE(saved.has_value());
  EXPECT_THAT(saved.error().to_string(), HasSubstr("folder.hmmrec"));
  EXPECT_THAT(RecordingFile::load(nowhere).error().to_string(), HasSubstr("folder.hmmrec"));
  EXPECT_FALSE(RecordingFile::load(folder_).has_value());
  EXPECT_FALSE(RecordingFile::save(*random.recording, folder_).has_value());
  EXPECT_FALSE(RecordingFile::save(*random.recording, "/dev/null").has_value())
      << "a device is never replaced";
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
  std::ofstream(folder_ / "empty").flush();
  EXPECT_THAT(RecordingFile::load(folder_ / "empty").error().to_string(), HasSubstr("empty: at byte 0"));
}

}  // namespace
}  // namespace hmmscope
