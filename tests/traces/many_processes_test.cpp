// Several processes and devices in one trace: each has its own state, whatever the pids.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/traces/trace_text.h"
#include "traces/check/facts.h"

namespace hmmscope::traces {
namespace {

struct Counts {
  uint64_t agreed = 0, all = 0;
  bool operator==(const Counts&) const = default;
};

Counts counts_of(const Recording& recording) {
  CheckCounts sum = count_checks(recording);
  sum += count_migrate_checks(recording);
  EXPECT_EQ(sum.diverged, 0u);
  return {sum.agreed, sum.calls};
}

size_t count_rule(const Recording& recording, RuleId rule) {
  size_t count = 0;
  for (StepIndex step = 0; step < recording.steps(); ++step) count += recording.rule_of(step) == rule ? 1 : 0;
  return count;
}

Recording recording_of(const TraceText& trace) {
  auto recording = replay_text(trace.text());
  EXPECT_TRUE(recording) << recording.error().to_string();
  return std::move(*recording);
}

TraceText behind(TraceText first, const TraceText& second) {
  first.events.insert(first.events.end(), second.events.begin(), second.events.end());
  return first;
}

/// How much later the second run must be to follow the first.
uint64_t length_of(const TraceText& trace) { return time_of(trace.events.back()) - time_of(trace.events.front()) + 1000; }

/// Two runs at once, at the same addresses, in different tasks: both are judged as if they were alone.
TEST(ManyProcesses, RunsAtTheSameTimeAreKeptApart) {
  const TraceText a = sample_trace("6.12-anon_write_prot.trace.txt.xz"),
                  b = sample_trace("6.12-anon_write_huge.trace.txt.xz");
  const auto back = static_cast<int64_t>(time_of(a.events.front())) - static_cast<int64_t>(time_of(b.events.front()));
  const Recording one = recording_of(a), other = recording_of(b);
  const Recording both = recording_of(merged(a, moved(b, static_cast<uint64_t>(back), 1000, 1)));
  EXPECT_EQ(counts_of(both).agreed, counts_of(one).agreed + counts_of(other).agreed);
  EXPECT_EQ(counts_of(both).all, counts_of(one).all + counts_of(other).all);
  EXPECT_EQ(count_rule(both, RuleId::trace_address_space),
            count_rule(one, RuleId::trace_address_space) + count_rule(other, RuleId::trace_address_space));
}

/// The same run twice at the same time: the same virtual addresses hold different pages.
TEST(ManyProcesses, TheSameAddressesInTwoSpaces) {
  const TraceText trace = sample_trace("6.12-anon_write_prot.trace.txt.xz");
  const Recording one = recording_of(trace);
  const Recording both = recording_of(merged(trace, moved(trace, 7, 5000, 2)));
  EXPECT_EQ(counts_of(both).all, 2 * counts_of(one).all);
  EXPECT_EQ(counts_of(both).agreed, 2 * counts_of(one).agreed);
}

/// A later run with the same pids: its tasks exit in between, and nothing is inherited.
TEST(ManyProcesses, AReusedPidInheritsNothing) {
  for (const char* name : {"6.12-migrate_fault.trace.txt.xz", "6.12-exclusive.trace.txt.xz", "6.12-compound.trace.txt"}) {
    const TraceText trace = sample_trace(name);
    const Recording one = recording_of(trace);
    const Recording both = recording_of(behind(trace, moved(trace, length_of(trace), 0, 0)));
    EXPECT_EQ(counts_of(both).all, 2 * counts_of(one).all) << name;
    EXPECT_EQ(counts_of(both).agreed, 2 * counts_of(one).agreed) << name;
  }
}

/// The same without the forks that would tell of the new tasks: an exit is enough.
TEST(ManyProcesses, APidThatExitedIsAnotherTaskWhenItLivesAgain) {
  const TraceText trace = sample_trace("6.12-migrate_fault.trace.txt.xz");
  TraceText again = moved(trace, length_of(trace), 0, 0);
  std::erase_if(again.events, [](const std::string& event) { return event.find(": sched_process_") != std::string::npos; });
  const Recording one = recording_of(trace), both = recording_of(behind(trace, again));
  EXPECT_EQ(counts_of(both).all, 2 * counts_of(one).all);
  EXPECT_EQ(counts_of(both).agreed, 2 * counts_of(one).agreed);
  EXPECT_GT(count_rule(both, RuleId::trace_address_space), count_rule(one, RuleId::trace_address_space));
}

class Tasks : public testing::Test {
 protected:
  void add(int pid, const std::string& event, int tgid = 0) {
    char text[300];
    const std::string process = tgid == 0 ? "" : "(" + std::string(7 - std::to_string(tgid).size(), ' ') + std::to_string(tgid) + ") ";
    std::snprintf(text, sizeof text, "            prog-%-7d %s[000] .....     1.%06d: %s\n", pid, process.c_str(), ++count_,
                  event.c_str());
    text_ += text;
  }
  void mmap(int pid, const std::string& at, int tgid = 0) {
    add(pid, "sys_mmap(addr: 0, len: 2000, prot: 3, flags: 22, fd: ffffffff, off: 0)", tgid);
    add(pid, "sys_mmap -> " + at, tgid);
  }
  /// Starts of the VMAs that exist at the end, by address space.
  std::map<uint32_t, std::vector<uint64_t>> vmas() const {
    std::map<uint32_t, std::vector<uint64_t>> starts;
    const auto document = document_of(text_);
    if (document == nullptr) return starts;
    for (const Region& region : document->recording->regions()) {
      if (region.kind != RegionKind::vma) continue;
      const auto word = [&](VmaWord which) {
        return fact_of(*document, region.first + static_cast<WordIndex>(which), document->recording->steps()).value;
      };
      if (word(VmaWord::end) != 0) starts[region.owner].push_back(word(VmaWord::start));
    }
    for (auto& [space, list] : starts) std::sort(list.begin(), list.end());
    return starts;
  }
  std::vector<std::vector<uint64_t>> spaces() const {
    std::vector<std::vector<uint64_t>> list;
    for (const auto& [space, starts] : vmas()) list.push_back(starts);
    return list;
  }

