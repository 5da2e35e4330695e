// Which events belong to which call: nesting, pieces of arrays before and after the call, limits.
#include "tests/traces/replay_support.h"
#include "traces/replay/call_index.h"

namespace hmmscope::traces {
namespace {

class Calls {
 public:
  uint32_t add(int pid, const std::string& payload) {
    char head[96];
    std::snprintf(head, sizeof head, "            prog-%d     [000] .....     1.%06u: ", pid, count_);
    text_ += head + payload + "\n";
    return count_++;
  }
  uint32_t enter(int pid, const char* range) {
    return add(pid, std::string("rf_in: (f+0x4/0x80) range=") + range + " start=0x1000 end=0x2000");
  }
  uint32_t leave(int pid, const char* range) {
    return add(pid, std::string("rf_out: (a+0x1/0x2 <- f) ret=0 range=") + range);
  }
  uint32_t walk(int pid) { return add(pid, "w_test_r: (a+0x1/0x2 <- f) ret=0 start=0x1000"); }
  uint32_t window(int pid, const char* name, const char* range) {
    return add(pid, std::string(name) + ": (f+0x4/0x80) range=" + range + " first=64 a={0x0,0x0}");
  }

  struct Index {
    std::shared_ptr<const Trace> trace;
    std::unique_ptr<const GapIndex> gaps;
    CallIndex calls;
  };
  Index index() const {
    const auto trace = read_trace({reinterpret_cast<const uint8_t*>(text_.data()), text_.size()}, "test");
    EXPECT_TRUE(trace) << trace.error().to_string();
    auto gaps = std::make_unique<const GapIndex>(**trace, EventKinds(**trace));
    CallIndex calls(**trace, EventKinds(**trace), *gaps);
    return {*trace, std::move(gaps), std::move(calls)};
  }

