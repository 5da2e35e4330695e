// Calls of several tasks and processes that overlap in one trace: each is judged as if it were alone.
#include <gtest/gtest.h>

#include <initializer_list>

#include "tests/traces/overlap_support.h"

namespace hmmscope::traces {
namespace {

CheckCounts judged(const std::string& text) {
  const auto recording = replay_text(without_counts(text));
  EXPECT_TRUE(recording) << recording.error().to_string();
  if (!recording) return {};
  CheckCounts sum = count_checks(*recording);
  sum += count_migrate_checks(*recording);
  return sum;
}

std::string told(const CheckCounts& counts) {
  return counts_text(counts) + ", words " + std::to_string(counts.words_compared);
}

/// Merged at these shifts the runs come out as the two together, words and all.
void expect_kept_apart(const TraceText& a, const TraceText& b, std::initializer_list<int64_t> shifts) {
  CheckCounts alone = judged(a.text());
  alone += judged(b.text());
  EXPECT_EQ(alone.diverged, 0u);
  for (const int64_t shift : shifts)
    EXPECT_EQ(told(judged(merged(a, beside(a, b, shift)).text())), told(alone)) << "shift " << shift;
}

/// The migrations of both are made of several calls each, any of which may be under way when one of the other begins.
TEST(Overlap, TwoProcessesMigrateAtOnce) {
  const TraceText a = sample_trace("6.12-migrate_fault.trace.txt.xz");
  expect_kept_apart(a, on_other_pages(a), {137, 20011});
}

TEST(Overlap, FaultsOfOneProcessAndMigrationsOfAnother) {
  expect_kept_apart(sample_trace("6.12-anon_write_prot.trace.txt.xz"),
                    on_other_pages(sample_trace("6.12-migrate_fault.trace.txt.xz")), {137, 31013});
}

/// Range faults with migrations around them.
TEST(Overlap, SmallRunsAtManyShifts) {
  const TraceText snapshot = sample_trace("6.12-snapshot.trace.txt");
  expect_kept_apart(snapshot, on_other_pages(snapshot), {0, 1, 13, 37, 61, 137, 200, 333, 500, 1009, 2003, 4001});
}

/// More calls under way than a processor has cores: a task asleep in each.
TEST(Overlap, ManyProcessesAtOnce) {
  const TraceText a = sample_trace("6.12-snapshot.trace.txt");
  const CheckCounts alone = judged(a.text());
  TraceText all = a, next = a;
  constexpr uint64_t copies = 8;
  for (int k = 1; k < static_cast<int>(copies); ++k) {
    next = on_other_pages(next);
    all = merged(all, beside(a, next, 11 * k, k));
  }
  const CheckCounts counts = judged(all.text());
  EXPECT_EQ(counts.diverged, 0u);
  EXPECT_EQ(counts.calls, copies * alone.calls);
  EXPECT_EQ(counts.agreed, copies * alone.agreed);
}

}  // namespace
}  // namespace hmmscope::traces
