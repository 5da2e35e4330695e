// A text scanned in pieces is the text scanned in one, errors included.
#include <gtest/gtest.h>

#include <atomic>
#include <random>

#include "tests/traces/replay_support.h"
#include "traces/reader/ftrace_text.h"

namespace hmmscope::traces {
namespace {

Result<Trace::Parts> read_pieces(const std::shared_ptr<const Bytes>& bytes, std::string_view name, const Progress& progress,
                                 size_t pieces) {
  ReadWatch watch(progress);
  return read_ftrace_text(bytes, name, watch, pieces);
}

void expect_same(const Trace::Parts& one, const Trace::Parts& many) {
  EXPECT_EQ(one.kinds, many.kinds);
  ASSERT_EQ(one.tasks.size(), many.tasks.size());
  for (size_t i = 0; i < one.tasks.size(); ++i) {
    EXPECT_EQ(one.tasks[i].pid, many.tasks[i].pid);
    EXPECT_EQ(one.tasks[i].tgid, many.tasks[i].tgid);
    EXPECT_EQ(one.tasks[i].name, many.tasks[i].name);
  }
  const TraceInfo &a = one.info, &b = many.info;
  EXPECT_EQ(a.format, b.format);
  EXPECT_EQ(a.kernel, b.kernel);
  EXPECT_EQ(a.config, b.config);
  EXPECT_EQ(a.tracer, b.tracer);
  EXPECT_EQ(a.cpus, b.cpus);
  EXPECT_EQ(a.lost_events, b.lost_events);
  EXPECT_EQ(a.clock_digits, b.clock_digits);
  EXPECT_EQ(a.arrays_reliable, b.arrays_reliable);
  EXPECT_EQ(a.unparsed_lines, b.unparsed_lines);
  EXPECT_EQ(a.first_unparsed_line, b.first_unparsed_line);
  ASSERT_EQ(one.events.size(), many.events.size());
  for (size_t i = 0; i < one.events.size(); ++i) {
    const TraceEvent &x = one.events[i], &y = many.events[i];
    ASSERT_TRUE(x.time_ns == y.time_ns && x.offset == y.offset && x.line == y.line && x.task == y.task &&
                x.cpu == y.cpu && x.kind == y.kind && x.fields_at == y.fields_at &&
                x.format_data == y.format_data)
        << i;
  }
}

void expect_same_in_pieces(const std::string& text) {
  const auto bytes = *copy_bytes(text, "x.txt");
  const auto one = read_pieces(bytes, "x.txt", {}, 1);
  for (const size_t pieces : {2u, 3u, 7u}) {
    const auto many = read_pieces(bytes, "x.txt", {}, pieces);
    ASSERT_EQ(one.has_value(), many.has_value()) << pieces << (one ? many.error() : one.error()).to_string();
    if (one) {
      expect_same(*one, *many);
    } else {
      EXPECT_EQ(one.error().to_string(), many.error().to_string()) << pieces;
    }
  }
}

TEST(TextPieces, SamplesAreTheSame) {
  for (const auto& path : sample_files()) expect_same_in_pieces(sample_text(path));
}

TEST(TextPieces, SmallTextsAreTheSame) {
  const std::string line =
      "            prog-12      [001] d....  1.000001: mmf: (handle_mm_fault+0x4/0x80) addr=0x1000\n";
  for (const std::string& text :
       {std::string(), std::string("\n"), line, line + line,
        "# tracer: nop\n" + line + "CPU:0 [LOST 3 EVENTS]\n" + line, line + "CPU:0 [LOST 3 EVENTS]\n",
        line + "garbage\n" + line, line + line.substr(0, 40)})
    expect_same_in_pieces(text);
}

/// Marks, continuations, comments, damage and jumps in time, wherever the cuts fall.
TEST(TextPieces, DamagedTextsAreTheSame) {
  std::mt19937_64 random(5);
  const std::string text = without_counts(sample_text(samples_dir / "6.12-snapshot.trace.txt"));
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    lines.push_back(text.substr(at, end - at + 1));
    at = end + 1;
  }
  for (int round = 0; round < 60; ++round) {
    std::string damaged;
    for (size_t k = 0; k < lines.size(); ++k) {
      switch (random() % 120) {
        case 0:
          damaged += "CPU:1 [LOST 7 EVENTS]\n";
          break;
        case 1:
          damaged += "CPU:0 [LOST EVENTS]\n";
          break;
        case 2:
          damaged += lines[random() % lines.size()];
          break;  // time goes back
        case 3:
          damaged +=
              "          <...>-99      [000] .....  75.500000: print: a mark\nthat goes on\n\nand on\n";
          break;
        case 4:
          damaged += "# hmmscope-capture: patch=p" + std::to_string(k) + "\n";
          break;
        case 5:
          damaged += "            new-" + std::to_string(100 + k) +
                     "      (  77) [000] .....  75.500000123: kind" + std::to_string(k) + ": x=1\n";
          break;
        case 6:
          if (round % 6 == 0 && random() % 4 == 0) damaged += "no line of a trace\n";
          if (round % 6 == 1 && random() % 4 == 0) damaged += "# hmmscope-capture: page_shift=x\n";
          break;
        default:
          break;
      }
      damaged += lines[k];
    }
    if (round % 10 == 9) damaged.pop_back();
    expect_same_in_pieces(damaged);
  }
}

TEST(TextPieces, CancelStopsAllOfThem) {
  std::string text;
  const std::string sample = without_counts(sample_text(samples_dir / "6.12-overlap-4k.trace.txt.xz"));
  while (text.size() < (6u << 20)) text += sample;
  std::atomic<bool> cancel{true};
  Progress progress;
  progress.cancel = &cancel;
  for (const size_t pieces : {1u, 3u}) {
    const auto read = read_pieces(*copy_bytes(text, "x"), "x", progress, pieces);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().message, "cancelled");
  }
}

}  // namespace
}  // namespace hmmscope::traces
