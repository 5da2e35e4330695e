// Calls of traces as scenarios: run again, they end as the kernel's did, word for word.
#include "traces/extract/extract.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "engine/scenario/run.h"
#include "tests/traces/trace_text.h"

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

/// Number of the first call of this function.
uint32_t number_of(const Document& document, Function function) {
  for (const ExtractableCall& call : extractable_calls(*document.recording))
    if (call.function == function) return call.number;
  return 0;
}

/// What no scenario can hold: a range of no pages, and a 2M folio that another task locks after the collector has split
/// it and before it takes its pages.
const std::set<std::string> beyond_scenarios = {"6.12-debian-holes.trace.txt.xz call 19",
                                                "6.12-debian-race.trace.txt.xz call 144"};

/// Every call of every sample that the engine agrees with; the words the kernel gave are the scenario's
/// expectations. Of the many migrations of one page some will do; a capture of one situation each is taken whole.
TEST(Extract, EveryCallOfEverySampleRunsAsTheKernelDid) {
  size_t calls = 0, migrations = 0, prepared = 0;
  std::set<std::string> beyond;
  for (const auto& path : sample_files()) {
    const auto document = open_document(path);
    ASSERT_TRUE(document) << document.error().to_string();
    for (const ExtractableCall& call : extractable_calls(*(*document)->recording)) {
      const std::string where = path.filename().string() + " call " + std::to_string(call.number);
      const bool each = where.starts_with("6.12-debian-") || where.starts_with("6.12-unified-");
      if (call.function == Function::migrate_vma_setup && migrations++ % 5 != 0 && !each) continue;
      const auto text = extract_call(**document, call.number);
      if (!text) {
        beyond.insert(where);
        continue;
      }
      const auto parsed = scenario::parse(*text, where);
      ASSERT_TRUE(parsed) << parsed.error().to_string();
      const auto outcome = scenario::run(*parsed, "");
      ASSERT_TRUE(outcome) << outcome.error().to_string();
      // Of a refused setup there is the error number alone.
      EXPECT_GT(outcome->expectations, call.function == Function::migrate_vma_setup ? 0u : 1u) << where;
      if (!outcome->failures.empty()) {
        beyond.insert(where);
        std::cout << where << ": " << first_failure(*outcome) << "\n";
      }
      ++calls;
      if (text->find("\"prepares\"") != std::string::npos) ++prepared;
    }
  }
  EXPECT_THAT(beyond, testing::IsSubsetOf(beyond_scenarios));
  EXPECT_GT(calls, 900u);
  EXPECT_GT(migrations, 500u);
  EXPECT_GT(prepared, 5u);   // for a migration, by a range fault of the unified patches
}

