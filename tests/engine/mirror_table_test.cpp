// The mirror page table of 2015: geometry, races in both orders, and random interleavings held to its
// invariants.

#include <gtest/gtest.h>

#include <random>

#include "engine/mirror_table/mirror_schedule.h"
#include "tests/engine/world.h"

namespace hmmscope::test {
namespace {

TEST(MirrorGeometry, FollowsFromTheLastAddress) {
  struct Case {
    uint64_t last;
    uint32_t page_shift, entry_bytes, llevel, shift0;
    uint64_t root;
  };
  for (const Case& c :
       {Case{(1ull << 48) - 1, 12, 8, 3, 39, 512}, Case{1ull << 48, 12, 8, 4, 48, 2},
        Case{(1ull << 47) - 1, 12, 8, 3, 39, 256}, Case{(1ull << 39) - 1, 12, 8, 2, 30, 512},
        Case{1ull << 39, 12, 8, 3, 39, 2}, Case{(1ull << 57) - 1, 12, 8, 4, 48, 512},
        Case{(1ull << 48) - 1, 16, 8, 2, 42, 64}, Case{(1ull << 32) - 1, 12, 4, 1, 22, 1024}}) {
    const auto g = MirrorGeometry::of(c.last, c.page_shift, c.entry_bytes);
    ASSERT_TRUE(g) << std::hex << c.last;
    EXPECT_EQ(g->llevel, c.llevel) << std::hex << c.last;
    EXPECT_EQ(g->shift[0], c.shift0) << std::hex << c.last;
    EXPECT_EQ(g->root_entries, c.root) << std::hex << c.last;
    EXPECT_EQ(g->shift[g->llevel], c.page_shift);
    EXPECT_LT(g->index(0, g->last), g->root_entries);
  }
}

TEST(MirrorGeometry, StartAndEndOfADirectory) {
  const auto g = MirrorGeometry::of((1ull << 48) - 1).value();
  const uint64_t addr = 0x7f0000345678;
  EXPECT_EQ(g.level_start(0, addr), 0u);
  EXPECT_EQ(g.level_end(0, addr), g.last);
  EXPECT_EQ(g.level_start(3, addr), 0x7f0000200000u);
  EXPECT_EQ(g.level_end(3, addr), 0x7f00003fffffu);
  EXPECT_EQ(g.index(3, addr), 0x145u);
}

TEST(MirrorGeometry, RefusesWhatTheKernelWouldGetWrong) {
  EXPECT_FALSE(MirrorGeometry::of(0xfff)) << "the highest bit of 0";
  EXPECT_FALSE(MirrorGeometry::of(~0ull, 12, 8).has_value() &&
               MirrorGeometry::of(~0ull, 12, 8)->llevel >= mirror_max_levels);
  EXPECT_FALSE(MirrorGeometry::of(0x100000, 12, 3));
  EXPECT_FALSE(MirrorGeometry::of(0x100000, 30, 8));
  EXPECT_EQ(MirrorGeometry::of(0x1234, 12, 8, LastRounding::set)->last, 0x1fffu);
  EXPECT_EQ(MirrorGeometry::of(0x1234, 12, 8, LastRounding::clear)->last, 0x1000u);
}

using Kind = MirrorAction::Kind;

/// A machine with one table; programs are given turns by hand.
struct Bench {
  explicit Bench(MirrorOptions options = {}, uint64_t last = (1ull << 39) - 1)
      : world("6.12"), table(world.machine(), with(options, last), "pt"), iterators(table) {}
  static MirrorOptions with(MirrorOptions options, uint64_t last) {
    options.geometry = MirrorGeometry::of(last).value();
    return options;
  }
  World world;
  MirrorTable table;
  MirrorIterators iterators;
};

TEST(MirrorTable, ARoundTripLeavesNothingBehind) {
  Bench b;
  MirrorIterator& it = b.iterators.named("T1");
  it.begin({{Kind::map_pfn, 0x1000, 0x777, true}, {Kind::unmap, 0x1000}, {Kind::release}, {Kind::fini}});
  const auto outcome = b.iterators.run({});
  EXPECT_EQ(outcome.violation, MirrorViolation::none);
  EXPECT_EQ(b.table.counter(MirrorCounterWord::allocated), 2u);
  EXPECT_EQ(b.table.counter(MirrorCounterWord::freed), 2u);
  EXPECT_EQ(b.table.counter(MirrorCounterWord::grace_periods), 1u) << "one for the batch";
  EXPECT_EQ(b.table.counter(MirrorCounterWord::live), 0u);
}

TEST(MirrorTable, AFreedPageIsUsedAgain) {
  Bench b;
  MirrorIterator& it = b.iterators.named("T1");
  for (int round = 0; round < 3; ++round) {
    it.begin({{Kind::map_pfn, 0x1000, 0x777, true}, {Kind::unmap, 0x1000}, {Kind::fini}});
    b.iterators.run({});
  }
  EXPECT_EQ(b.table.page_count(), 2u);
  EXPECT_EQ(b.table.counter(MirrorCounterWord::allocated), 6u);
}

/// Random programs over a few addresses, so that iterators meet in the same directories.
std::vector<MirrorAction> random_program(std::mt19937_64& random) {
  constexpr uint64_t addresses[] = {0x1000, 0x2000, 0x200000, 0x40000000, 0x40001000, 0x7fffffff000};
  std::vector<MirrorAction> actions;
  for (uint64_t k = 2 + random() % 6; k != 0; --k) {
    const auto kind = static_cast<Kind>(random() % 10);
    actions.push_back({kind, addresses[random() % std::size(addresses)] & ((1ull << 39) - 1),
                       0x100 + random() % 16, random() % 2 == 0});
  }
  actions.push_back({Kind::release});
  actions.push_back({Kind::fini});
  return actions;
}

struct Property {
  uint64_t turns = 0, violations = 0, deadlocks = 0, grace_periods = 0;
};

Property interleave(MirrorOptions options, uint64_t seeds, bool check_each_turn) {
  options.generation = MirrorGeneration::select;  // it has every flag
  Property sum;
  for (uint64_t seed = 0; seed < seeds; ++seed) {
    std::mt19937_64 random(seed);
    Bench b(options);
    std::vector<MirrorIterator*> iterators;
    for (const char* name : {"A", "B", "C"}) iterators.push_back(&b.iterators.named(name));
    for (MirrorIterator* it : iterators) it->begin(random_program(random));
    std::vector<MirrorIterator*> schedule;
    for (int k = 0; k < 200; ++k) schedule.push_back(iterators[random() % iterators.size()]);
    bool broken = false;
    const auto outcome = b.iterators.run(schedule, [&] {
      if (!check_each_turn || broken) return;
      broken = b.iterators.check() != MirrorViolation::none;
      EXPECT_FALSE(broken) << "seed " << seed << ": violation " << static_cast<int>(b.iterators.check());
    });
    sum.turns += outcome.turns;
    sum.violations += broken || outcome.violation != MirrorViolation::none ? 1 : 0;
    sum.deadlocks += outcome.deadlock ? 1 : 0;
    sum.grace_periods += b.table.counter(MirrorCounterWord::grace_periods);
    if (broken || outcome.violation != MirrorViolation::none) continue;
    EXPECT_EQ(b.table.counter(MirrorCounterWord::allocated) - b.table.counter(MirrorCounterWord::freed),
              b.table.counter(MirrorCounterWord::live))
        << "seed " << seed;
  }
  return sum;
}

TEST(MirrorProperty, CountsEntriesAndDirectoriesAgreeAfterEveryTurn) {
  const Property p = interleave({}, 150, true);
  EXPECT_EQ(p.violations, 0u);
  EXPECT_EQ(p.deadlocks, 0u);
  EXPECT_GT(p.turns, 5000u);
  EXPECT_GT(p.grace_periods, 0u);
}

TEST(MirrorProperty, KeptDirectoriesToo) {
  MirrorOptions options;
  options.keep_until_unmap = true;
  const Property p = interleave(options, 80, true);
  EXPECT_EQ(p.violations, 0u);
  EXPECT_EQ(p.deadlocks, 0u);
  EXPECT_EQ(p.grace_periods, 0u) << "nothing dies before the unmap";
}

TEST(MirrorProperty, WithoutTheComparisonSomeOrderLosesADirectory) {
  MirrorOptions options;
  options.compare_before_clear = false;
  EXPECT_GT(interleave(options, 400, false).violations, 0u);
}

TEST(MirrorProperty, WithoutTheGracePeriodSomeOrderUsesAFreedPage) {
  MirrorOptions options;
  options.grace_period = false;
  EXPECT_GT(interleave(options, 400, false).violations, 0u);
}

}  // namespace
}  // namespace hmmscope::test
