// Random machines, tasks, operations and schedules: however they are interleaved, locks are released, migration entries
// are gone, counters agree with the page tables, no device maps what the CPU has taken away, the recording steps back
// to where it began. A run that breaks this shrinks to the smallest scenario and schedule that still do.
#include <gtest/gtest.h>

#include <random>

#include "engine/scenario/run.h"
#include "tests/support/end_state.h"

namespace hmmscope::scenario {
namespace {

constexpr int page_count = 8;

struct Sample {
  std::string kernel;
  std::vector<std::string> pages, operations;
  std::optional<uint64_t> seed;
  std::string schedule;
  bool by_rule = false;
  bool huge = false;   ///< with a 2M VMA besides the heap

  static std::string joined(const std::vector<std::string>& parts) {
    std::string all;
    for (const std::string& part : parts) all += (all.empty() ? "" : ",\n  ") + part;
    return all;
  }
  std::string text() const {
    return R"({"hmmscope-scenario": 1, "title": "random", "kernel": ")" + kernel + R"(", "allows": ["thrown-away-while-migrating", "thrown-away-while-made-exclusive", "moved-home-while-faulting"], "granularity": ")" + (by_rule ? "rule" : "lock") + R"(",
 "devices": [{"name": "gpu0", "pages": 1088}, {"name": "gpu1", "pages": 64}],
 "vmas": [{"name": "heap", "start": "0x7f0000000000", "size": "32K"})" +
            (huge ? R"(, {"name": "huge", "start": "0x7f0000200000", "size": "2M", "thp": true})" : "") + R"(],
 "pages": [)" + joined(pages) + "],\n \"operations\": [" + joined(operations) + "]}";
  }
};

class Generator {
 public:
  explicit Generator(uint32_t seed) : random_(seed) {}

  Sample sample(bool tasks, bool huge = false) {
    tasks_ = tasks;
    huge_ = huge;
    Sample sample;
    sample.huge = huge;
    sample.by_rule = tasks && number(2) == 0;
    sample.kernel = huge ? pick({"6.12", "6.19", "7.3", "7.3"}) : pick({"5.15", "6.1", "6.12", "6.12", "6.16", "7.3"});
    const std::string large = huge ? pick({"", R"("thp")", R"("thp", "writable": false)", R"("huge-zero")",
                                           R"("device-private-thp", "device": "gpu0")"}) : "";
    const bool device_page = large.find("device-private-thp") != std::string::npos;   // 6.12 has none of 2M
    if (!large.empty() && !(device_page && sample.kernel == "6.12")) sample.pages.push_back(R"({"at": "huge", "pages": 512, "state": )" + large + "}");
    for (int page = 0; page < page_count; ++page) {
      const std::string state = pick({R"("none")", R"("present")", R"("present")", R"("present", "writable": false)",
                                      R"("present", "writable": false, "exclusive": false)", R"("zero-page")",
                                      R"("device-private", "device": "gpu0")", R"("device-private", "device": "gpu1")"});
      sample.pages.push_back(R"({"at": "heap+)" + std::to_string(page) + R"(", "state": )" + state + "}");
    }
    const int count = 3 + number(tasks ? 5 : 9);
    for (int k = 0; k < count; ++k) {
      const std::string task = tasks ? R"("task": ")" + pick({"cpu", "gpu", "reclaim"}) + R"(", )" : "";
      sample.operations.push_back("{" + task + operation() + "}");
    }
    sample.seed = tasks ? std::optional<uint64_t>(random_()) : std::nullopt;
    return sample;
  }

