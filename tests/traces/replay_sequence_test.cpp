// What a trace tells of a subscription's sequence, and of calls that race with callbacks of other tasks.
#include "tests/traces/replay_support.h"
#include "traces/replay/sequence_index.h"

namespace hmmscope::traces {
namespace {

/// Event lines of two tasks; the clock counts up by itself.
class Script {
 public:
  Script& event(int pid, const std::string& payload) {
    char head[96];
    std::snprintf(head, sizeof head, "            prog-%d     [00%d] .....     1.%06d: ", pid, pid % 2,
                  ++time_);
    text_ += head + payload + "\n";
    return *this;
  }
  Script& insert(int pid, uint64_t sub) {
    return event(
        pid, call("mni_insert", sub) + " mm=0xffff888100000000 start=0x10000 length=0x100000 ops=x+0x0/0x8");
  }
  Script& read(int pid, uint64_t sub, uint64_t seq) {
    event(pid, call("mni_rb", sub));
    return event(pid,
                 "mni_rb_r: (a+0x1/0x2 <- mmu_interval_read_begin) seq=" + hex(seq) + " sub=" + hex(sub));
  }
  Script& callback(int pid, uint64_t sub, uint64_t seq, const std::string& more = " event=0 owner=0x0") {
    return event(pid, call("dm_inv", sub) + " start=0x10000 end=0x11000" + more + " cur_seq=" + hex(seq));
  }
  Script& callback_returns(int pid, uint64_t sub, int ret = 1) {
    return event(pid, "dm_inv_r: (a+0x1/0x2 <- b) ret=" + std::to_string(ret) + " sub=" + hex(sub));
  }
  Script& enter(int pid, uint64_t sub, uint64_t seq) {
    return event(pid, "rf_in: (hmm_range_fault+0x4/0x80) range=0x1000 notifier=" + hex(sub) +
                          " seq=" + hex(seq) +
                          " start=0x10000 end=0x11000 pfns_ptr=0x2000 default_flags=0x0 mask=0x0 owner=0x77 "
                          "pfns={0x0,0x0}");
  }
  Script& walk_gap(int pid) {
    event(pid,
          "w_hole: (hmm_vma_walk_hole+0x4/0x120) addr=0x10000 end=0x11000 depth=-1 vma=0x0 last=0x10000");
    return event(pid, "w_hole_r: (a+0x1/0x2 <- hmm_vma_walk_hole) ret=0 addr=0x10000");
  }
  Script& leave(int pid, int ret, uint64_t word) {
    return event(pid, "rf_out: (a+0x1/0x2 <- hmm_range_fault) ret=" + std::to_string(ret) +
                          " range=0x1000 seq=0x0 start=0x10000 end=0x11000 pfns={" + hex(word) + ",0x0}");
  }
  std::string text() const {
    return "# hmmscope-capture: kernel=6.12.117-x arch=x86_64 page_shift=12 page_table_levels=4 patch=none\n"
           "# hmmscope-capture: config=DEVICE_PRIVATE=y,MIGRATION=y,MEMORY_FAILURE=n\n# tracer: nop\n" +
           text_;
  }

