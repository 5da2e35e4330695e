// Migrations in whole captures: the engine explains every call; what it cannot know is said, not agreed.
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "tests/traces/migrate_support.h"

namespace hmmscope::traces {
namespace {

uint64_t count_of(std::string_view text, std::string_view what) {
  uint64_t count = 0;
  for (size_t at = text.find(what); at != std::string_view::npos; at = text.find(what, at + 1)) ++count;
  return count;
}

uint64_t calls_in(std::string_view text) {
  return count_of(text, ": mv_setup_in") + count_of(text, ": mv_pages_in") + count_of(text, ": mv_fin_in") +
         count_of(text, ": m_setup_in");
}

TEST(ReplayMigrations, EveryCallOfEverySampleAgrees) {
  uint64_t all = 0;
  for (const auto& path : sample_files()) {
    const std::string text = sample_text(path);
    const auto recording = replay_text(text, path.filename().string());
    ASSERT_TRUE(recording) << recording.error().to_string();
    const CheckCounts counts = count_migrate_checks(*recording);
    EXPECT_EQ(counts.calls, calls_in(text)) << path;
    EXPECT_EQ(counts.agreed, counts.calls) << path;
    all += counts.calls;
  }
  EXPECT_GT(all, 1800u);
}

/// The rules that decide, in a capture that has pages of many kinds.
TEST(ReplayMigrations, RunTheEnginesOwnRules) {
  const auto recording = replay_text(sample_text(samples_dir / "6.12-fuzz-1.trace.txt.xz"));
  ASSERT_TRUE(recording);
  std::set<RuleId> fired;
  for (StepIndex step = 0; step < recording->steps(); ++step) fired.insert(recording->rule_of(step));
  for (const RuleId rule :
       {RuleId::collect_pte_device, RuleId::collect_pte_none_anonymous, RuleId::collect_pte_zero_page,
        RuleId::collect_entry_write, RuleId::collect_entry_read, RuleId::unmap_isolate_failed,
        RuleId::unmap_restore, RuleId::try_to_migrate_device, RuleId::pages_moved, RuleId::pages_no_dst,
        RuleId::insert_device_writable, RuleId::finalize_moved, RuleId::restore_device_private,
        RuleId::restore_present, RuleId::trace_migrate_args, RuleId::trace_migrate_page,
        RuleId::trace_migrate_pfn, RuleId::trace_migrate_slots, RuleId::trace_migrate_refused})
    EXPECT_TRUE(fired.contains(rule)) << hmmscope::rule(rule).id;
}

/// Migration entries stand in the table between setup and finalize.
TEST(ReplayMigrations, ShowMigrationEntriesOnTheWay) {
  const auto recording = replay_text(sample_text(samples_dir / "6.12-migrate_fault.trace.txt.xz"));
  ASSERT_TRUE(recording);
  const auto model = kernel_model("6.12");
  ASSERT_TRUE(model);
  uint64_t made = 0;
  for (StepIndex step = 0; step < recording->steps(); ++step) {
    if (recording->rule_of(step) != RuleId::collect_entry_write) continue;
    bool in_table = false;
    for (uint32_t k = 0; k < recording->write_count(step); ++k) {
      const WriteView write = recording->write(step, k);
      const RegionKind kind = recording->regions()[recording->region_of(write.first)].kind;
      in_table |= kind == RegionKind::pte && write.new_at(0) == recording->operands(step)[2];
    }
    EXPECT_TRUE(in_table);
    ++made;
  }
  EXPECT_EQ(made, 2048u);
}

/// What a migration leaves open, and the entries it rebuilds, are counted apart from its words.
TEST(ReplayMigrations, CountPagesLeftAloneAndEntriesRebuilt) {
  const std::string text = sample_text(samples_dir / "6.12-migrate_fault.trace.txt.xz");
  const auto plain = replay_text(text);
  ASSERT_TRUE(plain);
  const MigrateFacts facts = count_migrate_facts(*plain);
  EXPECT_EQ(facts.rebuilt + facts.rebuilt_unseen, count_of(text, ": remove_migration_pte"));
  EXPECT_GT(facts.rebuilt, 0u);
  EXPECT_EQ(facts.left_alone(), 0u);
  // Pages that somebody held: the collector skipped them, or gave them back after it had them.
  const auto busy = replay_text(sample_text(samples_dir / "6.12-fuzz-1.trace.txt.xz"));
  ASSERT_TRUE(busy);
  MigrateFacts both = count_migrate_facts(*busy);
  uint64_t steps = 0;
  for (StepIndex step = 0; step < busy->steps(); ++step) steps += busy->rule_of(step) == RuleId::trace_migrate_refused ? 1 : 0;
  EXPECT_GT(both.left_alone(), 0u);
  EXPECT_EQ(both.left_alone(), steps);
  const uint64_t alone = both.rebuilt;
  both += facts;
  EXPECT_EQ(both.rebuilt, alone + facts.rebuilt);
}

/// Only what the CPU has written and nobody has named yet is free, and it is counted.
TEST(ReplayMigrations, CountPagesThatNothingNamed) {
  const auto recording = replay_text(sample_text(samples_dir / "6.12-migrate_fault.trace.txt.xz"));
  ASSERT_TRUE(recording);
  const CheckCounts counts = count_migrate_checks(*recording);
  EXPECT_GE(counts.words_unknown, 1024u);
  EXPECT_GT(counts.words_compared, 3 * counts.words_unknown);
}

/// A trace that stops early: what ended agrees as before, the call that was under way is unknown.
TEST(ReplayMigrations, TruncatedTracesDoNotDiverge) {
  std::mt19937_64 random(11);
  for (const char* name : {"6.12-fuzz-1.trace.txt.xz", "6.1-fuzz-1.trace.txt.xz"}) {
    const std::string text = without_counts(sample_text(samples_dir / name));
    const size_t first = text.find(": mv_setup_in");
    for (int pick = 0; pick < 16; ++pick) {
      const size_t cut = text.find('\n', first + random() % (text.size() - first));
      const auto recording = replay_text(std::string_view(text).substr(0, cut + 1));
      ASSERT_TRUE(recording) << recording.error().to_string();
      const CheckCounts counts = count_migrate_checks(*recording);
      EXPECT_EQ(counts.diverged, 0u) << name << " cut at " << cut;
      EXPECT_LE(counts.unknown, 2u) << name << " cut at " << cut;
    }
  }
}

/// A migration whose setup is not in the trace is not judged.
TEST(ReplayMigrations, WithoutTheSetupNothingIsDecided) {
  std::string text = without_counts(sample_text(samples_dir / "6.12-snapshot.trace.txt"));
  for (const char* event : {": mv_setup_in: ", ": mv_setup_out: "}) {
    const size_t at = text.find(event);
    ASSERT_NE(at, std::string::npos);
    const size_t begin = text.rfind('\n', at) + 1;
    text.erase(begin, text.find('\n', at) + 1 - begin);
  }
  const auto recording = replay_text(text);
  ASSERT_TRUE(recording);
  const CheckCounts counts = count_migrate_checks(*recording);
  EXPECT_EQ(counts.calls, 5u);
  EXPECT_EQ(counts.diverged, 0u);
  EXPECT_EQ(counts.unknown, 2u);
  // Without it nobody knows whose device page the range fault found, either.
  EXPECT_EQ(count_checks(*recording).unknown, 1u);
}

/// `trace-cmd report` without -R prints arrays as it likes: such words decide nothing.
TEST(ReplayMigrations, UnreliableArraysAreUnknown) {
  for (const char* name : {"6.12-snapshot.trace.txt", "6.12-fuzz-1.trace.txt.xz"}) {
    const std::string text = sample_text(samples_dir / name);
    const auto plain = read_trace({reinterpret_cast<const uint8_t*>(text.data()), text.size()}, name);
    ASSERT_TRUE(plain);
    const auto model =
        detect_model((*plain)->info().kernel, (*plain)->info().patch, (*plain)->info().config);
    ASSERT_TRUE(model);
    // The same events without the kernel's header; an address without its symbol gives trace-cmd away.
    std::string report;
    for (size_t at = 0; at < text.size();) {
      const size_t end = std::min(text.find('\n', at), text.size());
      if (text[at] != '#') report += text.substr(at, end - at) + "\n";
      at = end + 1;
    }
    const size_t place = report.find("+0x");
    ASSERT_NE(place, std::string::npos);
    const size_t open = report.rfind('(', place), close = report.find(')', place);
    ASSERT_LT(close - open, 80u);
    report.replace(open, close - open + 1, "(ffffffff8122d414)");
    const auto trace = read_trace({reinterpret_cast<const uint8_t*>(report.data()), report.size()}, name);
    ASSERT_TRUE(trace) << trace.error().to_string();
    ASSERT_FALSE((*trace)->info().arrays_reliable);
    const auto recording = replay(**trace, {*model, {}});
    ASSERT_TRUE(recording);
    for (const CallCheck& check : recording->checks()) EXPECT_EQ(check.verdict, Verdict::unknown) << check.reason;
    EXPECT_GT(count_checks(*recording).unknown, 0u);
    // No array word is shown that was not.
    for (StepIndex step = 0; step < recording->steps(); ++step) {
      for (uint32_t k = 0; k < recording->write_count(step); ++k) {
        const WriteView write = recording->write(step, k);
        const Region& region = recording->regions()[recording->region_of(write.first)];
        const bool array = region.kind == RegionKind::hmm_pfns || region.kind == RegionKind::migrate_src ||
                           region.kind == RegionKind::migrate_dst;
        ASSERT_FALSE(array && write.evidence == Evidence::observed) << step;
      }
    }
  }
}

}  // namespace
}  // namespace hmmscope::traces