 private:
  int number(int below) { return static_cast<int>(random_() % static_cast<uint32_t>(below)); }
  std::string pick(std::initializer_list<std::string> from) { return *(from.begin() + number(static_cast<int>(from.size()))); }
  std::string device() { return R"("device": ")" + pick({"gpu0", "gpu0", "gpu1"}) + "\""; }
  /// Somewhere in the 2M VMA: all of it, or a part.
  std::string in_huge() {
    const int page = number(3) == 0 ? number(32) * 16 : 0;
    const int most = 512 - page;
    return R"("at": "huge+)" + std::to_string(page) + R"(", "pages": )" + std::to_string(page == 0 && number(2) == 0 ? 512 : 1 + number(most));
  }
  std::string huge_operation() {
    const std::string name = std::to_string(++arrays_);
    switch (number(8)) {
      case 0: return R"("op": "touch", "access": ")" + pick({"read", "write"}) + R"(", "at": "huge+)" + std::to_string(number(500)) + R"(", "pages": 3)";
      case 1:
      case 2: return R"("op": "migrate-to-device", "device": "gpu0", )" + in_huge() + R"(, "migration": "h)" + name + "\"";
      case 3: return R"("op": "migrate-to-system", "device": "gpu0", )" + in_huge() + R"(, "migration": "h)" + name + "\"";
      // A walk that begins inside a 2M device entry misreports it (tests/engine/pmd_cases.cpp), so from the start.
      case 4: return R"("op": "range-fault", "array": "h)" + name + R"(", "default": "REQ_FAULT", )" + device() + R"(, "at": "huge", "pages": )" + std::to_string(1 + number(512));
      case 5: return R"("op": "ioctl", "command": "FLAGS", "device": "gpu0", "at": "huge", "pages": 1)";
      case 6: return R"("op": "mprotect", "prot": ")" + pick({"r", "rw"}) + "\", " + in_huge();
      default: return tasks_ ? R"("op": "touch", )" + in_huge() : R"("op": "munmap", )" + in_huge();
    }
  }
  std::string at() {
    const int page = number(page_count);
    return R"("at": "heap+)" + std::to_string(page) + R"(", "pages": )" + std::to_string(1 + number(page_count - page));
  }
  std::string operation() {
    if (huge_ && number(3) != 0) return huge_operation();
    switch (number(11)) {
      case 0:
      case 1: return R"("op": "touch", "access": ")" + pick({"read", "write"}) + "\", " + at();
      case 2:
      case 3:
        return R"("op": "range-fault", "array": "a)" + std::to_string(++arrays_) + R"(", "default": ")" +
               pick({"0", "REQ_FAULT", "REQ_FAULT|REQ_WRITE"}) + "\", " + device() + ", " + at();
      case 4: return R"("op": "migrate-to-device", )" + device() + ", " + at() + R"(, "migration": "m)" + std::to_string(++arrays_) + "\"";
      case 5: return R"("op": "migrate-to-system", )" + device() + ", " + at() + R"(, "migration": "m)" + std::to_string(++arrays_) + "\"";
      case 6: return R"("op": "madvise-dontneed", )" + at();
      case 7: return R"("op": "mprotect", "prot": ")" + pick({"r", "rw", "none"}) + "\", " + at();
      case 8: return R"("op": "ioctl", "command": ")" + pick({"READ", "WRITE", "SNAPSHOT"}) + "\", " + device() + ", " + at();
      case 9: return R"("op": "make-exclusive", )" + device() + ", " + at();
      default: return R"("op": "munmap", )" + at();
    }
  }

  std::mt19937 random_;
  int arrays_ = 0;
  bool tasks_ = false, huge_ = false;
};

std::string steps_back(const Outcome& outcome) {
  Cursor cursor(std::make_shared<const Recording>(outcome.recording));
  std::vector<uint64_t> hashes{cursor.hash()};
  while (cursor.step()) hashes.push_back(cursor.hash());
  while (cursor.back()) {
    if (cursor.hash() != hashes[cursor.position()]) return "stepping back to " + std::to_string(cursor.position()) + " is not where it was";
  }
  return {};
}

/// What is wrong after the run; nothing when the scenario itself is not one (shrinking makes such). Fills in the
/// schedule that was run.
std::string wrong(Sample& sample) {
  const auto parsed = parse(sample.text(), "random.json");
  if (!parsed) return {};
  RunOptions options;
  options.schedule = sample.schedule;
  if (sample.schedule.empty()) options.seed = sample.seed;
  const auto outcome = run(*parsed, options);
  if (!outcome) return {};
  sample.schedule = outcome->schedule;
  for (const Failure& failure : outcome->failures) {
    // Before 6.15 two tasks may keep each other from bringing a device page home.
    if (outcome->schedule_end != "livelock") return failure.text;
  }
  if (outcome->schedule_end == "livelock") return {};
  if (std::string text = complaint(*outcome); !text.empty()) return text;
  return steps_back(*outcome);
}

Sample shrunk(Sample sample) {
  const auto without = [&](auto part) {
    for (size_t k = (sample.*part).size(); k-- > 0;) {
      Sample smaller = sample;
      (smaller.*part).erase((smaller.*part).begin() + static_cast<std::ptrdiff_t>(k));
      if (!wrong(smaller).empty()) sample = std::move(smaller);
    }
  };
  without(&Sample::operations);
  without(&Sample::pages);
  return sample;
}