 private:
  std::string text_ =
      "# hmmscope-capture: kernel=6.12.117-x arch=x86_64 page_shift=12 page_table_levels=4 patch=none\n"
      "# tracer: nop\n";
  int count_ = 0;
};

using Starts = std::vector<std::vector<uint64_t>>;

TEST_F(Tasks, AForkCopiesAndThenGoesItsOwnWay) {
  mmap(10, "0x7f0000000000");
  add(10, "sched_process_fork: comm=prog pid=10 child_comm=prog child_pid=11");
  mmap(11, "0x7f0000010000");
  mmap(10, "0x7f0000020000");
  EXPECT_EQ(spaces(), (Starts{{0x7f0000000000, 0x7f0000020000}, {0x7f0000000000, 0x7f0000010000}}));
}

TEST_F(Tasks, AThreadSharesTheSpace) {
  mmap(10, "0x7f0000000000");
  add(10, "sys_clone(clone_flags: 3d0f00, newsp: 0, parent_tidptr: 0, child_tidptr: 0, tls: 0)");
  add(10, "sched_process_fork: comm=prog pid=10 child_comm=prog child_pid=11");
  add(10, "sys_clone -> 0xb");
  mmap(11, "0x7f0000010000");
  EXPECT_EQ(spaces(), (Starts{{0x7f0000000000, 0x7f0000010000}}));
}

/// A thread that was there before the trace, where the trace records processes.
TEST_F(Tasks, AThreadIsKnownByItsProcess) {
  mmap(11, "0x7f0000000000", 10);
  mmap(10, "0x7f0000010000", 10);
  mmap(12, "0x7f0000020000", 12);
  EXPECT_EQ(spaces(), (Starts{{0x7f0000000000, 0x7f0000010000}, {0x7f0000020000}}));
}

TEST_F(Tasks, ExecDropsTheAddressSpace) {
  mmap(10, "0x7f0000000000");
  add(10, "sched_process_exec: filename=/bin/true pid=10 old_pid=10");
  EXPECT_EQ(spaces(), Starts{});
  mmap(10, "0x7f0000010000");
  EXPECT_EQ(spaces(), (Starts{{0x7f0000010000}}));
}

/// The space stays while somebody lives in it.
TEST_F(Tasks, ExecOfAChildLeavesTheParentAlone) {
  mmap(10, "0x7f0000000000");
  add(10, "sched_process_fork: comm=prog pid=10 child_comm=prog child_pid=11");
  add(11, "sched_process_exec: filename=/bin/true pid=11 old_pid=11");
  EXPECT_EQ(spaces(), (Starts{{0x7f0000000000}}));
}

TEST_F(Tasks, TheLastExitEndsTheSpace) {
  mmap(10, "0x7f0000000000");
  add(10, "sys_clone(clone_flags: 3d0f00, newsp: 0, parent_tidptr: 0, child_tidptr: 0, tls: 0)");
  add(10, "sched_process_fork: comm=prog pid=10 child_comm=prog child_pid=11");
  add(10, "sys_clone -> 0xb");
  add(10, "sched_process_exit: comm=prog pid=10 prio=120");
  EXPECT_EQ(spaces(), (Starts{{0x7f0000000000}}));
  add(11, "sched_process_exit: comm=prog pid=11 prio=120");
  EXPECT_EQ(spaces(), Starts{});
}

/// A pid of a thread that exited, used again elsewhere: the space of the others is not counted down twice.
// glibc's pthread_create calls clone3, whose arguments lie in memory that no probe reads; its fork calls clone.
TEST_F(Tasks, AChildOfACallThatIsNotCloneSharesTheAddressSpace) {
  mmap(10, "0x7f0000000000");
  add(10, "sys_clone(clone_flags: 1200011, newsp: 0, parent_tidptr: 0, child_tidptr: 0, tls: 0)");
  add(10, "sched_process_fork: comm=prog pid=10 child_comm=prog child_pid=11");
  add(10, "sys_clone -> 0xb");
  add(11, "sched_process_fork: comm=prog pid=11 child_comm=prog child_pid=12");
  mmap(12, "0x7f0000010000");
  EXPECT_EQ(spaces(), (Starts{{0x7f0000000000}, {0x7f0000000000, 0x7f0000010000}}));
}

/// task_newtask tells the flags of every call that makes a task: clone3 as well.
TEST_F(Tasks, ANewTaskTellsWhatItShares) {
  mmap(10, "0x7f0000000000");
  add(10, "sys_clone(clone_flags: 1200011, newsp: 0, parent_tidptr: 0, child_tidptr: 0, tls: 0)");
  add(10, "task_newtask: pid=11 comm=prog clone_flags=1200000 oom_score_adj=0");
  add(10, "sched_process_fork: comm=prog pid=10 child_comm=prog child_pid=11");
  add(10, "sys_clone -> 0xb");
  mmap(11, "0x7f0000010000");
  add(11, "task_newtask: pid=12 comm=prog clone_flags=3d0f00 oom_score_adj=0");   // clone3 of a thread
  add(11, "sched_process_fork: comm=prog pid=11 child_comm=prog child_pid=12");
  mmap(12, "0x7f0000020000");
  add(11, "task_newtask: pid=13 comm=prog clone_flags=1200000 oom_score_adj=0");  // clone3 of a process
  add(11, "sched_process_fork: comm=prog pid=11 child_comm=prog child_pid=13");
  mmap(13, "0x7f0000030000");
  EXPECT_EQ(spaces(), (Starts{{0x7f0000000000},
                              {0x7f0000000000, 0x7f0000010000, 0x7f0000020000},
                              {0x7f0000000000, 0x7f0000010000, 0x7f0000020000, 0x7f0000030000}}));
}

TEST_F(Tasks, AReusedThreadIdLeavesTheOthersAlone) {
  mmap(10, "0x7f0000000000");
  add(10, "sys_clone(clone_flags: 3d0f00, newsp: 0, parent_tidptr: 0, child_tidptr: 0, tls: 0)");
  add(10, "sched_process_fork: comm=prog pid=10 child_comm=prog child_pid=11");
  add(10, "sys_clone -> 0xb");
  add(11, "sched_process_exit: comm=prog pid=11 prio=120");
  add(20, "sys_clone(clone_flags: 1200011, newsp: 0, parent_tidptr: 0, child_tidptr: 0, tls: 0)");
  add(20, "sched_process_fork: comm=other pid=20 child_comm=other child_pid=11");
  mmap(11, "0x7f0000010000");
  add(11, "sched_process_exit: comm=other pid=11 prio=120");
  EXPECT_EQ(spaces(), (Starts{{0x7f0000000000}}));
}

}  // namespace
}  // namespace hmmscope::traces
