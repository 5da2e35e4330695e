// The grammar of single lines: every column layout, any task name, numbers that cannot be.
#include <gtest/gtest.h>

#include <string>

#include "traces/reader/text_line.h"

namespace hmmscope::traces {
namespace {

struct Case {
  const char* line;
  const char* comm;
  int32_t pid;
  int32_t tgid;
  uint32_t cpu;
  int64_t time;
  int digits;
  const char* event;
};

class EventLine : public testing::TestWithParam<Case> {};

TEST_P(EventLine, IsRead) {
  const Case& c = GetParam();
  ParsedLine out;
  ASSERT_EQ(parse_line(c.line, out), LineKind::event) << c.line;
  EXPECT_EQ(out.comm, c.comm);
  EXPECT_EQ(out.pid, c.pid);
  EXPECT_EQ(out.tgid, c.tgid);
  EXPECT_EQ(out.cpu, c.cpu);
  EXPECT_EQ(out.time, c.time);
  EXPECT_EQ(out.digits, c.digits);
  EXPECT_EQ(std::string_view(c.line).substr(out.event_at), c.event);
}

INSTANTIATE_TEST_SUITE_P(Layouts, EventLine, testing::Values(
    Case{"              sh-55      [001] .....    75.446146: mmf: x=1", "sh", 55, 0, 1, 75446146000, 6, "mmf: x=1"},
    Case{"              sh-55      [001]    75.446146: mmf: x=1", "sh", 55, 0, 1, 75446146000, 6, "mmf: x=1"},
    Case{"              sh-55      (     54) [001] d..1.    75.446146: mmf: x=1", "sh", 55, 54, 1, 75446146000, 6, "mmf: x=1"},
    Case{"              sh-55      (-------) [001] d..1.    75.446146: mmf: x=1", "sh", 55, 0, 1, 75446146000, 6, "mmf: x=1"},
    Case{"              sh-55      [127] .....    75.446146123: mmf: x=1", "sh", 55, 0, 127, 75446146123, 9, "mmf: x=1"},
    Case{"              sh-55      [001] .....  123456: mmf: x=1", "sh", 55, 0, 1, 123456, 0, "mmf: x=1"},
    Case{"          <idle>-0       [001] dNh2.    75.446146: mmf: x=1", "<idle>", 0, 0, 1, 75446146000, 6, "mmf: x=1"},
    Case{"  hmm-tests-6.12-740     [000] .....    75.448998: mmf: x=1", "hmm-tests-6.12", 740, 0, 0, 75448998000, 6, "mmf: x=1"},
    Case{"              sh-55    [001]    75.446146: mmf:                  (ff) x=1", "sh", 55, 0, 1, 75446146000, 6, "mmf:                  (ff) x=1"},
    Case{"      sh-55      1-0x1    75.446146: mmf:   x=1", "sh", 55, 0, 1, 75446146000, 6, "mmf:   x=1"},
    Case{"      sh-55        1d..1.  123us+: mmf: x=1", "sh", 55, 0, 1, 123000, 6, "mmf: x=1"},
    Case{"      sh-55        1d..1.  123us : mmf: x=1", "sh", 55, 0, 1, 123000, 6, "mmf: x=1"},
    Case{"sh-55 [001] 75.4: mmf: x=1", "sh", 55, 0, 1, 75400000000, 1, "mmf: x=1"}));

INSTANTIATE_TEST_SUITE_P(Names, EventLine, testing::Values(
    Case{"   my task-1 [0]-77      [001] .....     1.000001: e: a=1", "my task-1 [0]", 77, 0, 1, 1000001000, 6, "e: a=1"},
    Case{"  a-1 [0] 1.0: b-78      [001] .....     1.000001: e: a=1", "a-1 [0] 1.0: b", 78, 0, 1, 1000001000, 6, "e: a=1"},
    Case{" 1-2-3-4-5-6-7--79      [001] .....     1.000001: e: a=1", "1-2-3-4-5-6-7-", 79, 0, 1, 1000001000, 6, "e: a=1"},
    Case{"  ]-[ CPU:1 [LOS-80      [001] .....     1.000001: e: a=1", "]-[ CPU:1 [LOS", 80, 0, 1, 1000001000, 6, "e: a=1"},
    Case{"     kworker/0:1-81      [001] .....     1.000001: e: a=1", "kworker/0:1", 81, 0, 1, 1000001000, 6, "e: a=1"},
    Case{"           <...>-82      [001] .....     1.000001: e: a=1", "<...>", 82, 0, 1, 1000001000, 6, "e: a=1"}));

TEST(Line, TheKernelsColumnDecidesWhereThePidIs) {
  // The comm reads like a whole event of another task; only its column tells.
  ParsedLine out;
  ASSERT_EQ(parse_line(" a-1 [0] 2: q: z-9       [003] .....     1.000001: e: a=1", out), LineKind::event);
  EXPECT_EQ(out.pid, 9);
  EXPECT_EQ(out.cpu, 3u);
}

TEST(Line, OtherKinds) {
  ParsedLine out;
  EXPECT_EQ(parse_line("", out), LineKind::blank);
  EXPECT_EQ(parse_line("   \t", out), LineKind::blank);
  EXPECT_EQ(parse_line("# tracer: nop", out), LineKind::comment);
  EXPECT_EQ(parse_line("cpus=2", out), LineKind::other);
  EXPECT_EQ(parse_line(" => hmm_range_fault", out), LineKind::other);
  EXPECT_EQ(parse_line("              sh-55      [001] .....    75.446146", out), LineKind::other);
  EXPECT_EQ(parse_line("              sh-      [001] .....    75.446146: mmf: x", out), LineKind::other);
  EXPECT_EQ(parse_line("              sh-55      [] .....    75.446146: mmf: x", out), LineKind::other);
}

TEST(Line, LostEvents) {
  ParsedLine out;
  ASSERT_EQ(parse_line("CPU:1 [LOST 123 EVENTS]", out), LineKind::lost);
  EXPECT_EQ(out.cpu, 1u);
  EXPECT_TRUE(out.lost_known);
  EXPECT_EQ(out.lost, 123u);
  ASSERT_EQ(parse_line("CPU:12 [LOST EVENTS]", out), LineKind::lost);
  EXPECT_FALSE(out.lost_known);
  ASSERT_EQ(parse_line("CPU:0 [7 EVENTS DROPPED]", out), LineKind::lost);
  EXPECT_EQ(out.lost, 7u);
  ASSERT_EQ(parse_line("CPU:0 [EVENTS DROPPED]", out), LineKind::lost);
  EXPECT_EQ(parse_line("CPU:0 [LOST 7 EVENT", out), LineKind::other);
}

TEST(Line, NumbersThatCannotBeAreNamed) {
  ParsedLine out;
  EXPECT_EQ(parse_line("              sh-99999999999 [001] .....    75.446146: mmf: x=1", out), LineKind::bad);
  EXPECT_STREQ(out.problem, "the pid is out of range");
  EXPECT_EQ(parse_line("              sh-55      [99999] .....    75.446146: mmf: x=1", out), LineKind::bad);
  EXPECT_STREQ(out.problem, "the cpu number is out of range");
  EXPECT_EQ(parse_line("              sh-55      [001] ..... 99999999999.000001: mmf: x=1", out), LineKind::bad);
  EXPECT_STREQ(out.problem, "the time is out of range");
  EXPECT_EQ(parse_line("              sh-55      [001] .....  1.0000000001: mmf: x=1", out), LineKind::bad);
  EXPECT_EQ(parse_line("CPU:1 [LOST 99999999999999999999 EVENTS]", out), LineKind::bad);
  EXPECT_STREQ(out.problem, "the number of lost events is out of range");
}

TEST(EventText, NamesAndForms) {
  struct {
    const char* event;
    const char* name;
    PayloadForm form;
    bool enter, exit;
    const char* payload;
  } const cases[] = {
      {"rf_in: (f+0x0/0x1) a=1", "rf_in", PayloadForm::fields, false, false, "(f+0x0/0x1) a=1"},
      {"rf_in:                 a=1", "rf_in", PayloadForm::fields, false, false, "a=1"},
      {"sys_mmap(addr: 0, len: 118)", "mmap", PayloadForm::enter, true, false, "addr: 0, len: 118)"},
      {"sys_mmap -> 0x7f00", "mmap", PayloadForm::exit, false, true, "0x7f00"},
      {"sys_enter_mmap:   addr: 0x0", "sys_enter_mmap", PayloadForm::enter, false, false, "addr: 0x0"},
      {"sys_exit_mmap:    0x7f00", "sys_exit_mmap", PayloadForm::exit, false, false, "0x7f00"},
      {"tracing_mark_write: hello: x=1", "print", PayloadForm::print, false, false, "hello: x=1"},
      {"print:    tracing_mark_write: hello", "print", PayloadForm::print, false, false, "tracing_mark_write: hello"},
      {"schedule <-do_idle", "function", PayloadForm::print, false, false, "schedule <-do_idle"},
  };
  for (const auto& c : cases) {
    EventName out;
    ASSERT_TRUE(split_event(c.event, out)) << c.event;
    EXPECT_EQ(out.name, c.name);
    EXPECT_EQ(out.form, c.form) << c.event;
    EXPECT_EQ(out.add_enter, c.enter);
    EXPECT_EQ(out.add_exit, c.exit);
    EXPECT_EQ(std::string_view(c.event).substr(out.payload_at), c.payload);
  }
  EventName out;
  EXPECT_FALSE(split_event("<stack trace>", out));
  EXPECT_FALSE(split_event("", out));
}

}  // namespace
}  // namespace hmmscope::traces