void expect_sound(uint32_t seed, bool tasks, bool huge = false) {
  Sample sample = Generator(seed).sample(tasks, huge);
  ASSERT_TRUE(parse(sample.text(), "random.json")) << sample.text();
  if (wrong(sample).empty()) return;
  Sample small = shrunk(sample);
  FAIL() << "seed " << seed << ": " << wrong(small) << "\nschedule: " << small.schedule << "\n" << small.text();
}

TEST(RandomMachines, OneTaskLeavesEverythingInOrder) {
  for (uint32_t seed = 1; seed <= 400; ++seed) {
    expect_sound(seed, false);
    if (HasFatalFailure()) return;
  }
}

TEST(RandomMachines, TasksLeaveEverythingInOrderHoweverTheyAreInterleaved) {
  for (uint32_t seed = 1; seed <= 400; ++seed) {
    expect_sound(seed, true);
    if (HasFatalFailure()) return;
  }
}

TEST(RandomMachines, HugePagesLeaveEverythingInOrder) {
  for (uint32_t seed = 1; seed <= 60; ++seed) {
    expect_sound(seed, false, true);
    if (HasFatalFailure()) return;
  }
}

TEST(RandomMachines, TasksLeaveHugePagesInOrderHoweverTheyAreInterleaved) {
  for (uint32_t seed = 1; seed <= 40; ++seed) {
    expect_sound(seed, true, true);
    if (HasFatalFailure()) return;
  }
}

// The harness must see what it is there to see.
TEST(RandomMachines, AViolationIsFoundAndShrinks) {
  Sample sample = Generator(7).sample(false);
  sample.operations.insert(sample.operations.begin(), R"({"op": "range-fault", "array": "x", "default": "REQ_FAULT|REQ_WRITE", "at": "heap", "pages": 8, "device": "gpu1"})");
  sample.operations.insert(sample.operations.begin() + 1, R"({"op": "set-page", "at": "heap+3", "state": "none"})");
  sample.operations.insert(sample.operations.begin() + 2, R"({"op": "touch", "at": "heap+3"})");
  ASSERT_FALSE(wrong(sample).empty());
  const Sample small = shrunk(sample);
  EXPECT_LE(small.operations.size(), 3u);
  EXPECT_LE(small.pages.size(), 1u);
}

// Sticky bits of a slot survive a call, and nothing else of it does.
TEST(RandomMachines, StickyBitsSurviveAndNothingElse) {
  std::mt19937 random(11);
  for (int round = 0; round < 60; ++round) {
    Sample sample = Generator(1000 + static_cast<uint32_t>(round)).sample(false);
    sample.kernel = "6.16";
    sample.operations.clear();
    const std::string range = R"("at": "heap", "pages": 8, "default": ")" + std::string(round % 2 == 0 ? "0" : "REQ_FAULT") + "\"";
    std::string slots;
    for (int k = 0; k < page_count; ++k) {
      const uint64_t value = static_cast<uint64_t>(random()) << 32 | random();
      slots += (k == 0 ? "" : ", ") + std::string(R"({"index": )") + std::to_string(k) + R"(, "value": ")" + std::to_string(value >> 1) + "\"}";
    }
    sample.operations.push_back(R"({"op": "range-fault", "array": "dirty", )" + range + R"(, "slots": [)" + slots + "]}");
    sample.operations.push_back(R"({"op": "range-fault", "array": "clean", )" + range + "}");
    const auto parsed = parse(sample.text(), "sticky.json");
    ASSERT_TRUE(parsed) << parsed.error().to_string();
    const auto outcome = run(*parsed);
    ASSERT_TRUE(outcome) << outcome.error().to_string();
    const uint64_t sticky = outcome->model.sticky_mask;
    ASSERT_NE(sticky, 0u);
    Cursor cursor(std::make_shared<const Recording>(outcome->recording));
    std::map<std::string, WordIndex> first;
    for (const Region& region : cursor.recording().regions()) {
      if (region.kind == RegionKind::hmm_pfns) first[region.name] = region.first;
    }
    std::vector<uint64_t> given(page_count);
    while (cursor.step()) {
      if (cursor.recording().rule_of(cursor.position() - 1) == RuleId::scenario_range) break;
    }
    for (WordIndex k = 0; k < page_count; ++k) given[k] = cursor.load(first["dirty"] + k);
    cursor.seek(cursor.recording().steps());
    for (WordIndex k = 0; k < page_count; ++k) {
      const uint64_t clean = cursor.load(first["clean"] + k);
      ASSERT_EQ(cursor.load(first["dirty"] + k), clean | (given[k] & sticky)) << "round " << round << " slot " << k << "\n" << sample.text();
    }
  }
}

}  // namespace
}  // namespace hmmscope::scenario
