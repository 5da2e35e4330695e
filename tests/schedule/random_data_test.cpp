// What the CPU has written is found again wherever the page went meanwhile: to devices, to swap, elsewhere in the address
// space, through splits and collapses, however the tasks that move it are interleaved.
#include <gtest/gtest.h>

#include "tests/schedule/random_check.h"
#include "tests/schedule/random_generator.h"
#include "tests/support/shrink.h"

namespace hmmscope::scenario {
namespace {

constexpr uint64_t first_word = 1000;

Item written_or_read(const char* access, const std::string& where, uint32_t pages, uint64_t word) {
  return Item().with("op", "touch").with("at", where).with("pages", pages).with("access", access).with("data", word).with("data_step", 1);
}

/// Something that moves pages and keeps what they hold.
Item mover(Generator& generator, bool huge, bool exclusive) {
  const bool in_huge = huge && generator.number(2) == 0;
  const uint32_t first = in_huge ? generator.number(16) * 32 : generator.number(8);
  const uint32_t pages = in_huge ? (first == 0 ? 512 : 1 + generator.number(16)) : 1 + generator.number(8 - first);
  const auto item = [&](const char* name) {
    return Item().with("op", name).with("at", (in_huge ? "huge+" : "heap+") + std::to_string(first)).with("pages", pages);
  };
  const std::string device = generator.pick({"gpu0", "gpu0", "gpu1"});
  switch (generator.number(9)) {
    case 0:
    case 1: return item("migrate-to-device").with("device", device);
    case 2: return item("migrate-to-system").with("device", device);
    case 3: return Item().with("op", "evict-device").with("device", device);
    case 4: return exclusive && !in_huge ? item("make-exclusive").with("device", device) : item("migrate-to-device").with("device", device);
    case 5: return item("page-out");
    case 6: return item("ioctl").with("device", device).with("command", generator.pick({"READ", "SNAPSHOT", "MIGRATE_TO_DEV", "MIGRATE_TO_SYS"}));
    case 7: return item("touch").with("pages", in_huge ? 2 : pages);
    default: return Item().with("op", "range-fault").with("array", "a" + std::to_string(generator.number(1000))).with("at", "heap").with("pages", 8)
        .with("default", generator.pick({"0", "REQ_FAULT", "REQ_FAULT|REQ_WRITE"})).with("device", device);
  }
}

Sample data_sample(Generator& generator, bool tasks) {
  Sample sample;
  sample.kernel = generator.pick({"5.15", "6.1", "6.12", "6.16", "6.19", "7.3"});
  const bool exclusive = true;
  const bool huge = generator.number(3) == 0;
  sample.by_rule = tasks && generator.number(2) == 0;
  sample.devices = {Item().with("name", "gpu0").with("pages", huge ? 1088 : 32), Item().with("name", "gpu1").with("pages", 16)};
  sample.vmas = {Item().with("name", "heap").with("start", "0x7f0000000000").with("size", "32K")};
  for (uint32_t k = 0; k < 8; ++k) {
    sample.pages.push_back(Item().with("at", "heap+" + std::to_string(k))
                               .raw("state", generator.pick({R"("none")", R"("present")", R"("present", "writable": false)", R"("zero-page")",
                                                             R"("device-private", "device": "gpu0")"})));
  }
  if (huge) {
    sample.vmas.push_back(Item().with("name", "huge").with("start", "0x7f0000200000").with("size", "2M").raw("thp", "true"));
    sample.operations.push_back(written_or_read("write", "huge", 512, 5000));
  }
  sample.operations.push_back(written_or_read("write", "heap", 8, first_word));
  const bool forks = !tasks && generator.number(3) == 0;
  for (uint32_t k = 3 + generator.number(5); k > 0; --k) {
    Item item = mover(generator, huge, exclusive);
    if (tasks) item.with("task", generator.pick({"cpu", "gpu", "reclaim"}));
    sample.operations.push_back(std::move(item));
    if (forks && k == 2) sample.operations.push_back(Item().with("op", "fork").with("child", "child"));
  }
  if (tasks) sample.seed = generator.word();
  if (forks) {   // what one side writes the other does not see
    sample.operations.push_back(written_or_read("write", "heap", 4, 9000));
    sample.operations.push_back(written_or_read("read", "heap", 8, first_word).with("process", "child"));
    sample.operations.push_back(written_or_read("read", "heap", 4, 9000));
    sample.operations.push_back(written_or_read("read", "heap+4", 4, first_word + 4));
  } else {
    sample.operations.push_back(written_or_read("read", "heap", 8, first_word));
  }
  if (huge) sample.operations.push_back(written_or_read("read", "huge", 512, 5000));
  return sample;
}

/// What the CPU wrote and did not find again. Other complaints have tests of their own.
std::string lost_content(Sample& sample) {
  const Verdict found = verdict(sample);
  return found.mistake.empty() ? found.wrong : "mistake: " + found.mistake;
}

void expect_content_kept(uint32_t first, uint32_t count, bool tasks) {
  const Seeds seeds = Seeds::of(first, count);
  for (uint32_t k = 0; k < seeds.count; ++k) {
    Generator generator(seeds.first + k);
    Sample sample = data_sample(generator, tasks);
    const std::string wrong = lost_content(sample);
    if (wrong.empty()) continue;
    FAIL() << report(shrunk(sample, lost_content), seeds.first + k, wrong);
  }
}

TEST(RandomContent, WhatWasWrittenIsFoundAgain) { expect_content_kept(6'000, 150, false); }

TEST(RandomContent, WhatWasWrittenIsFoundAgainHoweverTasksAreInterleaved) { expect_content_kept(7'000, 50, true); }

// The same with one page that is exchanged behind everybody's back.
TEST(RandomContent, ContentThatIsLostIsFoundAndShrinks) {
  Generator generator(3);
  Sample sample = data_sample(generator, false);
  ASSERT_EQ(lost_content(sample), "");
  const Item last = sample.operations.back();
  sample.operations.insert(sample.operations.end() - 1, Item().with("op", "munmap").with("at", "heap+7").with("pages", 1));
  sample.operations.insert(sample.operations.end() - 1, Item().with("op", "touch").with("at", "heap+6").with("access", "write").with("data", 7));
  const std::string wrong = lost_content(sample);
  ASSERT_NE(wrong, "");
  const Sample small = shrunk(sample, lost_content);
  EXPECT_LE(small.operations.size(), 2u) << small.text();
  EXPECT_TRUE(small.pages.empty()) << small.text();
  Sample again = small;
  EXPECT_EQ(kind_of(lost_content(again)), kind_of(wrong));
}

}  // namespace
}  // namespace hmmscope::scenario