 private:
  static std::string hex(uint64_t value) {
    char text[24];
    std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
    return text;
  }
  static std::string call(const std::string& name, uint64_t sub) {
    return name + ": (f+0x4/0x80) sub=" + hex(sub);
  }
  std::string text_;
  int time_ = 0;
};

constexpr uint64_t sub = 0xffff888100001000, error_word = 0x2000000000000000;
constexpr int main_task = 10, other_task = 11;

CheckCounts judge(const Script& script, std::string* reason = nullptr) {
  const auto recording = replay_text(script.text());
  EXPECT_TRUE(recording) << recording.error().to_string();
  if (!recording) return {};
  if (reason != nullptr && !recording->checks().empty()) *reason = recording->checks()[0].reason;
  return count_checks(*recording);
}

TEST(Sequence, UnmovedMeansTheWalkIsRight) {
  Script script;
  script.insert(main_task, sub)
      .callback(other_task, sub, 5)
      .callback_returns(other_task, sub)
      .read(main_task, sub, 5);
  script.enter(main_task, sub, 5).walk_gap(main_task).leave(main_task, 0, error_word);
  EXPECT_EQ(judge(script).agreed, 1u);
}

TEST(Sequence, MovedMeansBusyAtOnce) {
  const auto begin = [] {
    Script script;
    script.insert(main_task, sub)
        .read(main_task, sub, 5)
        .callback(other_task, sub, 7)
        .callback_returns(other_task, sub);
    return script.enter(main_task, sub, 5);
  };
  EXPECT_EQ(judge(begin().leave(main_task, -16, 0)).agreed, 1u);
  EXPECT_EQ(judge(begin().walk_gap(main_task).leave(main_task, 0, error_word)).diverged, 1u);
}

/// A callback under way at the check may have set the sequence or not: either way is possible, neither is
/// agreement.
TEST(Sequence, ACallbackUnderWayIsUnknownEitherWay) {
  const auto begin = [] {
    Script script;
    script.insert(main_task, sub).read(main_task, sub, 5).callback(other_task, sub, 7);
    return script.enter(main_task, sub, 5);
  };
  std::string reason;
  EXPECT_EQ(judge(begin().leave(main_task, -16, 0).callback_returns(other_task, sub), &reason).unknown, 1u);
  EXPECT_NE(reason.find("under way"), std::string::npos);
  EXPECT_EQ(
      judge(begin().walk_gap(main_task).leave(main_task, 0, error_word).callback_returns(other_task, sub))
          .unknown,
      1u);
  // The rest of the call must still be right.
  EXPECT_EQ(
      judge(begin().walk_gap(main_task).leave(main_task, 0, 0).callback_returns(other_task, sub)).diverged,
      1u);
}

/// A read that was overtaken before it returned does not lower the sequence.
TEST(Sequence, AStaleReadDoesNotLowerIt) {
  Script script;
  script.insert(main_task, sub).event(main_task, "mni_rb: (f+0x4/0x80) sub=0xffff888100001000");
  script.callback(other_task, sub, 7).callback_returns(other_task, sub);
  script.event(main_task, "mni_rb_r: (a+0x1/0x2 <- b) seq=0x5 sub=0xffff888100001000");
  script.enter(main_task, sub, 5).leave(main_task, -16, 0);
  EXPECT_EQ(judge(script).agreed, 1u);
}

/// The driver skips its own migrations, and what it could not handle without blocking.
TEST(Sequence, SkippedCallbacksDoNotCount) {
  Script own;
  own.insert(main_task, sub)
      .read(main_task, sub, 5)
      .callback(main_task, sub, 7, " event=6 owner=0x77")
      .callback_returns(main_task, sub);
  own.enter(main_task, sub, 5).walk_gap(main_task).leave(main_task, 0, error_word);
  EXPECT_EQ(judge(own).agreed, 1u);
  Script foreign;
  foreign.insert(main_task, sub)
      .read(main_task, sub, 5)
      .callback(main_task, sub, 7, " event=6 owner=0x88")
      .callback_returns(main_task, sub);
  foreign.enter(main_task, sub, 5).leave(main_task, -16, 0);
  EXPECT_EQ(judge(foreign).agreed, 1u);
  Script refused;
  refused.insert(main_task, sub)
      .read(main_task, sub, 5)
      .callback(main_task, sub, 7)
      .callback_returns(main_task, sub, 0);
  refused.enter(main_task, sub, 5).walk_gap(main_task).leave(main_task, 0, error_word);
  EXPECT_EQ(judge(refused).agreed, 1u);
}

/// An invalidation of the interval whose callback no probe shows.
TEST(Sequence, AMissingCallbackIsUnknown) {
  Script script;
  script.insert(main_task, sub).read(main_task, sub, 5);
  script.event(
      other_task,
      "mn_start: (f+0x4/0x80) mm=0xffff888100000000 start=0x10000 end=0x12000 flags=0x1 event=0 owner=0x0");
  script.event(other_task,
               "mn_end: (f+0x4/0x80) mm=0xffff888100000000 start=0x10000 end=0x12000 flags=0x1 event=0");
  script.enter(main_task, sub, 5).walk_gap(main_task).leave(main_task, 0, error_word);
  std::string reason;
  EXPECT_EQ(judge(script, &reason).unknown, 1u);
  EXPECT_NE(reason.find("probe"), std::string::npos);
}

/// Another subscription, or an earlier life at the same address, says nothing about this one.
TEST(Sequence, LivesAreKeptApart) {
  Script script;
  script.insert(main_task, sub).callback(other_task, sub, 0x99).callback_returns(other_task, sub);
  script.event(main_task, "mni_remove: (f+0x4/0x80) sub=0xffff888100001000").insert(main_task, sub);
  script.callback(other_task, sub + 64, 0x99).callback_returns(other_task, sub + 64).read(main_task, sub, 5);
  script.enter(main_task, sub, 5).walk_gap(main_task).leave(main_task, 0, error_word);
  EXPECT_EQ(judge(script).agreed, 1u);
}

/// Two tasks inside the call at once.
TEST(Sequence, OverlappingCallsAreJudgedApart) {
  Script script;
  script.insert(main_task, sub).read(main_task, sub, 5).read(other_task, sub, 5);
  script.enter(main_task, sub, 5).enter(other_task, sub, 5);
  script.event(main_task, "w_hole: (f+0x4/0x120) addr=0x10000 end=0x11000 depth=-1 vma=0x0 last=0x10000");
  script.walk_gap(other_task);
  script.event(main_task, "w_hole_r: (a+0x1/0x2 <- f) ret=0 addr=0x10000");
  script.leave(main_task, 0, error_word).leave(other_task, 0, 0);
  const auto recording = replay_text(script.text());
  ASSERT_TRUE(recording);
  const CheckCounts counts = count_checks(*recording);
  EXPECT_EQ(counts.agreed, 1u);
  EXPECT_EQ(counts.diverged, 1u);
}

/// A call that never returns, and one that asks for what the engine's range fault does not do.
TEST(Sequence, WhatCannotBeJudgedIsUnknown) {
  Script open;
  open.insert(main_task, sub).read(main_task, sub, 5).enter(main_task, sub, 5).walk_gap(main_task);
  EXPECT_EQ(judge(open).unknown, 1u);
  Script unified;
  unified.insert(main_task, sub).read(main_task, sub, 5);
  unified.event(main_task,
                "rf_in: (f+0x4/0x80) range=0x1000 notifier=0xffff888100001000 seq=0x5 start=0x10000 "
                "end=0x11000 pfns_ptr=0x2000 "
                "default_flags=0x0 mask=0x0 owner=0x77 migrate=0x5000 mflags=0x0 pfns={0x0,0x0}");
  unified.walk_gap(main_task).leave(main_task, 0, 0x1234);
  std::string reason;
  EXPECT_EQ(judge(unified, &reason).unknown, 1u);
  EXPECT_NE(reason.find("migration"), std::string::npos);
}

}  // namespace
}  // namespace hmmscope::traces
