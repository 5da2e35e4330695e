// The harness must see what it is there to see: each property broken on purpose amid random operations, reported as what it
// is, and shrunk to the few parts that break it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <iterator>

#include "tests/schedule/random_check.h"
#include "tests/schedule/random_generator.h"
#include "tests/support/shrink.h"

namespace hmmscope::scenario {
namespace {

Item set_page(const std::string& at, const std::string& state) { return Item().with("op", "set-page").with("at", at).raw("state", state); }

/// What breaks a property, and how the complaint about it begins.
struct Planted {
  const char* name;
  const char* complaint;   ///< part of it
  std::vector<Item> operations;
  size_t most_operations, most_pages;
};

std::vector<Planted> planted() {
  const auto touched = Item().with("op", "touch").with("at", "spare").with("access", "write");
  const auto faulted = Item().with("op", "range-fault").with("array", "x").with("at", "spare").with("pages", 1).with("device", "gpu0").with("default", "REQ_FAULT|REQ_WRITE");
  return {
      {"Mapcount", "mapcount 1, mapped 0", {touched, set_page("spare", R"("none")")}, 2, 0},
      {"Lock", "still locked", {set_page("spare", R"("migration-write")"), set_page("spare", R"("none")")}, 2, 0},
      {"Entry", "migration entr", {set_page("spare", R"("migration-write")")}, 1, 0},
      {"Exclusive", "AnonExclusive", {set_page("spare", R"("present", "pfn": 1234567)"), set_page("spare+1", R"("present", "pfn": 1234567, "shared": true)")}, 2, 0},
      {"DeviceKeepsPage", "which the CPU has taken away", {faulted, set_page("spare", R"("none")")}, 2, 0},
      {"DeviceWrites", "may only read", {set_page("spare", R"("present", "pfn": 1234567)"), faulted, set_page("spare", R"("present", "pfn": 1234567, "shared": true, "writable": false)")}, 3, 0},
      {"Deadlock", "got deadlock",
       {touched, Item().with("op", "lock-folio").with("at", "spare"),
        Item().with("task", "late").with("op", "lock-folio").with("at", "spare")}, 3, 0},
  };
}

/// Random surroundings that are in order, with memory of their own for what is planted.
Sample surroundings(uint32_t seed) {
  for (;; ++seed) {
    Sample sample = Generator(seed).sample({});
    sample.kernel = "6.12";
    sample.vmas.push_back(Item().with("name", "spare").with("start", "0x7f00c0000000").with("size", "16K"));
    const Verdict found = verdict(sample);
    if (found.wrong.empty() && found.mistake.empty()) return sample;
  }
}

std::string wrong_about(Sample& sample) { return verdict(sample).wrong; }

class RandomViolation : public testing::TestWithParam<Planted> {};

TEST_P(RandomViolation, IsFoundAndShrinksToAFileThatRuns) {
  const Planted& planted = GetParam();
  for (uint32_t seed = 1; seed <= 2; ++seed) {
    Sample sample = surroundings(seed * 17);
    sample.operations.insert(sample.operations.end(), planted.operations.begin(), planted.operations.end());
    const std::string wrong = wrong_about(sample);
    ASSERT_NE(wrong.find(planted.complaint), std::string::npos) << wrong;
    const Sample small = shrunk(sample, wrong_about);
    EXPECT_LE(small.operations.size(), planted.most_operations) << small.text();
    EXPECT_LE(small.pages.size(), planted.most_pages) << small.text();
    EXPECT_LE(small.devices.size(), 1u) << small.text();
    EXPECT_LE(small.vmas.size(), 1u) << small.text();
    Sample again = small;   // the text alone says everything
    again.seed.reset();
    EXPECT_EQ(kind_of(wrong_about(again)), kind_of(wrong));
  }
}

INSTANTIATE_TEST_SUITE_P(Each, RandomViolation, testing::ValuesIn(planted()), [](const auto& test) { return std::string(test.param.name); });

Outcome run_text(const std::string& pages, const std::string& operations) {
  const auto parsed = parse(R"({"hmmscope-scenario": 1, "title": "t", "vmas": [{"name": "heap", "start": "0x7f0000000000", "size": "32K"},
      {"name": "huge", "start": "0x7f0000200000", "size": "2M", "thp": true}], "pages": [)" + pages + R"(], "operations": [)" + operations + "]}", "t.json");
  auto outcome = run(*parsed);
  return std::move(*outcome);
}

// Holds are told from what the run did; when they are not told the same end is wrong.
TEST(RandomHarness, WhatIsHeldIsMissed) {
  const std::string present = R"({"at": "heap", "state": "present"})", thp = R"({"at": "huge", "pages": 512, "state": "thp"})";
  const auto op = [](const char* name, const char* at) { return std::string(R"({"op": ")") + name + R"(", "at": ")" + at + "\"}"; };
  const Outcome pinned = run_text(thp, op("pin", "huge")), isolated = run_text(present, op("isolate-folio", "heap"));
  const Outcome locked = run_text(present, op("lock-folio", "heap")), taken = run_text(present, op("get-page", "heap"));
  for (const Outcome* const outcome : {&pinned, &isolated, &locked, &taken}) EXPECT_EQ(complaint(*outcome, holds_of(outcome->recording)), "");
  const auto without = [](const Outcome& outcome, auto forget) {
    auto holds = holds_of(outcome.recording);
    EXPECT_EQ(holds.size(), 1u);
    forget(holds.begin()->second);
    return complaint(outcome, holds);
  };
  EXPECT_NE(without(pinned, [](Hold& hold) { hold.references += hold.pins, hold.pins = 0; }).find("pincount"), std::string::npos);
  EXPECT_NE(without(isolated, [](Hold& hold) { hold.isolated = false; }).find("not on the LRU"), std::string::npos);
  EXPECT_NE(without(locked, [](Hold& hold) { hold.locked = false; }).find("still locked"), std::string::npos);
  EXPECT_NE(without(taken, [](Hold& hold) { hold.references = 0; }).find("refcount"), std::string::npos);
}

/// Forgets one word on its way back.
class ForgetfulCursor {
 public:
  bool step() { return position_ < 9 && (++position_, true); }
  bool back() { return position_ > 0 && (--position_, true); }
  size_t position() const { return position_; }
  uint64_t hash() const {
    const bool went_back = farthest_ == 9 && position_ == 4;
    farthest_ = std::max(farthest_, position_);
    return went_back ? 77 : position_;
  }

 private:
  size_t position_ = 0;
  mutable size_t farthest_ = 0;
};

TEST(RandomHarness, AStepThatIsNotTakenBackIsFound) {
  ForgetfulCursor cursor;
  EXPECT_EQ(steps_back(cursor), "stepping back to 4 is not where it was");
}

// The file is what its complaint says, without the test around it.
TEST(RandomHarness, TheReportIsAFileThatRuns) {
  Sample sample = Generator(30).sample({Era::migrating, true});
  const Verdict found = verdict(sample);
  ASSERT_TRUE(found.mistake.empty()) << found.mistake;
  const std::string text = report(sample, 4'294'967'295u, "nothing");
  const size_t start = text.find("hmmscope run ") + 13;
  const std::string file = text.substr(start, text.find('\n', start) - start);
  std::ifstream in(file);
  const std::string written{std::istreambuf_iterator<char>(in), {}};
  EXPECT_EQ(written, sample.text());
  const auto parsed = parse(written, file);
  ASSERT_TRUE(parsed) << parsed.error().to_string();
  const auto outcome = run(*parsed);
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->schedule, sample.schedule);
  std::remove(file.c_str());
}

}  // namespace
}  // namespace hmmscope::scenario
