// The scenarios that ship with the program hold under the models they were written for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "engine/recording/cursor.h"
#include "engine/scenario/run.h"

namespace hmmscope::scenario {
namespace {

std::string read(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::filesystem::path> samples() {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(HMMSCOPE_SOURCE_DIR "/lessons/scenarios")) {
    if (entry.path().extension() == ".json") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

Outcome run_file(const std::filesystem::path& path, std::string_view kernel = {}) {
  const auto parsed = parse(read(path), path.filename().string());
  EXPECT_TRUE(parsed) << parsed.error().to_string();
  auto outcome = run(*parsed, kernel);
  EXPECT_TRUE(outcome) << outcome.error().to_string();
  return std::move(*outcome);
}

TEST(ScenarioSamples, EveryExpectationHolds) {
  ASSERT_GE(samples().size(), 5u);
  for (const auto& path : samples()) {
    const Outcome outcome = run_file(path);
    EXPECT_GT(outcome.recording.steps(), 0u) << path;
    EXPECT_GT(outcome.expectations, 0u) << path;
    for (const Failure& failure : outcome.failures) ADD_FAILURE() << path << ":" << failure.line << ": " << failure.text;
  }
}

TEST(ScenarioSamples, StepThenBackIsTheIdentity) {
  for (const auto& path : samples()) {
    const auto recording = std::make_shared<const Recording>(run_file(path).recording);
    Cursor cursor(recording);
    std::vector<uint64_t> hashes{cursor.hash()};
    while (cursor.step()) hashes.push_back(cursor.hash());
    ASSERT_EQ(hashes.size(), recording->steps() + 1u);
    while (cursor.back()) ASSERT_EQ(cursor.hash(), hashes[cursor.position()]) << path << " at " << cursor.position();
  }
}

TEST(ScenarioSamples, TheSameRunTwiceIsTheSameRecording) {
  for (const auto& path : samples()) {
    Cursor a(std::make_shared<const Recording>(run_file(path).recording));
    Cursor b(std::make_shared<const Recording>(run_file(path).recording));
    ASSERT_EQ(a.recording().steps(), b.recording().steps());
    a.seek(a.recording().steps());
    b.seek(b.recording().steps());
    EXPECT_EQ(a.hash(), b.hash()) << path;
  }
}

/// The slots of an array at the end of a run, with the layout of the model that ran it.
std::vector<uint64_t> slots(const Outcome& outcome, const std::string& array) {
  const auto recording = std::make_shared<const Recording>(outcome.recording);
  Cursor cursor(recording);
  cursor.seek(recording->steps());
  std::vector<uint64_t> words;
  for (const Region& region : recording->regions()) {
    if (region.kind != RegionKind::hmm_pfns || region.name != array) continue;
    for (uint32_t k = 0; k < region.count; ++k) words.push_back(cursor.load(region.first + k));
  }
  return words;
}

TEST(TwoOwners, OnlyThePatchAsPostedForgesTheFlag) {
  const std::filesystem::path path = HMMSCOPE_SOURCE_DIR "/lessons/scenarios/two-owners.json";
  const Outcome posted = run_file(path, "6.12-v9");
  const Outcome fixed = run_file(path, "6.12-fixed");
  const uint64_t posted_flag = posted.model.hmm_pfn->mask(Role::dma_mapped);
  const uint64_t fixed_flag = fixed.model.hmm_pfn->mask(Role::dma_mapped);
  ASSERT_NE(posted_flag, 0u);
  ASSERT_NE(fixed_flag, 0u);
  const auto posted_words = slots(posted, "pfns"), fixed_words = slots(fixed, "pfns");
  ASSERT_EQ(posted_words.size(), 64u);
  for (size_t k = 0; k < posted_words.size(); ++k) {
    // The array held a 1G page before it held 4K pages: the forged flag outlives the page.
    EXPECT_NE(posted_words[k] & posted_flag, 0u) << k;
    EXPECT_EQ(posted.model.hmm_pfn->field(Role::order)->get(posted_words[k]), 2u) << k;
    EXPECT_EQ(fixed_words[k] & fixed_flag, 0u) << k;
    EXPECT_EQ(fixed.model.hmm_pfn->field(Role::order)->get(fixed_words[k]), 0u) << k;
  }
  EXPECT_EQ(posted.model.hmm_pfn->field(Role::order)->get(slots(posted, "tagged")[0]), 2u);
  EXPECT_EQ(fixed.model.hmm_pfn->field(Role::order)->get(slots(fixed, "tagged")[0]), 0u);
}

}  // namespace
}  // namespace hmmscope::scenario
