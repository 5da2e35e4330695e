// Calls of traces as scenarios: run again, they end as the kernel's did, word for word.
#include "traces/extract/extract.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "engine/scenario/run.h"
#include "tests/traces/replay_support.h"

namespace hmmscope::traces {
namespace {

using ::testing::HasSubstr;

std::string first_failure(const scenario::Outcome& outcome) {
  return outcome.failures.empty() ? "" : outcome.failures.front().text;
}

/// Word 0 of the first array, at the end.
uint64_t first_word(const scenario::Outcome& outcome) {
  Cursor cursor(std::make_shared<const Recording>(outcome.recording));
  cursor.seek(outcome.recording.steps());
  for (const Region& region : outcome.recording.regions())
    if (region.kind == RegionKind::hmm_pfns) return cursor.load(region.first);
  return 0;
}

/// Every call of every sample that the engine agrees with; the words the kernel gave are the scenario's
/// expectations.
TEST(Extract, EveryCallOfEverySampleRunsAsTheKernelDid) {
  size_t calls = 0;
  for (const auto& path : sample_files()) {
    const auto document = open_document(path);
    ASSERT_TRUE(document) << document.error().to_string();
    for (const ExtractableCall& call : extractable_calls(*(*document)->recording)) {
      const std::string where = path.filename().string() + " call " + std::to_string(call.number);
      const auto text = extract_call(**document, call.number);
      ASSERT_TRUE(text) << where << text.error().to_string();
      const auto parsed = scenario::parse(*text, where);
      ASSERT_TRUE(parsed) << parsed.error().to_string();
      const auto outcome = scenario::run(*parsed, "");
      ASSERT_TRUE(outcome) << outcome.error().to_string();
      EXPECT_GT(outcome->expectations, 1u) << where;
      EXPECT_TRUE(outcome->failures.empty()) << where << ": " << first_failure(*outcome);
      ++calls;
    }
  }
  EXPECT_GT(calls, 900u);
}

/// The expectations are not empty words: another word anywhere is noticed.
TEST(Extract, TheExpectationsBite) {
  const auto document = open_document(samples_dir / "6.12-snapshot.trace.txt");
  ASSERT_TRUE(document);
  auto text = extract_call(**document, 1);
  ASSERT_TRUE(text) << text.error().to_string();
  auto root = nlohmann::json::parse(*text);
  size_t expectations = 0;
  for (auto& operation : root["operations"]) {
    if (operation["op"] != "expect") continue;
    ++expectations;
    auto changed = root;
    auto& mine = changed["operations"][&operation - &root["operations"][0]];
    if (mine.contains("word"))
      mine["word"] = "0x1";
    else
      mine["pfn"] = "0x1";
    const auto parsed = scenario::parse(changed.dump(), "x");
    ASSERT_TRUE(parsed);
    const auto outcome = scenario::run(*parsed, "");
    ASSERT_TRUE(outcome);
    EXPECT_FALSE(outcome->failures.empty());
  }
  EXPECT_GT(expectations, 3u);
}

/// What 6.16 would have returned: the same pages, its own layout.
TEST(Extract, RunsUnderAnotherModel) {
  const auto document = open_document(samples_dir / "6.12-anon_write_huge.trace.txt.xz");
  ASSERT_TRUE(document);
  const auto text = extract_call(**document, 1);
  ASSERT_TRUE(text) << text.error().to_string();
  const auto parsed = scenario::parse(*text, "x");
  ASSERT_TRUE(parsed);
  const auto old_kernel = scenario::run(*parsed, ""), new_kernel = scenario::run(*parsed, "6.16");
  ASSERT_TRUE(old_kernel && new_kernel);
  EXPECT_TRUE(old_kernel->failures.empty());
  EXPECT_TRUE(new_kernel->failures.empty());         // the same pages, of the same order
  EXPECT_EQ(first_word(*old_kernel) >> 56, 0xc9u);   // order 9 at bit 56
  EXPECT_EQ(first_word(*new_kernel) >> 52, 0xc12u);  // and at bit 53
}

TEST(Extract, WhatCannotBecomeAScenarioSaysWhy) {
  const auto document = open_document(samples_dir / "6.12-snapshot.trace.txt");
  ASSERT_TRUE(document);
  for (const uint32_t number : {0u, 2u, 4000000000u}) {
    const auto text = extract_call(**document, number);
    ASSERT_FALSE(text);
    EXPECT_THAT(text.error().to_string(), HasSubstr("numbered from 1 to 1"));
  }
  const auto none = open_document(samples_dir / "6.12-migrate_fault.trace.txt.xz");
  ASSERT_TRUE(none);
  EXPECT_FALSE(extract_call(**none, 1));
  const auto diverged = open_document(samples_dir / "6.12-overlap-4k.trace.txt.xz", {"6.12", {}});
  ASSERT_TRUE(diverged);
  size_t refused = 0;
  for (const ExtractableCall& call : extractable_calls(*(*diverged)->recording)) {
    const auto text = extract_call(**diverged, call.number);
    EXPECT_EQ(text.has_value(), call.verdict == Verdict::agreed);
    if (!text) refused += text.error().line != 0 ? 1 : 0;
  }
  EXPECT_GT(refused, 0u);
}

}  // namespace
}  // namespace hmmscope::traces
