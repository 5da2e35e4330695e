// A trace that is shown while it is read: prefixes are whole traces, agree with the finished one, come early, and stay
// when the rest fails or is given up.
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <vector>

#include "tests/traces/replay_support.h"
#include "traces/reader/ftrace_text.h"

namespace hmmscope::traces {
namespace {

using Prefixes = std::vector<std::shared_ptr<const Trace>>;

std::string line_of(uint64_t number) {
  const std::string micros = std::to_string(1000000 + number);
  return "            prog-" + std::to_string(10 + number % 3) + "      [001] d....  " + std::to_string(number / 1000000 + 1) + "." +
         micros.substr(micros.size() - 6) + ": e" + std::to_string(number % 5) + ": a=" + std::to_string(number) + "\n";
}

std::string lines(uint64_t count) {
  std::string text = "# tracer: nop\n# hmmscope-capture: kernel=6.12.1-x\n";
  for (uint64_t number = 0; number < count; ++number) text += line_of(number);
  return text;
}

std::span<const uint8_t> bytes_of(const std::string& text) { return {reinterpret_cast<const uint8_t*>(text.data()), text.size()}; }

ReadOptions collecting(Prefixes& prefixes) {
  ReadOptions options;
  options.prefix = [&](std::shared_ptr<const Trace> prefix) { prefixes.push_back(std::move(prefix)); };
  options.first_prefix = 500;
  return options;
}

/// `prefix` is what `whole` begins with.
void expect_beginning(const Trace& prefix, const Trace& whole) {
  ASSERT_LE(prefix.size(), whole.size());
  ASSERT_LE(prefix.kinds().size(), whole.kinds().size());
  for (size_t kind = 0; kind < prefix.kinds().size(); ++kind) EXPECT_EQ(prefix.kinds()[kind], whole.kinds()[kind]);
  ASSERT_LE(prefix.tasks().size(), whole.tasks().size());
  for (size_t task = 0; task < prefix.tasks().size(); ++task) EXPECT_EQ(prefix.tasks()[task].pid, whole.tasks()[task].pid);
  uint64_t mine[64] = {}, theirs[64] = {};
  for (size_t i = 0; i < prefix.size(); ++i) {
    const EventView a = prefix[i], b = whole[i];
    ASSERT_TRUE(a.time_ns() == b.time_ns() && a.line() == b.line() && a.cpu() == b.cpu() && a.kind() == b.kind() &&
                a.task() == b.task())
        << i;
    ASSERT_EQ(a.payload(), b.payload()) << i;
    for (const char* name : {"start", "ret", "a"}) ASSERT_EQ(a.number(name), b.number(name)) << i;
    ASSERT_EQ(a.array("pfns", mine), b.array("pfns", theirs)) << i;
  }
}

TEST(Prefixes, OfATextComeEarlyAndGrow) {
  const std::string text = lines(40000);
  Prefixes prefixes;
  const auto whole = read_trace(bytes_of(text), "x.txt", collecting(prefixes));
  ASSERT_TRUE(whole) << whole.error().to_string();
  ASSERT_GE(prefixes.size(), 3u);
  EXPECT_GE(prefixes[0]->size(), 500u);
  EXPECT_LT(prefixes[0]->size(), 4000u);
  for (size_t i = 0; i < prefixes.size(); ++i) {
    if (i > 0) {
      EXPECT_GT(prefixes[i]->size(), prefixes[i - 1]->size());
    }
    EXPECT_EQ(prefixes[i]->info().kernel, "6.12.1-x");
    expect_beginning(*prefixes[i], **whole);
  }
}

TEST(Prefixes, AreHandedOutWhileTheRestIsUnread) {
  const std::string text = lines(40000);
  uint64_t read_so_far = 0, at_first = text.size();
  ReadOptions options;
  options.progress.report = [&](std::string_view, uint64_t done, uint64_t) { read_so_far = done; };
  options.first_prefix = 500;
  options.prefix = [&](const std::shared_ptr<const Trace>&) { at_first = std::min(at_first, read_so_far); };
  ASSERT_TRUE(read_trace(bytes_of(text), "x.txt", options));
  EXPECT_LT(at_first, text.size() / 4);
}

/// The samples of every format: what is handed out on the way is how the finished trace begins.
TEST(Prefixes, OfEverySampleAreItsBeginning) {
  std::vector<std::filesystem::path> files = sample_files();
  for (const char* name : {"dat/6.12-snapshot-v7.dat.xz", "dat/6.12-snapshot-v6.dat.xz"}) files.push_back(samples_dir / name);
  size_t seen = 0;
  for (const auto& file : files) {
    Prefixes prefixes;
    ReadOptions options = collecting(prefixes);
    options.first_prefix = 1;
    const auto whole = open_trace(file, options);
    ASSERT_TRUE(whole) << whole.error().to_string();
    for (const auto& prefix : prefixes) {
      EXPECT_EQ(prefix->info().config, (*whole)->info().config);  // of meta.json too
      expect_beginning(*prefix, **whole);
    }
    seen += prefixes.size();
  }
  EXPECT_GT(seen, files.size());
}

TEST(Prefixes, ThatWereReadStayWhenTheRestIsDamaged) {
  std::string text = lines(3000);
  text += "garbage\n";
  text += line_of(4000);
  Prefixes prefixes;
  const auto failed = read_trace(bytes_of(text), "x.txt", collecting(prefixes));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().line, 3003u);
  ASSERT_FALSE(prefixes.empty());
  ASSERT_EQ(prefixes.back()->size(), 3000u);
  EXPECT_EQ((*prefixes.back())[2999].number("a"), 2999u);
}

/// The same where the damage lies in a later piece of a text that several threads scan.
TEST(Prefixes, ReachToTheDamageInALaterPiece) {
  const std::string text = lines(3000) + "garbage\n" + line_of(4000);
  for (const size_t pieces : {2u, 3u, 5u}) {
    uint64_t events = 0;
    const Progress progress;
    ReadWatch watch(progress, [&](const Trace::Parts& parts) { events = parts.events.size(); }, 1);
    const auto failed = read_ftrace_text(*copy_bytes(text, "x"), "x", watch, pieces);
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().line, 3003u);
    EXPECT_EQ(events, 3000u) << pieces;
  }
}

