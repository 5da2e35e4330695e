// What is known of an entry between events: words and empty ranges.
#include "traces/replay/page_facts.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace hmmscope::traces {
namespace {

TEST(PageFacts, AreUnknownAtFirst) {
  const PageFacts facts;
  EXPECT_EQ(facts.of(12345), 0);
  EXPECT_FALSE(facts.is_empty(1, 0x1000));
}

TEST(PageFacts, WordsKeepWhatIsSaid) {
  PageFacts facts;
  facts.set(100, 3, pte_fact::kind | pte_fact::seen);
  facts.set(101, 1, 0);
  EXPECT_EQ(facts.of(99), 0);
  EXPECT_EQ(facts.of(100), pte_fact::kind | pte_fact::seen);
  EXPECT_EQ(facts.of(101), 0);
  EXPECT_EQ(facts.of(102), pte_fact::kind | pte_fact::seen);
  EXPECT_EQ(facts.of(103), 0);
}

TEST(PageFacts, EmptyRangesJoinAndAreCut) {
  PageFacts facts;
  facts.add_empty(1, 0x1000, 0x3000);
  facts.add_empty(1, 0x3000, 0x5000);
  EXPECT_TRUE(facts.is_empty(1, 0x4fff));
  EXPECT_FALSE(facts.is_empty(1, 0x5000));
  EXPECT_FALSE(facts.is_empty(2, 0x1000));
  facts.remove_empty(1, 0x2000, 0x4000);
  EXPECT_TRUE(facts.is_empty(1, 0x1fff));
  EXPECT_FALSE(facts.is_empty(1, 0x2000));
  EXPECT_FALSE(facts.is_empty(1, 0x3fff));
  EXPECT_TRUE(facts.is_empty(1, 0x4000));
  facts.copy_empty(1, 7);
  facts.forget_space(1);
  EXPECT_FALSE(facts.is_empty(1, 0x1000));
  EXPECT_TRUE(facts.is_empty(7, 0x1000));
}

TEST(PageFacts, RangesAgreeWithPagesOneByOne) {
  constexpr uint64_t pages = 64, size = 0x1000;
  std::mt19937_64 random(20261120);
  for (int round = 0; round < 200; ++round) {
    PageFacts facts;
    std::map<uint64_t, bool> plain;
    for (int step = 0; step < 40; ++step) {
      const uint64_t first = random() % pages, count = random() % (pages - first + 1);
      const bool empty = random() % 2 == 0;
      if (empty)
        facts.add_empty(3, first * size, (first + count) * size);
      else
        facts.remove_empty(3, first * size, (first + count) * size);
      for (uint64_t page = first; page < first + count; ++page) plain[page] = empty;
    }
    for (uint64_t page = 0; page < pages; ++page) ASSERT_EQ(facts.is_empty(3, page * size), plain[page]) << page;
  }
}

}  // namespace
}  // namespace hmmscope::traces
