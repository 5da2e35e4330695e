// Whole traces: the vocabulary, lost events, what the trace says of itself, and input that is no trace.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <string>

#include "traces/reader/source.h"
#include "traces/reader/trace_info.h"

namespace hmmscope::traces {
namespace {

const std::filesystem::path text_samples = std::filesystem::path(HMMSCOPE_SOURCE_DIR) / "traces" / "samples";

Result<std::shared_ptr<const Trace>> read_text(std::string_view text, const Progress& progress = {}) {
  return read_trace({reinterpret_cast<const uint8_t*>(text.data()), text.size()}, "test.txt", progress);
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

constexpr std::string_view header =
    "# hmmscope-capture: kernel=6.12.117-x arch=x86_64 page_shift=12 page_table_levels=4 patch=none\n"
    "# hmmscope-capture: config=DEVICE_PRIVATE=y,MIGRATION=n\n"
    "# tracer: nop\n";
constexpr std::string_view body =
    "              sh-55      [001] .....    75.446146: tracing_mark_write: TEST a=b begin\n"
    "              sh-55      [001] .....    75.446719: sys_clone(clone_flags: 1200011, newsp: 10, tls: 0)\n"
    "              sh-55      [001] .....    75.448577: sched_process_fork: comm=a pid=7 x pid=55 child_comm=a pid=7 x child_pid=740\n"
    "              sh-55      [001] .....    75.448705: sys_clone -> 0x2e4\n"
    "           <...>-740     [000] .....    75.448800: remove_migration_pte: addr=10, pte=dfffffe060000000 order=9\n"
    "           child-740     [000] d....    75.448916: r_out: (caller+0x1/0x2 <- hmm_range_fault) ret=-16 pfns={0x1,0xc000000000000002}\n";

TEST(TraceReader, GivesOneVocabulary) {
  const auto read = read_text(std::string(header) + std::string(body));
  ASSERT_TRUE(read) << read.error().to_string();
  const Trace& trace = **read;
  ASSERT_EQ(trace.size(), 6u);
  EXPECT_EQ(trace.info().kernel, "6.12.117-x");
  EXPECT_EQ(trace.info().config, "DEVICE_PRIVATE=y,MIGRATION=n");
  EXPECT_EQ(trace.info().patch, "none");
  EXPECT_EQ(trace.info().page_shift, 12u);
  EXPECT_EQ(trace.info().page_table_levels, 4u);
  EXPECT_EQ(trace.info().clock_digits, 6u);

  EXPECT_EQ(trace[0].kind_name(), "print");
  EXPECT_EQ(trace[0].text("buf"), "TEST a=b begin");
  EXPECT_EQ(trace[0].line(), 4u);
  EXPECT_EQ(trace[0].time_ns(), 75446146000);
  EXPECT_EQ(trace[1].kind_name(), "sys_enter_clone");
  EXPECT_EQ(trace[1].number("clone_flags"), 0x1200011u);
  EXPECT_EQ(trace[1].number("newsp"), 0x10u);
  EXPECT_EQ(trace[2].text("parent_comm"), "a pid=7 x");
  EXPECT_EQ(trace[2].number("parent_pid"), 55u);
  EXPECT_EQ(trace[2].text("child_comm"), "a pid=7 x");
  EXPECT_EQ(trace[2].number("child_pid"), 740u);
  EXPECT_EQ(trace[3].kind_name(), "sys_exit_clone");
  EXPECT_EQ(trace[3].integer("ret"), 0x2e4);
  EXPECT_EQ(trace[4].number("addr"), 0x10u);
  EXPECT_EQ(trace[4].number("order"), 9u);
  EXPECT_EQ(trace[5].integer("ret"), -16);
  EXPECT_EQ(trace[5].text("__probe_func"), "hmm_range_fault");
  uint64_t words[64];
  ASSERT_EQ(trace[5].array("pfns", words), 2u);
  EXPECT_EQ(words[1], 0xc000000000000002u);
  EXPECT_EQ(trace[5].pid(), 740);
  EXPECT_EQ(trace.tasks()[trace[5].task()].name, "child");  // "<...>" before it does not count
  EXPECT_EQ(trace[5].error("x").to_string(), "test.txt:9: x");
  EXPECT_EQ(trace.kind("sys_exit_clone"), trace[3].kind());
  EXPECT_EQ(trace.kind("nothing"), no_kind);
}

TEST(TraceReader, TraceCmdReportRawGivesTheSameEvents) {
  const auto read = read_text(
      "cpus=2\n"
      "              sh-55    [001]    75.446146: print:                 ip=tracing_mark_write buf=TEST a=b begin\n"
      "              sh-55    [001]    75.446719: sys_enter_clone:       __syscall_nr=56 clone_flags=0x01200011 newsp=0x00000010\n"
      "              sh-55    [001]    75.448577: sched_process_fork:    parent_comm=sh parent_pid=55 child_comm=sh child_pid=740\n"
      "              sh-55    [001]    75.448705: sys_exit_clone:        __syscall_nr=56 ret=0x2e4\n"
      "              sh-55    [001]    75.448916: r_out:                 __probe_func=ffffffff8122d414 __probe_ret_ip=ffffffff8105b78c "
      "ret=-16 pfns=ARRAY[01, 00, 00, 00, 00, 00, 00, 00, 02, 00, 00, 00, 00, 00, 00, c0]\n");
  ASSERT_TRUE(read) << read.error().to_string();
  const Trace& trace = **read;
  EXPECT_EQ(trace.info().format, "trace-cmd report -R");
  EXPECT_EQ(trace.info().cpus, 2u);
  EXPECT_EQ(trace[0].text("buf"), "TEST a=b begin");
  EXPECT_EQ(trace[1].number("clone_flags"), 0x1200011u);
  EXPECT_EQ(trace[1].number("newsp"), 0x10u);
  EXPECT_EQ(trace[1].number("__syscall_nr"), 56u);
  EXPECT_EQ(trace[2].number("parent_pid"), 55u);
  EXPECT_EQ(trace[3].integer("ret"), 0x2e4);
  EXPECT_EQ(trace[4].number("__probe_func"), 0xffffffff8122d414u);
  uint64_t words[64];
  ASSERT_EQ(trace[4].array("pfns", words), 2u);
  EXPECT_EQ(words[1], 0xc000000000000002u);
}

TEST(TraceReader, TraceCmdReportIsKnownToLoseArrays) {
  const auto read = read_text(
      "              sh-55    [001]    75.446146: print:                tracing_mark_write: TEST\n"
      "              sh-55    [001]    75.446719: sys_enter_clone:      clone_flags: 0x01200011, newsp: 0x00000010\n"
      "              sh-55    [001]    75.448705: sys_exit_clone:       0x2e4\n"
      "              sh-55    [001]    75.448916: r_out:                (ffffffff8122d414 <- ffffffff8105b78c) ret=0 pfns={0x0,0x0}\n");
  ASSERT_TRUE(read) << read.error().to_string();
  const Trace& trace = **read;
  EXPECT_EQ(trace.info().format, "trace-cmd report");
  EXPECT_FALSE(trace.info().arrays_reliable);
  EXPECT_EQ(trace[0].text("buf"), "TEST");
  EXPECT_EQ(trace[1].number("newsp"), 0x10u);
  EXPECT_EQ(trace[2].integer("ret"), 0x2e4);
}

TEST(TraceReader, LostEventsAreEventsAtTheEndOfTheirGap) {
  const auto read = read_text(
      "              sh-55      [001] .....    75.000001: e: a=1\n"
      "CPU:1 [LOST 123 EVENTS]\n"
      "              sh-55      [001] .....    76.000001: e: a=1\n"
      "CPU:0 [LOST EVENTS]\n");
  ASSERT_TRUE(read) << read.error().to_string();
  const Trace& trace = **read;
  ASSERT_EQ(trace.size(), 4u);
  EXPECT_EQ(trace[1].kind_name(), "lost_events");
  EXPECT_EQ(trace[1].number("count"), 123u);
  EXPECT_EQ(trace[1].time_ns(), 76000001000);
  EXPECT_EQ(trace[1].cpu(), 1);
  EXPECT_EQ(trace[1].pid(), -1);
  EXPECT_EQ(trace[3].number("count"), std::nullopt);
  EXPECT_EQ(trace[3].time_ns(), 76000001000);
  EXPECT_EQ(trace.info().lost_events, 124u);
}

TEST(TraceReader, OrdersEventsByTimeAndKeepsTies) {
  const auto read = read_text(
      "              sh-55      [001] .....    75.000002: e: a=1\n"
      "              sh-56      [001] .....    75.000001: e: a=2\n"
      "              sh-57      [001] .....    75.000002: e: a=3\n");
  ASSERT_TRUE(read);
  EXPECT_EQ((**read)[0].number("a"), 2u);
  EXPECT_EQ((**read)[1].number("a"), 1u);
  EXPECT_EQ((**read)[2].number("a"), 3u);
}

TEST(TraceReader, FreeTextMayGoOnInTheNextLine) {
  const auto read = read_text(
      "              sh-55      [001] .....    75.000001: tracing_mark_write: one\n"
      "two\n"
      "              sh-55      [001] .....    75.000002: <stack trace>\n"
      " => hmm_range_fault\n"
      "              sh-55      [001] .....    75.000003: e: a=1\n");
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_EQ((*read)->size(), 3u);
  EXPECT_EQ((*read)->info().unparsed_lines, 2u);
  EXPECT_EQ((*read)->info().first_unparsed_line, 2u);
}

void expect_error(std::string_view text, std::string_view message) {
  const auto read = read_text(text);
  ASSERT_FALSE(read) << text;
  EXPECT_NE(read.error().to_string().find(message), std::string::npos) << read.error().to_string();
}

TEST(TraceReader, ErrorsNameTheLine) {
  const std::string event = "              sh-55      [001] .....    75.000001: e: a=1\n";
  expect_error("", "test.txt: is empty");
  expect_error("hello\n", "test.txt: at byte 0: is in no trace format");
  expect_error("# tracer: nop\n#\n", "test.txt: holds no events (2 lines read)");
  expect_error(event + "garbage\n" + event, "test.txt:2: not a line of an ftrace text: \"garbage\"");
  expect_error(event + "              sh-55      [99999] .....    75.000001: e: a=1\n", "test.txt:2: the cpu number");
  expect_error(event + event.substr(0, 40), "test.txt:2: the file ends in the middle of this line");
  expect_error(event + std::string(100000, '\0'), "test.txt:2: the file ends in the middle");
  expect_error(event + std::string(1 << 20, 'x') + "\n", "test.txt:2: not a line");
  expect_error("# hmmscope-capture: kernel=6.12 page_shift=99\n" + event, "test.txt:1: this value cannot be: page_shift=99");
  expect_error("# tracer: nop\n# entries-in-buffer/entries-written: 3/3   #P:2\n" + event,
               "test.txt:3: the header announces 3 events, but the file ends after 1");
}

/// It may be cut inside a number: it is no event, but costs nothing else.
TEST(TraceReader, ALastLineWithoutItsEndIsLeftOut) {
  const std::string event = "              sh-55      [001] .....    75.000001: e: a=1\n";
  for (const std::string head : {"", "# tracer: nop\n# entries-in-buffer/entries-written: 2/2   #P:2\n"}) {
    const auto read = read_text(head + event + event.substr(0, event.size() - 1));
    ASSERT_TRUE(read) << read.error().to_string();
    EXPECT_EQ((*read)->size(), 1u);
    EXPECT_EQ((*read)->info().left_out_line, head.empty() ? 2u : 4u);
  }
  const auto comment = read_text(event + "# the end");
  ASSERT_TRUE(comment);
  EXPECT_EQ((*comment)->info().left_out_line, 0u);
}

TEST(TraceReader, ACutTextIsReadUpToThereWhenAskedFor) {
  const std::string event = "              sh-55      [001] .....    75.000001: e: a=1\n";
  ReadOptions options;
  options.accept_incomplete = true;
  for (const auto& [text, says] : {std::pair(event + event + event.substr(0, 40), "test.txt:3: the file ends in the middle of this line"),
                                   std::pair("# entries-in-buffer/entries-written: 9/9   #P:2\n" + event + event + event.substr(0, event.size() - 2),
                                             "test.txt:4: the header announces 9 events")}) {
    EXPECT_FALSE(read_text(text));
    const auto bytes = std::span(reinterpret_cast<const uint8_t*>(text.data()), text.size());
    const auto read = read_trace(bytes, "test.txt", options);
    ASSERT_TRUE(read) << read.error().to_string();
    EXPECT_EQ((*read)->size(), 2u);
    ASSERT_TRUE((*read)->info().incomplete);
    EXPECT_TRUE((*read)->info().incomplete->to_string().starts_with(says)) << (*read)->info().incomplete->to_string();
  }
}

/// Tools that copy a text put such behind its lines, and a mark in front of it.
TEST(TraceReader, BlanksBehindLinesAndAByteOrderMarkChangeNothing) {
  const std::string head = "# hmmscope-capture: kernel=6.12.1\n", event = "              sh-55      [001] .....    75.000001: e: a=0x1f b=";
  for (const char* end : {"\n", "  \n", "\r\n", "\r\r\n", "\t \r\n"}) {
    for (const char* last : {"{0x1,0x2}", "name", "0x2a"}) {
      const auto read = read_text("\xef\xbb\xbf" + head + event + last + end + event + last + end);
      ASSERT_TRUE(read) << read.error().to_string();
      EXPECT_EQ((*read)->info().kernel, "6.12.1");
      for (const size_t k : {0, 1}) {
        EXPECT_EQ((**read)[k].number("a"), 0x1fu);
        EXPECT_EQ((**read)[k].text("b"), last == std::string("{0x1,0x2}") ? "0x1,0x2" : last);
        EXPECT_FALSE((**read)[k].array_damaged("b") && last[0] == '{');
        EXPECT_TRUE((**read)[k].payload().ends_with(last));
      }
    }
  }
}

TEST(TraceReader, TheVerboseLatencyFormatIsNamed) {
  expect_error("# tracer: nop\n#\n           cat  1234 1 0 00000001 00000002 [0000000000000003] 0.005ms (+0.001ms): e: a=1\n",
               "verbose latency format");
}

TEST(TraceReader, NulBytesAndLongLinesAreOnlyBytes) {
  using namespace std::string_literals;
  const std::string text = "             s\0h-55     [001] .....    75.000001: e: a=1 b="s + std::string(300000, 'y') + " c=3\n";
  const auto read = read_text(text);
  ASSERT_TRUE(read) << read.error().to_string();
  EXPECT_EQ((**read)[0].number("a"), 1u);
  EXPECT_EQ((**read)[0].number("c"), 3u);
}

TEST(TraceReader, ReportsProgressAndStopsWhenCancelled) {
  std::string text;
  while (text.size() < (5u << 20)) text += "              sh-55      [001] .....    75.000001: e: a=1\n";
  std::atomic<bool> cancel{false};
  uint64_t last = 0, calls = 0;
  Progress progress;
  progress.cancel = &cancel;
  progress.report = [&](std::string_view stage, uint64_t done, uint64_t total) {
    EXPECT_EQ(stage, "reading");
    EXPECT_GE(done, last);
    EXPECT_EQ(total, text.size());
    last = done;
    ++calls;
  };
  ASSERT_TRUE(read_text(text, progress));
  EXPECT_EQ(last, text.size());
  EXPECT_GE(calls, 4u);
  progress.report = [&](std::string_view, uint64_t, uint64_t) { cancel = true; };
  const auto cancelled = read_text(text, progress);
  ASSERT_FALSE(cancelled);
  EXPECT_EQ(cancelled.error().to_string(), "cancelled");
}

TEST(Meta, FillsOnlyWhatTheTraceDoesNotSay) {
  TraceInfo info;
  info.kernel = "6.1.192";
  ASSERT_TRUE(read_meta(R"({"kernel": "6.12", "arch": "x86_64", "page_shift": 12, "page_table_levels": 5, "patch": "p",
                            "config": {"MIGRATION": true, "SWAP": false}})", "meta.json", info));
  EXPECT_EQ(info.kernel, "6.1.192");
  EXPECT_EQ(info.patch, "p");
  EXPECT_EQ(info.config, "MIGRATION=y,SWAP=n");
  EXPECT_EQ(info.page_table_levels, 5u);
  for (const char* bad : {"", "[", "[]", "{\"page_shift\": 99}", "{\"page_shift\": \"x\"}", "{\"page_table_levels\": -1}"}) {
    EXPECT_FALSE(read_meta(bad, "meta.json", info)) << bad;
  }
}

class Sample : public testing::TestWithParam<std::string> {};

std::vector<std::string> sample_names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(text_samples)) {
    if (entry.path().filename().string().find(".trace.txt") != std::string::npos) names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

TEST_P(Sample, HasEveryEventItsHeaderAnnounces) {
  const auto read = open_trace(text_samples / GetParam());
  ASSERT_TRUE(read) << read.error().to_string();
  const Trace& trace = **read;
  EXPECT_TRUE(trace.info().has_entry_counts);
  EXPECT_EQ(trace.size(), trace.info().entries_in_buffer);
  EXPECT_EQ(trace.info().unparsed_lines, 0u);
  EXPECT_EQ(trace.info().lost_events, 0u);
  EXPECT_FALSE(trace.info().kernel.empty());
  EXPECT_FALSE(trace.info().config.empty());
  EXPECT_EQ(trace.info().page_shift, 12u);
  for (size_t i = 1; i < trace.size(); ++i) ASSERT_GE(trace[i].time_ns(), trace[i - 1].time_ns());
}

TEST_P(Sample, EveryFieldOfEveryCallIsReadable) {
  const auto read = open_trace(text_samples / GetParam());
  ASSERT_TRUE(read);
  uint64_t words[64];
  size_t calls = 0;
  for (size_t i = 0; i < (*read)->size(); ++i) {
    const EventView event = (**read)[i];
    if (event.kind_name() == "rf_in") {
      ++calls;
      for (const char* name : {"range", "notifier", "seq", "start", "end", "default_flags", "mask", "owner"}) {
        EXPECT_TRUE(event.number(name)) << event.line() << " " << name;
      }
      EXPECT_EQ(event.array("pfns", words), 64u);
    } else if (event.kind_name() == "rf_out") {
      EXPECT_TRUE(event.integer("ret")) << event.line();
      EXPECT_EQ(event.array("pfns", words), 64u) << event.line();
    } else if (event.kind_name() == "excl_in") {
      ++calls;
      EXPECT_TRUE(event.number("start") && event.number("end")) << event.line();
    } else if (event.kind_name().starts_with("mv_setup_in")) {
      ++calls;
      const uint32_t expected = event.kind_name().ends_with('1') ? 1 : 64;  // one slot when a CPU fault migrates
      EXPECT_EQ(event.array("src", words), expected) << event.line();
      EXPECT_EQ(event.array("dst", words), expected) << event.line();
    }
  }
  EXPECT_GT(calls, 0u);
}

INSTANTIATE_TEST_SUITE_P(Captures, Sample, testing::ValuesIn(sample_names()), [](const auto& param) {
  std::string name = param.param;
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name;
});

TEST(TraceReader, EveryTruncationOfASampleIsAnError) {
  const std::string text = read_file(text_samples / "6.12-snapshot.trace.txt");
  ASSERT_GT(text.size(), 100000u);
  std::mt19937 random(7);
  for (int round = 0; round < 400; ++round) {
    const size_t size = round < 100 ? static_cast<size_t>(round) : random() % text.size();
    EXPECT_FALSE(read_text(std::string_view(text).substr(0, size))) << size;
  }
  EXPECT_TRUE(read_text(text));
}

/// Whatever the bytes, reading and decoding end in a trace or an error that names the file.
TEST(TraceReader, SurvivesFlippedBytes) {
  const std::string original = read_file(text_samples / "6.12-snapshot.trace.txt").substr(0, 40000);
  std::mt19937 random(11);
  uint64_t words[64];
  for (int round = 0; round < 150; ++round) {
    std::string text = original.substr(0, original.rfind('\n') + 1);
    const int flips = 1 + static_cast<int>(random() % 20);
    for (int i = 0; i < flips; ++i) text[random() % text.size()] = static_cast<char>(random());
    const size_t counts = text.find("# entries");
    if (counts != std::string::npos) text[counts + 2] = '-';
    const auto read = read_text(text);
    if (!read) {
      EXPECT_EQ(read.error().file, "test.txt");
      continue;
    }
    for (size_t i = 0; i < (*read)->size(); ++i) {
      const EventView event = (**read)[i];
      (void)event.number("start");
      (void)event.text("ops");
      (void)event.array("pfns", words);
      EXPECT_LT(event.kind(), (*read)->kinds().size());
      EXPECT_LT(event.task(), (*read)->tasks().size());
    }
  }
}

}  // namespace
}  // namespace hmmscope::traces
