// Damaged traces that show, while a call of a task is under way, events of the task that belong to no call of it.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "tests/traces/trace_text.h"

namespace hmmscope::traces {
namespace {

/// An event at the same place and time as `like`.
std::string event_like(const std::string& like, const std::string& event) {
  return like.substr(0, time_place(like).second) + event;
}

/// Inside a migrate_vma_finalize, so many range faults that did not return that the outer ones are taken for damage, and then
/// the end of the system call. It was taken for the end of the call that the engine was in, and the replay waited for ever
/// for that one to be over.
TEST(StrayEvents, DoNotEndTheCallThatTheEngineIsIn) {
  TraceText trace = sample_trace("6.12-migrate_fault.trace.txt.xz");
  const auto finalize = std::find_if(trace.events.begin(), trace.events.end(), [](const std::string& e) { return e.find(" mv_fin_in: ") != std::string::npos; });
  ASSERT_NE(finalize, trace.events.end());
  auto at = finalize + 8;   // some ptes have their pages back, the others follow
  ASSERT_NE(at->find(" remove_migration_pte: "), std::string::npos);
  const std::string like = *at;
  constexpr uint32_t calls = 17;
  const auto range = [](uint32_t k) { return "range=" + fmt::format("{:#x}", 0xffffc90000100000 + 0x100 * k); };
  std::vector<std::string> strays;
  for (uint32_t k = 0; k < calls; ++k)
    strays.push_back(event_like(like, "rf_in: (hmm_range_fault+0x4/0x80) " + range(k) + " notifier=0x0 seq=0x0 start=0x1000 end=0x1000 default_flags=0x0 mask=0x0 owner=0x0 pfns={}"));
  strays.push_back(event_like(like, "rf_out: (f+0x3e/0x90 <- hmm_range_fault) ret=0 " + range(calls - 1)));
  strays.push_back(event_like(like, "sys_ioctl -> 0x0"));
  strays.push_back(event_like(like, "rf_out: (f+0x3e/0x90 <- hmm_range_fault) ret=0 " + range(0)));
  trace.events.insert(at, strays.begin(), strays.end());
  const auto recording = replay_text(trace.text());
  ASSERT_TRUE(recording) << recording.error().to_string();
  // Whatever became of the calls that the strays made up, those of the trace are as they were.
  const auto whole = replay_text(sample_text(samples_dir / "6.12-migrate_fault.trace.txt.xz"));
  ASSERT_TRUE(whole);
  const auto finalizes = [](const Recording& recording) {
    std::vector<std::pair<bool, int64_t>> all;
    for (const Call& call : recording.calls())
      if (call.function == Function::migrate_vma_finalize) all.emplace_back(call.returned, call.result);
    return all;
  };
  EXPECT_EQ(finalizes(*recording), finalizes(*whole));
  for (const CallCheck& check : recording->checks()) EXPECT_NE(check.verdict, Verdict::diverged) << check.reason;
}

}  // namespace
}  // namespace hmmscope::traces