TEST(Prefixes, StayWhenTheReadingIsCancelledHalfWay) {
  const std::string text = lines(40000);
  Prefixes prefixes;
  std::atomic<bool> cancel{false};
  ReadOptions options = collecting(prefixes);
  options.progress.cancel = &cancel;
  options.progress.report = [&](std::string_view, uint64_t done, uint64_t total) { cancel = done > total / 2; };
  const auto cancelled = read_trace(bytes_of(text), "x.txt", options);
  ASSERT_FALSE(cancelled);
  EXPECT_EQ(cancelled.error().to_string(), "cancelled");
  ASSERT_FALSE(prefixes.empty());
  EXPECT_GT(prefixes.back()->size(), 15000u);
  EXPECT_LT(prefixes.back()->size(), 40000u);
  const auto whole = read_trace(bytes_of(text), "x.txt");
  expect_beginning(*prefixes.back(), **whole);
}

TEST(Prefixes, HoldBackMarksWhoseTimeIsNotKnownYet) {
  std::string text = lines(2000);
  for (int mark = 0; mark < 4000; ++mark) text += "CPU:0 [LOST 3 EVENTS]\n";
  text += line_of(2000);
  Prefixes prefixes;
  const auto whole = read_trace(bytes_of(text), "x.txt", collecting(prefixes));
  ASSERT_TRUE(whole);
  ASSERT_FALSE(prefixes.empty());
  for (const auto& prefix : prefixes) {
    EXPECT_LE(prefix->size(), 2000u);
    expect_beginning(*prefix, **whole);
  }
}

TEST(Prefixes, OfATextOutOfOrderAreInOrderForThemselves) {
  std::string text;
  for (uint64_t number = 0; number < 6000; ++number) text += line_of(number ^ 1);
  Prefixes prefixes;
  ASSERT_TRUE(read_trace(bytes_of(text), "x.txt", collecting(prefixes)));
  ASSERT_FALSE(prefixes.empty());
  for (size_t i = 1; i < prefixes[0]->size(); ++i) EXPECT_LE((*prefixes[0])[i - 1].time_ns(), (*prefixes[0])[i].time_ns());
}

}  // namespace
}  // namespace hmmscope::traces