 private:
  std::string text_ = "# tracer: nop\n";
  uint32_t count_ = 0;
};

std::vector<uint32_t> own_events(const CallIndex& index, uint32_t call) {
  std::vector<uint32_t> events;
  for (uint32_t event = index.calls()[call].first; event != no_index; event = index.next(event))
    events.push_back(event);
  return events;
}

TEST(CallIndex, TasksAreKeptApart) {
  Calls script;
  const uint32_t a = script.enter(10, "0x10"), b = script.enter(11, "0x10");
  const uint32_t wa = script.walk(10), wb = script.walk(11);
  const uint32_t outside = script.walk(12);
  const uint32_t ob = script.leave(11, "0x10"), oa = script.leave(10, "0x10");
  const auto made = script.index();
  ASSERT_EQ(made.calls.calls().size(), 2u);
  EXPECT_EQ(own_events(made.calls, 0), std::vector{wa});
  EXPECT_EQ(own_events(made.calls, 1), std::vector{wb});
  EXPECT_EQ(made.calls.calls()[0].out, oa);
  EXPECT_EQ(made.calls.calls()[1].out, ob);
  EXPECT_EQ(made.calls.call_at(a), 0u);
  EXPECT_EQ(made.calls.call_at(b), 1u);
  EXPECT_EQ(made.calls.call_at(wa), no_index);
  EXPECT_FALSE(made.calls.in_call(a));
  EXPECT_TRUE(made.calls.in_call(wa));
  EXPECT_FALSE(made.calls.in_call(outside));
}

TEST(CallIndex, ACallInsideAFaultHasItsOwnEvents) {
  Calls script;
  script.enter(10, "0x10");
  const uint32_t w1 = script.walk(10), inner = script.enter(10, "0x20"), w2 = script.walk(10);
  script.leave(10, "0x20");
  const uint32_t w3 = script.walk(10);
  script.leave(10, "0x10");
  const auto made = script.index();
  EXPECT_EQ(own_events(made.calls, 0), (std::vector{w1, inner, w3}));
  EXPECT_EQ(own_events(made.calls, 1), std::vector{w2});
  EXPECT_EQ(made.calls.calls()[1].parent, 0u);
  EXPECT_TRUE(made.calls.in_call(inner));
}

/// Pieces of a long array come before rf_in, and before or after rf_out; they belong to the range they name.
TEST(CallIndex, PiecesOfArraysFindTheirCall) {
  Calls script;
  const uint32_t in_c = script.window(10, "rf_in_c", "0x10"), in_b = script.window(10, "rf_in_b", "0x10");
  script.window(10, "rf_in_b", "0x99");
  script.window(11, "rf_in_b", "0x10");
  script.enter(10, "0x10");
  const uint32_t early = script.window(10, "rf_out_b", "0x10");
  script.leave(10, "0x10");
  const uint32_t late = script.window(10, "rf_out_1g", "0x10");
  script.window(10, "rf_out_1g", "0x20");
  const auto made = script.index();
  ASSERT_EQ(made.calls.calls().size(), 1u);
  EXPECT_EQ(made.calls.calls()[0].in_windows, (std::vector{in_c, in_b}));
  EXPECT_EQ(made.calls.calls()[0].out_windows, (std::vector{early, late}));
}

TEST(CallIndex, CallsThatNeverReturnDoNotPileUp) {
  Calls script;
  for (int k = 0; k < 100; ++k) script.enter(10, "0x10");
  const auto made = script.index();
  ASSERT_EQ(made.calls.calls().size(), 100u);
  size_t roots = 0;
  for (const TracedCall& call : made.calls.calls()) {
    EXPECT_EQ(call.out, no_index);
    if (call.parent == no_index) ++roots;
  }
  EXPECT_GE(roots, 6u);
}

TEST(CallIndex, LostEventsAreRemembered) {
  const std::string text =
      "# tracer: nop\n"
      "            prog-10     [000] .....     1.000001: rf_in: (f+0x4/0x80) range=0x10 start=0x1000 "
      "end=0x2000\n"
      "CPU:0 [LOST 12 EVENTS]\n"
      "            prog-10     [000] .....     1.000002: rf_out: (a+0x1/0x2 <- f) ret=0 range=0x10\n"
      "            prog-10     [000] .....     1.000003: rf_in: (f+0x4/0x80) range=0x10 start=0x1000 "
      "end=0x2000\n";
  const auto trace = read_trace({reinterpret_cast<const uint8_t*>(text.data()), text.size()}, "test");
  ASSERT_TRUE(trace) << trace.error().to_string();
  const EventKinds kinds(**trace);
  const GapIndex gaps(**trace, kinds);
  const CallIndex index(**trace, kinds, gaps);
  ASSERT_EQ(index.calls().size(), 2u);
  ASSERT_NE(index.calls()[0].gap, nullptr);
  EXPECT_EQ(index.calls()[0].gap->lost, 12u);
  EXPECT_EQ(gap_text(*index.calls()[0].gap), "CPU 0 lost 12 events between 1.000001000 and 1.000002000");
  EXPECT_EQ(index.calls()[1].gap, nullptr);
}

/// Made-up traces that ask for much: an end, in bounded memory.
TEST(ReplayLimits, MadeUpTracesEnd) {
  const std::string header =
      "# hmmscope-capture: kernel=6.12.117-x arch=x86_64 page_shift=12 page_table_levels=4 patch=none\n"
      "# hmmscope-capture: config=DEVICE_PRIVATE=y,MIGRATION=y,MEMORY_FAILURE=n\n# tracer: nop\n";
  const auto line = [](uint32_t time, const std::string& payload) {
    char head[96];
    std::snprintf(head, sizeof head, "            prog-10     [000] .....     %u.%06u: ", 1 + time / 1000000,
                  time % 1000000);
    return head + payload + "\n";
  };
  std::string nested = header, huge = header, forks = header;
  for (uint32_t k = 0; k < 5000; ++k)
    nested += line(k,
                   "rf_in: (f+0x4/0x80) range=0x10 notifier=0x5 seq=0x5 start=0x10000 end=0x11000 "
                   "pfns_ptr=0x1 default_flags=0x0 mask=0x0 owner=0x7 pfns={0x0}");
  for (uint32_t k = 0; k < 2000; ++k) {
    huge += line(
        2 * k,
        "rf_in: (f+0x4/0x80) range=0x10 notifier=0x5 seq=0x5 start=0x10000000 end=0xf00000000 pfns_ptr=" +
            std::to_string(k) + " default_flags=0x8000000000000000 mask=0x0 owner=0x7 pfns={0x0}");
    huge += line(
        2 * k + 1,
        "rf_out: (a+0x1/0x2 <- f) ret=-14 range=0x10 seq=0x5 start=0x10000000 end=0xf00000000 pfns={0x0}");
  }
  for (uint32_t k = 0; k < 3000; ++k) {
    forks += line(3 * k, "sys_mmap(addr: 0, len: 1000, prot: 3, flags: 22, fd: ffffffff, off: 0)");
    char at[64];
    std::snprintf(at, sizeof at, "sys_mmap -> 0x7f%06x2000", 2 * k);
    forks += line(3 * k + 1, at);
    forks += line(3 * k + 2,
                  "sched_process_fork: comm=a pid=10 child_comm=a child_pid=" + std::to_string(100 + k));
  }
  for (const std::string* text : {&nested, &huge, &forks}) {
    const auto recording = replay_text(*text);
    ASSERT_TRUE(recording) << recording.error().to_string();
    EXPECT_EQ(count_checks(*recording).agreed, 0u);
    EXPECT_LT(recording->bytes(), size_t{800} << 20);
  }
}

}  // namespace
}  // namespace hmmscope::traces
