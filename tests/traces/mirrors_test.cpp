// What a device has mapped, as the walks, callbacks and returns of its driver prove it.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/traces/trace_text.h"
#include "traces/check/facts.h"

namespace hmmscope::traces {
namespace {

constexpr const char* mirrored_sample = "6.12-anon_write_prot.trace.txt.xz";

std::vector<StepIndex> steps_of(const Recording& recording, RuleId rule) {
  std::vector<StepIndex> steps;
  for (StepIndex step = 0; step < recording.steps(); ++step)
    if (recording.rule_of(step) == rule) steps.push_back(step);
  return steps;
}

/// Of the first event of this name behind the first one of `behind`.
size_t find_event(const TraceText& trace, std::string_view name, std::string_view behind) {
  const auto has = [](std::string_view what) { return [what](const std::string& event) { return event.find(what) != std::string::npos; }; };
  const auto begin = std::find_if(trace.events.begin(), trace.events.end(), has(behind));
  return static_cast<size_t>(std::find_if(begin, trace.events.end(), has(name)) - trace.events.begin());
}

/// Word of the device table at this address after `at` steps.
std::optional<Fact> device_word(const Document& document, uint64_t addr, StepIndex at) {
  for (const Region& region : document.recording->regions())
    if (region.kind == RegionKind::device_table && addr >= region.address && addr - region.address < region.count * region.stride)
      return fact_of(document, region.first + static_cast<WordIndex>((addr - region.address) / region.stride), at);
  return std::nullopt;
}

TEST(Mirrors, HaveWhatTheWalkReturnedUntilItIsTakenAway) {
  const auto document = document_of(sample_trace(mirrored_sample).text());
  ASSERT_NE(document, nullptr);
  const auto maps = steps_of(*document->recording, RuleId::trace_mirror_maps), drops = steps_of(*document->recording, RuleId::trace_mirror_drops);
  ASSERT_GT(maps.size(), 10u);
  ASSERT_FALSE(drops.empty());
  size_t mapped = 0;
  Cursor cursor(document->recording, document->keyframes);
  for (const StepIndex step : maps) {
    const auto operands = document->recording->operands(step);
    cursor.seek(step + 1);
    for (const Region& array : document->recording->regions()) {
      if (array.kind != RegionKind::hmm_pfns || array.address != operands[1] || array.count != (operands[2] - operands[1]) >> 12) continue;
      for (uint32_t k = 0; k < array.count; ++k) {
        const uint64_t word = cursor.load(array.first + k);
        const auto has = device_word(*document, array.address + k * page_bytes, step + 1);
        ASSERT_TRUE(has);
        EXPECT_EQ(has->value, (word >> 63) != 0 ? word : 0);
        EXPECT_EQ(has->evidence, Evidence::inferred);
        mapped += has->value != 0;
      }
    }
  }
  EXPECT_GT(mapped, 1000u);
  const auto operands = document->recording->operands(maps.back());
  const auto gone = device_word(*document, operands[1], document->recording->steps());
  ASSERT_TRUE(gone);
  EXPECT_EQ(gone->value, 0u);
  EXPECT_EQ(gone->rule, "trace.mirror_drops");
}

TEST(Mirrors, DoNotHaveWhatWasWalkedAgainOrTakenAwayMeanwhile) {
  const TraceText trace = sample_trace(mirrored_sample);
  const auto count = [](const TraceText& text) {
    const auto document = document_of(text.text());
    return document == nullptr ? 0 : steps_of(*document->recording, RuleId::trace_mirror_maps).size();
  };
  const size_t whole = count(trace);
  const size_t begin = find_event(trace, ": mni_rb: ", ": dm_ioctl: "), end = find_event(trace, ": rf_out: ", ": dm_ioctl: ");
  ASSERT_LT(begin, end);
  const auto at = [](size_t index) { return static_cast<std::ptrdiff_t>(index); };
  // The sequence had moved when the driver wanted to map: it walks once more.
  TraceText again = trace;
  again.events.insert(again.events.begin() + at(end + 1), trace.events.begin() + at(begin), trace.events.begin() + at(end + 1));
  for (size_t k = end + 1; k <= 2 * end - begin + 1; ++k)
    again.events[k].replace(0, time_place(again.events[k]).second, again.events[end].substr(0, time_place(again.events[end]).second));
  EXPECT_EQ(count(again), whole);
  // A callback for the one page of the first walk.
  TraceText invalidated = trace;
  const std::string front = trace.events[end].substr(0, time_place(trace.events[end]).second);
  const std::string& walk = trace.events[end];
  const auto field = [&](std::string_view name) {
    const size_t from = walk.find(std::string(name) + "=") + name.size() + 1;
    return walk.substr(from, walk.find(' ', from) - from);
  };
  const std::string& read = trace.events[find_event(trace, ": mni_rb_r: ", ": dm_ioctl: ")];
  const std::string sub = read.substr(read.find(" sub="));
  invalidated.events.insert(invalidated.events.begin() + at(end + 1),
                            {front + "dm_inv: (f+0x4/0xd0)" + sub + " start=" + field("start") + " end=" + field("end") + " event=1 owner=0x0 cur_seq=0x7",
                             front + "dm_inv_r: (f+0x4/0xd0 <- g) ret=1" + sub});
  EXPECT_EQ(count(invalidated), whole - 1);
}

TEST(Mirrors, AreUnknownBehindAnOwnMigrationAndLostEvents) {
  const auto migrated = document_of(sample_trace("6.12-unified-s4_devonly_mixed.trace.txt.xz").text());
  ASSERT_NE(migrated, nullptr);
  EXPECT_FALSE(steps_of(*migrated->recording, RuleId::trace_mirror_unknown).empty());
  TraceText trace = sample_trace(mirrored_sample);
  const size_t back = find_event(trace, ": dm_ioctl_r: ", ": dm_ioctl: ");
  trace.events.insert(trace.events.begin() + static_cast<std::ptrdiff_t>(back + 1), "CPU:0 [LOST 5 EVENTS]");
  const auto lost = document_of(trace.text());
  ASSERT_NE(lost, nullptr);
  const auto maps = steps_of(*lost->recording, RuleId::trace_mirror_maps), unknown = steps_of(*lost->recording, RuleId::trace_mirror_unknown);
  ASSERT_FALSE(maps.empty());
  ASSERT_FALSE(unknown.empty());
  const uint64_t addr = lost->recording->operands(maps.front())[1];
  EXPECT_EQ(device_word(*lost, addr, maps.front() + 1)->evidence, Evidence::inferred);
  const auto fact = device_word(*lost, addr, unknown.front() + 1);
  EXPECT_EQ(fact->evidence, Evidence::unknown);
  EXPECT_FALSE(fact->probe.empty());
}

}  // namespace
}  // namespace hmmscope::traces
