// Random events, written in every form that tracefs and trace-cmd print, are read back exactly.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "traces/reader/source.h"

namespace hmmscope::traces {
namespace {

struct Written {
  std::string comm, name;
  int pid = 0, tgid = 0;
  unsigned cpu = 0;
  int64_t time = 0;          ///< in the unit of the clock
  uint64_t lost_before = 0;  ///< a mark in front, 0 = none
  uint64_t value = 0;
  std::vector<uint64_t> words;
};

/// How a file is written.
struct Form {
  const char* title;
  enum class Line { tracefs, report, latency } line;
  bool tgid = false;         ///< a column for it
  int fraction = 6;          ///< digits; 0: a counter clock
  bool raw = false;          ///< arrays as bytes
  bool difference = false;   ///< "(+51)"
};

class Random {
 public:
  explicit Random(uint64_t seed) : random_(seed) {}
  uint64_t below(uint64_t limit) { return random_() % limit; }
  bool one_in(uint64_t n) { return below(n) == 0; }
  template <size_t n>
  const char* any(const char* const (&list)[n]) {
    return list[below(n)];
  }
  /// Anything the kernel lets a task call itself; blanks in front would be padding.
  std::string comm(size_t most) {
    static const char* const odd[] = {"a b", "kworker/0:1-ev", "x-12 [003]", "<...>x", "]", "[7]", "#tracer", "12-34", "a: b", "1.000001: e:", "-", "CPU:1 [LOST", "=", "\xc3\xa9t\xc3\xa9"};
    std::string name = odd[below(std::size(odd))];
    if (one_in(3)) {
      name.clear();
      for (size_t n = 1 + below(15); n != 0; --n) name += static_cast<char>('!' + below(94));
    }
    return name.substr(0, most);
  }

