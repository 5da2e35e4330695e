// Traces that lost events: what may have changed is unknown until it is seen again, and no call is blamed for it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "tests/traces/trace_text.h"
#include "traces/check/facts.h"
#include "traces/replay/gap_index.h"

namespace hmmscope::traces {
namespace {

using ::testing::HasSubstr;

Result<Recording> replayed(const TraceText& trace) { return replay_text(trace.text()); }

/// Whatever is lost, wherever: no divergence, and what can be judged no longer says so with the gap as its reason.
TEST(LostEvents, NeverMakeACallDiverge) {
  std::mt19937 random(20261127);
  size_t undecidable = 0, agreed = 0;
  for (const auto& path : sample_files()) {
    const TraceText whole = split_trace(sample_text(path));
    for (int round = 0; round < 6; ++round) {
      TraceText trace = whole;
      const size_t first = random() % trace.events.size(), count = 1 + random() % (trace.events.size() / 4);
      if (!lose(trace, first, count)) continue;
      const auto recording = replayed(trace);
      ASSERT_TRUE(recording) << path << recording.error().to_string();
      for (const CallCheck& check : recording->checks()) {
        ASSERT_NE(check.verdict, Verdict::diverged)
            << path.filename() << " without " << count << " events from " << first << ": " << check.reason;
        if (check.verdict == Verdict::agreed) ++agreed;
        if (check.verdict == Verdict::unknown && check.reason.find(" lost ") != std::string::npos) ++undecidable;
      }
    }
  }
  EXPECT_GT(agreed, 1000u);
  EXPECT_GT(undecidable, 10u);
}

/// A word that no kernel writes is still found where nothing was lost.
TEST(LostEvents, ExcuseOnlyTheCallsTheyConcern) {
  const std::string name = "6.12-anon_write_huge.trace.txt.xz";
  const std::string text = sample_text(samples_dir / name);
  const auto words = output_words(text);
  TraceText trace = split_trace(with_word(text, words.back(), words.back().value ^ 0x10));
  const auto is_call = [](const std::string& event) { return event.find(": rf_in: ") != std::string::npos; };
  const auto first = static_cast<size_t>(
      std::find_if(trace.events.begin(), trace.events.end(), is_call) - trace.events.begin());
  ASSERT_TRUE(lose(trace, first + 1, 3));
  const auto recording = replayed(trace);
  ASSERT_TRUE(recording);
  ASSERT_EQ(recording->checks().front().verdict, Verdict::unknown);
  EXPECT_THAT(recording->checks().front().reason, HasSubstr("CPU "));
  EXPECT_THAT(recording->checks().front().reason, HasSubstr("lost 3 events between "));
  EXPECT_EQ(recording->checks().back().verdict, Verdict::diverged);
}

/// The sequence may have moved unseen: the kernel's -EBUSY is neither right nor wrong.
TEST(LostEvents, LeaveASequenceUndecided) {
  TraceText trace = sample_trace("6.12-anon_write_prot.trace.txt.xz");
  const auto recording = replayed(trace);
  ASSERT_TRUE(recording);
  size_t busy = 0;
  for (const Call& call : recording->calls())
    if (call.function == Function::hmm_range_fault && call.returned && call.result == -16) ++busy;
  ASSERT_GT(busy, 0u);
  // Every callback is gone, and a gap in each call tells why.
  std::vector<std::string> kept;
  bool first = true;
  for (const std::string& event : trace.events) {
    const bool callback = event.find(": dm_inv") != std::string::npos || event.find(": mn_") != std::string::npos;
    if (callback && first)
      kept.push_back("CPU:" + std::to_string(cpu_of(event)) + " [LOST EVENTS]"), first = false;
    else if (!callback)
      kept.push_back(event);
    if (event.find(": rf_out:") != std::string::npos) first = true;
  }
  trace.events = std::move(kept);
  const auto without = replayed(trace);
  ASSERT_TRUE(without) << without.error().to_string();
  size_t undecided = 0;
  for (const CallCheck& check : without->checks()) {
    EXPECT_NE(check.verdict, Verdict::diverged) << check.reason;
    if (check.verdict == Verdict::unknown) ++undecided;
  }
  EXPECT_GE(undecided, busy);
}

TEST(LostEvents, AreInTheRecordingWithTheTimeTheySpan) {
  TraceText trace = sample_trace("6.12-compound.trace.txt");
  const size_t first = trace.events.size() / 2;
  const int cpu = cpu_of(trace.events[first]);
  ASSERT_TRUE(lose(trace, first, 20));
  const auto document = document_of(trace.text());
  ASSERT_NE(document, nullptr);
  ASSERT_EQ(document->gaps.size(), 1u);
  const Gap& gap = document->gaps.front();
  EXPECT_EQ(gap.cpu, cpu);
  EXPECT_GT(gap.lost, 0u);
  EXPECT_LT(gap.from_ns, gap.to_ns);
  const Event& mark = document->recording->events()[gap.event];
  EXPECT_EQ(document->recording->event_kinds()[mark.kind], "lost_events");
  EXPECT_EQ(mark.time_ns, gap.to_ns);
  // Before and behind it stand events of that CPU, at these times.
  int64_t before = 0;
  for (EventIndex event = 0; event < gap.event; ++event)
    if (document->recording->events()[event].cpu == cpu) before = document->recording->events()[event].time_ns;
  EXPECT_EQ(before, gap.from_ns);
}

/// Observed before the gap, unknown behind it, observed again where the walk shows it again.
TEST(LostEvents, MakeFactsUnknownUntilTheyAreSeenAgain) {
  TraceText trace = sample_trace("6.12-anon_write_huge.trace.txt.xz");
  const auto call = [&](size_t number) {
    for (size_t at = 0; at < trace.events.size(); ++at)
      if (trace.events[at].find(": rf_in: ") != std::string::npos && number-- == 0) return at;
    return trace.events.size();
  };
  const size_t second = call(1);
  const int cpu = cpu_of(trace.events[second]);
  trace.events.insert(trace.events.begin() + static_cast<std::ptrdiff_t>(second),
                      "CPU:" + std::to_string(cpu) + " [LOST 5 EVENTS]");
  const auto document = document_of(trace.text());
  ASSERT_NE(document, nullptr);
  ASSERT_EQ(document->gaps.size(), 1u);
  const StepIndex gap = document->gaps.front().step;
  size_t vmas = 0, seen_again = 0;
  for (const Region& region : document->recording->regions()) {
    if (region.kind != RegionKind::vma) continue;
    const WordIndex flags = region.first + static_cast<WordIndex>(VmaWord::flags);
    if (fact_of(*document, flags, gap).evidence != Evidence::observed) continue;
    ++vmas;
    const Fact unknown = fact_of(*document, flags, gap + 1);
    EXPECT_EQ(unknown.evidence, Evidence::unknown);
    EXPECT_EQ(unknown.rule, "trace.lost_events");
    EXPECT_THAT(std::string(unknown.probe), HasSubstr("hmm_vma_walk_test"));
    if (fact_of(*document, flags, document->recording->steps()).evidence == Evidence::observed) ++seen_again;
  }
  EXPECT_GT(vmas, 0u);
  EXPECT_GT(seen_again, 0u);
  size_t tables = 0;
  for (const Fact& fact : facts_at(*document, gap + 1)) {
    if (document->recording->regions()[document->recording->region_of(fact.first)].kind > RegionKind::pte) continue;
    EXPECT_EQ(fact.evidence, Evidence::unknown) << document->recording->word_name(fact.first);
    ++tables;
  }
  EXPECT_GT(tables, 3u);
}

/// The header of an overwritten buffer: the oldest events are missing, each CPU's until its first one.
TEST(LostEvents, AHeaderMayTellOfThem) {
  TraceText trace = sample_trace("6.12-compound.trace.txt");
  trace.head += "# entries-in-buffer/entries-written: " + std::to_string(trace.events.size()) + "/100000   #P:2\n";
  const std::string text = trace.text();
  const auto read = read_trace({reinterpret_cast<const uint8_t*>(text.data()), text.size()}, "test");
  ASSERT_TRUE(read) << read.error().to_string();
  const GapIndex gaps(**read, EventKinds(**read));
  ASSERT_FALSE(gaps.gaps().empty());
  EXPECT_EQ(gaps.gaps().front().lost, 100000 - (*read)->size());
  for (const TraceGap& gap : gaps.gaps()) {
    EXPECT_EQ(gap.begin, 0u);
    EXPECT_EQ((*read)->events()[gap.end].cpu, gap.cpu);
  }
  const TraceGap& last = gaps.gaps().back();
  EXPECT_EQ(gaps.during(0, 1) != nullptr, last.end > 0);
  EXPECT_EQ(gaps.during(last.end, static_cast<uint32_t>((*read)->size())), nullptr);
}

/// A system call whose entry was lost: what it changed nobody knows.
TEST(LostEvents, ASystemCallWithoutItsEntryTellsNothing) {
  const std::string head =
      "# hmmscope-capture: kernel=6.12.117-x arch=x86_64 page_shift=12 page_table_levels=4 patch=none\n"
      "# tracer: nop\n";
  const auto line = [](int time, const std::string& event) {
    return "            prog-10      [000] .....     1.00000" + std::to_string(time) + ": " + event + "\n";
  };
  const auto document = document_of(
      head + line(1, "sys_mmap(addr: 0, len: 2000, prot: 3, flags: 22, fd: ffffffff, off: 0)") +
      line(2, "sys_mmap -> 0x7f0000000000") + line(3, "sys_munmap -> 0x0"));
  ASSERT_NE(document, nullptr);
  size_t vmas = 0;
  for (const Fact& fact : facts_at(*document, document->recording->steps())) {
    if (document->recording->regions()[document->recording->region_of(fact.first)].kind != RegionKind::vma) continue;
    ++vmas;
    EXPECT_EQ(fact.evidence, Evidence::unknown);
    EXPECT_EQ(fact.rule, "trace.syscall_unseen");
  }
  EXPECT_EQ(vmas, 1u);
}

}  // namespace
}  // namespace hmmscope::traces