/// The expectations are not empty words: another word anywhere is noticed.
TEST(Extract, TheExpectationsBite) {
  const auto document = open_document(samples_dir / "6.12-snapshot.trace.txt");
  ASSERT_TRUE(document);
  auto text = extract_call(**document, number_of(**document, Function::hmm_range_fault));
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

/// What setup collected, what moved and what finalize left are expectations that another word does not meet.
TEST(Extract, TheExpectationsOfAMigrationBite) {
  const auto document = open_document(samples_dir / "6.12-migrate_fault.trace.txt.xz");
  ASSERT_TRUE(document);
  const auto text = extract_call(**document, number_of(**document, Function::migrate_vma_setup));
  ASSERT_TRUE(text) << text.error().to_string();
  const auto root = nlohmann::json::parse(*text);
  EXPECT_EQ(root["operations"][0]["op"], "migrate-setup");
  EXPECT_EQ(root["operations"][0]["cpages"], 64);
  std::map<std::string, size_t> changed;
  for (size_t at = 0; at < root["operations"].size(); ++at) {
    auto other = root;
    auto& operation = other["operations"][at];
    if (changed[operation["op"]] == 4) continue;
    if (operation.contains("cpages"))
      operation["cpages"] = 63;
    else if (operation.contains("moved"))
      operation["moved"] = 63;
    else if (operation.contains("flags"))
      operation["flags"] = "0x1";
    else if (operation.contains("state"))
      operation["state"] = "none", operation.erase("writable");
    else
      continue;
    ++changed[operation["op"]];
    const auto parsed = scenario::parse(other.dump(), "x");
    ASSERT_TRUE(parsed) << parsed.error().to_string();
    const auto outcome = scenario::run(*parsed, "");
    ASSERT_TRUE(outcome);
    EXPECT_FALSE(outcome->failures.empty()) << operation.dump();
  }
  std::erase_if(changed, [](const auto& kind) { return kind.second == 0; });
  EXPECT_EQ(changed.size(), 4u);  // setup, its words, pages, entries
}

/// A page that the driver's own fault handler brought home: the CPU fault is the scenario.
TEST(Extract, AMigrationOfACpuFaultIsTheFault) {
  const auto document = open_document(samples_dir / "6.12-migrate_fault.trace.txt.xz");
  ASSERT_TRUE(document);
  for (const ExtractableCall& call : extractable_calls(*(*document)->recording)) {
    if (call.end - call.start != page_bytes) continue;
    const auto text = extract_call(**document, call.number);
    ASSERT_TRUE(text) << text.error().to_string();
    const auto root = nlohmann::json::parse(*text);
    ASSERT_EQ(root["operations"][0]["op"], "touch");
    EXPECT_EQ(root["pages"][0]["state"], "device-private");
    return;
  }
  FAIL() << "no migration of one page";
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
  const auto count = static_cast<uint32_t>(extractable_calls(*(*document)->recording).size());
  EXPECT_EQ(count, 3u);  // a range fault and two migrations
  for (const uint32_t number : {0u, count + 1, 4000000000u}) {
    const auto text = extract_call(**document, number);
    ASSERT_FALSE(text);
    EXPECT_THAT(text.error().to_string(), HasSubstr("numbered from 1 to 3"));
  }
  const auto none = open_document(samples_dir / "6.12-exclusive.trace.txt.xz");
  ASSERT_TRUE(none);
  EXPECT_FALSE(extract_call(**none, 1));
}

/// Run under the rules that the engine was given wrongly, the scenario fails as the check did; under the kernel's own it holds.
TEST(Extract, OfADivergedCallTheKernelsWordsAreExpected) {
  const auto path = samples_dir / "6.12-overlap-4k.trace.txt.xz";
  const auto own = open_document(path), wrong = open_document(path, {"6.12", {}});
  ASSERT_TRUE(own);
  ASSERT_TRUE(wrong);
  size_t diverged = 0;
  for (const ExtractableCall& call : extractable_calls(*(*wrong)->recording)) {
    if (call.verdict != Verdict::diverged) continue;
    const auto text = extract_call(**wrong, call.number);
    ASSERT_TRUE(text) << text.error().to_string();
    EXPECT_THAT(*text, HasSubstr("Engine and kernel part here: "));
    const auto parsed = scenario::parse(*text, "diverged");
    ASSERT_TRUE(parsed) << parsed.error().to_string();
    const auto outcome = scenario::run(*parsed, "");
    ASSERT_TRUE(outcome) << outcome.error().to_string();
    EXPECT_FALSE(outcome->failures.empty()) << call.number;
    const auto kernels = scenario::run(*parsed, (*own)->model.id);
    ASSERT_TRUE(kernels) << kernels.error().to_string();
    EXPECT_TRUE(kernels->failures.empty()) << call.number << ": " << first_failure(*kernels);
    ++diverged;
  }
  EXPECT_GT(diverged, 2u);
}

/// What the engine made up while it did not know what the kernel read is expected of nobody.
TEST(Extract, OfAnUndecidedCallOnlyWhatEventsShowIsExpected) {
  TraceText trace = sample_trace("6.12-snapshot.trace.txt");
  std::erase_if(trace.events, [](const std::string& event) { return event.find(": h_pte") != std::string::npos; });
  const std::string text = trace.text();
  const auto document = document_of(text);
  ASSERT_NE(document, nullptr);
  const auto words = output_words(text);
  ASSERT_FALSE(words.empty());
  for (const ExtractableCall& call : extractable_calls(*document->recording)) {
    if (call.function != Function::hmm_range_fault) continue;
    ASSERT_EQ(call.verdict, Verdict::unknown);
    const auto scenario = extract_call(*document, call.number);
    ASSERT_TRUE(scenario) << scenario.error().to_string();
    EXPECT_THAT(*scenario, HasSubstr("The trace leaves something open: no event shows the pte at 0x"));
    const auto json = nlohmann::json::parse(*scenario);
    std::map<uint64_t, std::string> expected;
    for (const auto& op : json["operations"])
      if (op["op"] == "expect" && op.contains("word"))
        for (uint64_t k = 0; k < op["count"]; ++k) expected[op["index"].get<uint64_t>() + k] = op["word"];
    for (const OutputWord& word : words) {
      if (const auto found = expected.find(word.slot); found != expected.end()) {
        EXPECT_EQ(std::stoull(found->second, nullptr, 16), word.value) << word.slot;
      }
    }
    EXPECT_GT(expected.size(), 2u);
  }
}

}  // namespace
}  // namespace hmmscope::traces