 private:
  std::mt19937_64 random_;
};

std::vector<Written> random_events(Random& random, const Form& form, size_t count) {
  std::vector<Written> tasks(8), events;
  for (size_t i = 0; i < tasks.size(); ++i) {
    tasks[i].comm = random.comm(form.line == Form::Line::latency ? 8 : 15);
    tasks[i].pid = static_cast<int>(i + 1 + 100 * random.below(i % 2 == 0 ? 100 : 40000));
    tasks[i].tgid = form.tgid ? tasks[i].pid + 1 : 0;
  }
  static const char* const names[] = {"rf_in", "rf_out", "mm_page_alloc_extfrag", "a", "hmm_range_fault.isra.0", "an_event_name_of_more_than_31_letters"};
  int64_t time = static_cast<int64_t>(random.below(3000000));
  for (size_t i = 0; i < count; ++i) {
    Written event = tasks[random.below(tasks.size())];
    event.name = random.any(names);
    event.cpu = static_cast<unsigned>(random.below(random.one_in(20) ? 400 : 4));
    time += static_cast<int64_t>(random.below(random.one_in(50) ? 20000000000 : 3000));
    event.time = time;
    event.lost_before = random.one_in(15) ? 1 + random.below(1000) : 0;
    event.value = random.below(2) == 0 ? random.below(100) : random.below(~uint64_t{0});
    for (uint64_t n = random.below(4); n != 0; --n) event.words.push_back(random.below(~uint64_t{0}));
    events.push_back(std::move(event));
  }
  return events;
}

std::string time_text(int64_t time, int fraction) {
  if (fraction == 0) return fmt::format("{}", time);
  const int64_t unit = fraction == 6 ? 1000000 : 1000000000;
  return fmt::format("{}.{:0{}}", time / unit, time % unit, fraction);
}

std::string payload_text(const Written& event, const Form& form) {
  std::string words;
  for (const uint64_t word : event.words) {
    if (!form.raw) words += fmt::format("{}{:#x}", words.empty() ? "" : ",", word);
    else
      for (int byte = 0; byte < 8; ++byte) words += fmt::format("{}{:02x}", words.empty() ? "" : ", ", word >> 8 * byte & 0xff);
  }
  return fmt::format("{}value={:#x} pfns={}{}{}", form.raw ? "__probe_ip=ffffffff8122d414 " : "(walk+0x4/0x80) ", event.value,
                     form.raw ? "ARRAY[" : "{", words, form.raw ? "]" : "}");
}

std::string line_text(Random& random, const Written& event, const Form& form) {
  static const char* const flags[] = {".....", "d..1.", "d.h2.", "dN.4.", "-.s1."};
  const std::string tgid = form.tgid ? (random.one_in(4) ? "(-------) " : fmt::format("({:7}) ", event.tgid)) : "";
  const std::string time = time_text(event.time, form.fraction), payload = payload_text(event, form);
  const std::string difference = form.difference ? fmt::format("(+{}) {:3}", random.below(1000), "") : "";
  switch (form.line) {
    case Form::Line::tracefs:
      return fmt::format("{:>16}-{:<7} {}[{:03}] {} {:>12}: {}: {}\n", event.comm, event.pid, tgid, event.cpu, random.any(flags), time,
                         event.name, payload);
    case Form::Line::report:
      return fmt::format("{:>16}-{:<5} [{:03}] {:>12}: {}{:<22} {}\n", event.comm, event.pid, event.cpu, time, difference, event.name + ":",
                         payload);
    case Form::Line::latency: break;
  }
  return fmt::format("{:>8}-{:<7} {:3}{} {:>12}: {}: {}\n", event.comm, event.pid, event.cpu, random.any(flags), time, event.name, payload);
}

class Variants : public testing::TestWithParam<Form> {};

TEST_P(Variants, AreReadBackExactly) {
  const Form& form = GetParam();
  for (uint64_t seed = 0; seed < 40; ++seed) {
    Random random(seed);
    const std::vector<Written> written = random_events(random, form, 300);
    std::string text = "# tracer: nop\n#\n";
    uint64_t lost = 0;
    for (const Written& event : written) {
      if (event.lost_before != 0) {
        text += form.line == Form::Line::report ? fmt::format("CPU:{} [{} EVENTS DROPPED]\n", event.cpu, event.lost_before)
                                                : fmt::format("CPU:{} [LOST {} EVENTS]\n", event.cpu, event.lost_before);
        lost += event.lost_before;
      }
      text += line_text(random, event, form);
    }
    const auto read = read_trace({reinterpret_cast<const uint8_t*>(text.data()), text.size()}, "v.txt");
    ASSERT_TRUE(read) << read.error().to_string();
    const Trace& trace = **read;
    EXPECT_EQ(trace.info().lost_events, lost);
    EXPECT_EQ(trace.info().unparsed_lines, 0u);
    EXPECT_EQ(trace.info().clock_digits, static_cast<uint32_t>(form.fraction));
    const int64_t scale = form.fraction == 6 ? 1000 : 1;
    size_t at = 0;
    uint64_t words[8];
    for (const Written& event : written) {
      if (event.lost_before != 0) {
        ASSERT_LT(at, trace.size());
        EXPECT_EQ(trace[at].kind_name(), "lost_events");
        EXPECT_EQ(trace[at].number("count"), event.lost_before);
        EXPECT_EQ(trace[at].cpu(), event.cpu);
        EXPECT_EQ(trace[at].time_ns(), event.time * scale);
        ++at;
      }
      ASSERT_LT(at, trace.size());
      const EventView seen = trace[at++];
      SCOPED_TRACE(fmt::format("seed {} line {}", seed, seen.line()));
      ASSERT_EQ(seen.time_ns(), event.time * scale);
      ASSERT_EQ(seen.pid(), event.pid);
      ASSERT_EQ(seen.cpu(), event.cpu);
      ASSERT_EQ(seen.kind_name(), event.name);
      ASSERT_EQ(trace.tasks()[seen.task()].name, event.comm);
      if (const int tgid = trace.tasks()[seen.task()].tgid; tgid != 0) {
        ASSERT_EQ(tgid, event.tgid);
      }
      ASSERT_EQ(seen.number("value"), event.value);
      if (event.words.empty()) continue;
      ASSERT_EQ(seen.array("pfns", words), event.words.size());
      for (size_t i = 0; i < event.words.size(); ++i) ASSERT_EQ(words[i], event.words[i]);
    }
    EXPECT_EQ(at, trace.size());
  }
}

using Line = Form::Line;
INSTANTIATE_TEST_SUITE_P(Forms, Variants,
                         testing::Values(Form{"trace", Line::tracefs}, Form{"trace_tgid", Line::tracefs, true},
                                         Form{"trace_ns", Line::tracefs, false, 9}, Form{"trace_counter", Line::tracefs, false, 0},
                                         Form{"trace_tgid_counter", Line::tracefs, true, 0}, Form{"report", Line::report},
                                         Form{"report_raw", Line::report, false, 6, true}, Form{"report_raw_ns", Line::report, false, 9, true},
                                         Form{"report_difference", Line::report, false, 6, true, true},
                                         Form{"latency", Line::latency}, Form{"latency_ns", Line::latency, false, 9},
                                         Form{"latency_raw", Line::latency, false, 6, true}),
                         [](const auto& param) { return param.param.title; });

}  // namespace
}  // namespace hmmscope::traces
