// Captures of a kernel with the unified fault-and-migrate patches: range faults that prepare pages, setups
// that walk by a range fault, and calls that never return.
#include <gtest/gtest.h>

#include <set>

#include "tests/traces/migrate_support.h"

namespace hmmscope::traces {
namespace {

constexpr const char* mixed_sample = "6.12-unified-s4_devonly_mixed.trace.txt.xz";
constexpr const char* one_pass_sample = "6.12-unified-uffd_zero.trace.txt.xz";
constexpr const char* own_entry_sample = "6.12-unified-hang_cow_write_mid.trace.txt.xz";
constexpr const char* no_owner_sample = "6.12-unified-hang_owner_null.trace.txt.xz";

std::string unified_text(const char* name) { return without_counts(sample_text(samples_dir / name)); }

struct UnifiedCounts {
  CheckCounts range, migrate;
};

UnifiedCounts counts_of(std::string_view text) {
  const auto recording = replay_text(text);
  EXPECT_TRUE(recording);
  if (!recording) return {};
  return {count_checks(*recording), count_migrate_checks(*recording)};
}

std::set<RuleId> rules_fired(const Recording& recording) {
  std::set<RuleId> fired;
  for (StepIndex step = 0; step < recording.steps(); ++step) fired.insert(recording.rule_of(step));
  return fired;
}

/// The line of the text that holds `at`.
std::pair<size_t, size_t> line_at(std::string_view text, size_t at) {
  const size_t begin = text.rfind('\n', at) + 1, end = text.find('\n', at);
  return {begin, end == std::string_view::npos ? text.size() : end + 1};
}

std::string without_lines(std::string text, std::initializer_list<std::string_view> events) {
  std::string kept;
  for (size_t at = 0; at < text.size();) {
    const auto [begin, end] = line_at(text, at);
    const std::string_view line = std::string_view(text).substr(begin, end - begin);
    bool drop = false;
    for (const std::string_view event : events) drop |= line.find(event) != std::string_view::npos;
    if (!drop) kept += line;
    at = end;
  }
  return kept;
}

TEST(UnifiedReplay, CountsOfTheSamples) {
  const UnifiedCounts mixed = counts_of(unified_text(mixed_sample));
  EXPECT_EQ(counts_text(mixed.range), "calls 8, agreed 8, diverged 0, unknown 0");
  EXPECT_EQ(counts_text(mixed.migrate), "calls 20, agreed 20, diverged 0, unknown 0");
  const UnifiedCounts one_pass = counts_of(unified_text(one_pass_sample));
  EXPECT_EQ(counts_text(one_pass.range), "calls 3, agreed 3, diverged 0, unknown 0");
  EXPECT_EQ(counts_text(one_pass.migrate), "calls 3, agreed 3, diverged 0, unknown 0");
}

TEST(UnifiedReplay, RunsTheEnginesOwnRules) {
  const auto mixed = replay_text(unified_text(mixed_sample));
  ASSERT_TRUE(mixed);
  const std::set<RuleId> in_mixed = rules_fired(*mixed);
  for (const RuleId rule :
       {RuleId::trace_migrate_struct, RuleId::trace_prepare_pte, RuleId::capture_notify, RuleId::prepare_lock,
        RuleId::prepare_entry_write, RuleId::prepare_bits_lost, RuleId::prepare_zero_page,
        RuleId::prepare_none_anonymous, RuleId::prepare_device, RuleId::prepare_fault_folio,
        RuleId::prepare_not_wanted, RuleId::setup_by_range_fault, RuleId::convert_hole, RuleId::convert_page,
        RuleId::convert_done, RuleId::finalize_moved, RuleId::restore_present})
    EXPECT_TRUE(in_mixed.contains(rule)) << hmmscope::rule(rule).id;
  const auto one_pass = replay_text(unified_text(one_pass_sample));
  ASSERT_TRUE(one_pass);
  const std::set<RuleId> in_one_pass = rules_fired(*one_pass);
  for (const RuleId rule : {RuleId::trace_dst_unknown, RuleId::range_fill_migrate, RuleId::convert_hole})
    EXPECT_TRUE(in_one_pass.contains(rule)) << hmmscope::rule(rule).id;
}

/// The walk of a setup stands inside the setup, and what it converts in migrate_hmm_range_setup too.
TEST(UnifiedReplay, ASetupHoldsItsWalk) {
  const auto recording = replay_text(unified_text(mixed_sample));
  ASSERT_TRUE(recording);
  size_t walks = 0, conversions = 0;
  for (const Call& call : recording->calls()) {
    const bool walk = call.function == Function::hmm_range_fault,
               conversion = call.function == Function::migrate_hmm_range_setup;
    if ((!walk && !conversion) || call.parent == no_call) continue;
    if (recording->calls()[call.parent].function != Function::migrate_vma_setup) continue;
    walks += walk ? 1 : 0;
    conversions += conversion ? 1 : 0;
  }
  EXPECT_EQ(walks, 5u);
  EXPECT_EQ(conversions, 5u);
}

/// The caller locked the page in its own first call, the second waits for it: agreed, and named.
TEST(UnifiedReplay, WaitingForOnesOwnEntryIsNamed) {
  const std::string text = unified_text(own_entry_sample);
  const auto recording = replay_text(text);
  ASSERT_TRUE(recording);
  EXPECT_EQ(counts_text(count_checks(*recording)), "calls 3, agreed 3, diverged 0, unknown 0");
  const auto found = hangs(*recording);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(recording->calls()[found[0].call].function, Function::hmm_range_fault);
  const std::string said = hang_text(*recording, found[0]);
  EXPECT_NE(said.find("waits for its own migration entry at 0x10000000000"), std::string::npos) << said;
  EXPECT_EQ(recording->rule_of(found[0].step), RuleId::stuck_own_entry);
  // The words up to there are compared all the same.
  std::string changed = text;
  const size_t word = changed.find("pfn=0xc2", changed.rfind(": h_pte: "));
  ASSERT_NE(word, std::string::npos);
  EXPECT_EQ(counts_of(changed.replace(word, 8, "pfn=0xc3")).range.diverged, 1u);
}

/// One line earlier nothing proves that the task waits.
TEST(UnifiedReplay, AnEndBeforeTheWaitIsUnknown) {
  const std::string text = unified_text(own_entry_sample);
  const size_t last = text.rfind(": h_pte: ");
  const auto recording = replay_text(text.substr(0, line_at(text, last).first));
  ASSERT_TRUE(recording);
  EXPECT_EQ(count_checks(*recording).unknown, 1u);
  EXPECT_EQ(count_checks(*recording).diverged, 0u);
  EXPECT_TRUE(hangs(*recording).empty());
}

/// Somebody else's entry may go away after the trace has ended.
TEST(UnifiedReplay, WaitingForAnothersEntryIsUnknown) {
  const std::string text = unified_text(own_entry_sample);
  // Without the call that prepared the page, nobody knows whose entry it is.
  size_t at = text.rfind(": rf_in: ", text.rfind(": rf_in: ") - 1);
  const auto [begin, line_end] = line_at(text, at);
  const size_t out = text.find(": rf_out: ", at);
  std::string changed = text;
  changed.erase(begin, line_at(text, out).second - begin);
  const auto recording = replay_text(changed);
  ASSERT_TRUE(recording);
  EXPECT_EQ(count_checks(*recording).unknown, 1u);
  EXPECT_TRUE(hangs(*recording).empty());
}

TEST(UnifiedReplay, AnAnnouncementWithoutOwnerIsNamed) {
  const auto recording = replay_text(unified_text(no_owner_sample));
  ASSERT_TRUE(recording);
  EXPECT_EQ(counts_text(count_checks(*recording)), "calls 2, agreed 2, diverged 0, unknown 0");
  const auto found = hangs(*recording);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(recording->calls()[found[0].call].function, Function::mmu_interval_read_begin);
  EXPECT_EQ(recording->rule_of(found[0].step), RuleId::stuck_notifier);
  EXPECT_TRUE(rules_fired(*recording).contains(RuleId::range_notifier_left_open));
}

/// Every word on the way and every number is held against the engine's.
TEST(UnifiedReplay, WhatTheWalkShowsBites) {
  const std::string text = unified_text(mixed_sample);
  const size_t setup = text.find(": mv_setup_in: ");
  const auto diverged = [&](std::string_view event, std::string_view from, std::string_view to) {
    std::string changed = text;
    const size_t at = changed.find(from, changed.find(event, setup));
    EXPECT_NE(at, std::string::npos) << event << from;
    return counts_of(changed.replace(at, from.size(), to)).range.diverged;
  };
  EXPECT_EQ(diverged(": prep: ", "pfn=0xc", "pfn=0x8"), 1u);
  EXPECT_EQ(diverged(": prep_r: ", "pfn=0xc2", "pfn=0xc3"), 1u);
  EXPECT_EQ(diverged(": prep_r: ", "pfn=0xc2", "pfn=0xc0"), 1u);
  EXPECT_EQ(diverged(": rf_in: ", "default_flags=0x2", "default_flags=0x3"), 1u);
  EXPECT_EQ(diverged(": mn_start: ", "owner=0xffffffffa0", "owner=0xffffffffa1"), 1u);
  EXPECT_EQ(diverged(": mn_start: ", "end=0x1", "end=0x2"), 1u);
  EXPECT_EQ(diverged(": rf_out: ", "m_end=0x1", "m_end=0x2"), 1u);
  EXPECT_EQ(diverged(": rf_out: ", "m_start=0x1", "m_start=0x2"), 1u);
}

TEST(UnifiedReplay, AnnouncementsTooManyOrTooFewBite) {
  const std::string text = unified_text(one_pass_sample);
  const size_t walk = text.find("migrate=0xffff");
  ASSERT_NE(walk, std::string::npos);
  const auto [begin, end] = line_at(text, text.find(": mn_start: ", walk));
  const std::string line = text.substr(begin, end - begin);
  std::string changed = text;
  EXPECT_EQ(counts_of(changed.insert(begin, line)).range.diverged, 1u);
  changed = text;
  EXPECT_EQ(counts_of(changed.erase(begin, end - begin)).range.diverged, 1u);
}

TEST(UnifiedReplay, CountsOfTheConversionBite) {
  const std::string text = unified_text(mixed_sample);
  const auto diverged = [&](std::string_view from, std::string_view to) {
    return counts_of(with_replaced(text, ": m_setup_out: ", from, to)).migrate.diverged;
  };
  EXPECT_EQ(diverged("cpages=", "cpages=1"), 1u);
  EXPECT_EQ(diverged("npages=", "npages=1"), 1u);
  EXPECT_EQ(diverged("start=0x1", "start=0x2"), 1u);
}

/// Without the probes inside the preparation the words of the next call tell what was left alone.
TEST(UnifiedReplay, FewerProbesDecideLessButAgree) {
  for (const char* name : {mixed_sample, one_pass_sample}) {
    const UnifiedCounts counts =
        counts_of(without_lines(unified_text(name), {": prep: ", ": prep_r: ", ": prep_pte: "}));
    EXPECT_EQ(counts.range.agreed, counts.range.calls) << name;
    EXPECT_EQ(counts.migrate.agreed, counts.migrate.calls) << name;
    EXPECT_EQ(counts.range.words_unknown, 0u) << name;
  }
}

/// A setup whose conversion is not probed runs the engine's.
TEST(UnifiedReplay, AConversionThatIsNotShownIsRunAnyway) {
  const UnifiedCounts counts =
      counts_of(without_lines(unified_text(mixed_sample), {": m_setup_in: ", ": m_setup_out: "}));
  EXPECT_EQ(counts_text(counts.migrate), "calls 15, agreed 15, diverged 0, unknown 0");
}

TEST(UnifiedReplay, WithoutTheWalkNothingIsConverted) {
  std::string text = unified_text(one_pass_sample);
  const auto [begin, ignored] = line_at(text, text.find("migrate=0xffff"));
  text.erase(begin, line_at(text, text.find(": rf_out: ", begin)).second - begin);
  const UnifiedCounts counts = counts_of(text);
  EXPECT_EQ(counts_text(counts.migrate), "calls 3, agreed 0, diverged 0, unknown 3");
}

/// The old kernel has no such calls: under its model they are shown, not judged.
TEST(UnifiedReplay, AnotherModelSaysThatItHasNoSuchCall) {
  const std::string text = unified_text(mixed_sample);
  const auto trace = trace_of_text(text);
  ASSERT_TRUE(trace);
  const auto model = kernel_model("6.12-fixed");
  ASSERT_TRUE(model) << model.error().to_string();
  const auto recording = replay(**trace, {*model, {}});
  ASSERT_TRUE(recording);
  const CheckCounts counts = count_migrate_checks(*recording);
  EXPECT_EQ(counts.unknown, counts.calls);
}

}  // namespace
}  // namespace hmmscope::traces
