// What people get wrong, as the engine shows it: one test a pitfall, each with the words a reader can check by hand.

#include "tests/engine/world.h"

namespace hmmscope::test {
namespace {

uint32_t map_what_is_asked(World& w, uint64_t page, uint32_t flags) {
  w.pte(page, (flags & fault_flag::write) != 0 ? EntryFormat::make(0x20000 + page, 0x67) : pte_zero_page);
  return 0;
}

TEST(Pitfall, AnOutputReadAgainIsARequest) {
  World w("6.12");
  w.vma(0, 1);
  w.pte(0, pte_rw);
  w.range(0, 1, 0, all_ones);
  EXPECT_EQ(w.run().ret, 0);
  EXPECT_EQ(w.out(0), 0xc000000000012345);
  w.pte(0, pte_ro);
  w.on_fault = [](World& world, uint64_t page, uint32_t) {
    world.pte(page, pte_rw);
    return 0u;
  };
  EXPECT_EQ(w.run().ret, 0);
  ASSERT_EQ(w.faults.size(), 1u);
  EXPECT_EQ(w.faults[0].second, fault_flag::remote | fault_flag::write);
}

TEST(Pitfall, StickyFlagsOutliveThePage) {
  World w("6.16");
  w.vma(0, 2);
  w.table(0);
  w.pte(1, EntryFormat::make(0x54321, 0x25));
  w.range(0, 2);
  w.in_all(0x1000000000000000);
  w.run();
  EXPECT_EQ(w.out(0), 0x1000000000000000) << "nonzero, but nothing is mapped";
  EXPECT_EQ(w.out(1), 0x9000000000054321) << "the flag vouches for a page nobody mapped";
}

TEST(Pitfall, AFalseOrderBitSticksAsAFlagInTheV9Layout) {
  World w("6.12-v9");
  w.vma(0, pages_1g, vm::read | vm::write, 30);
  w.vma(pages_1g, 2);
  w.pud(0, 0x84000001400000e7);
  w.pte(pages_1g, pte_rw);
  w.range(0, 1);
  w.run();
  EXPECT_EQ(w.out(0), 0xd200000000140000) << "order 18 sets bit 57, the DMA_MAPPED of v9";
  w.call.start = addr_of(pages_1g);
  w.call.end = addr_of(pages_1g + 1);
  w.run();
  EXPECT_EQ(w.out(0), 0xc200000000012345) << "and it stays on a 4K page";
}

TEST(Pitfall, WriteWithoutFaultAsksNothing) {
  World w("6.12");
  w.vma(0, 1);
  w.pte(0, pte_ro);
  w.range(0, 1, W);
  EXPECT_EQ(w.run().ret, 0);
  EXPECT_EQ(w.out(0), 0x8000000000012345);
}

TEST(Pitfall, WriteComesBackUnasked) {
  World w("6.12");
  w.vma(0, 1);
  w.pte(0, pte_rw);
  w.range(0, 1, V);
  EXPECT_EQ(w.run().ret, 0);
  EXPECT_EQ(w.out(0), 0xc000000000012345);
}

TEST(Pitfall, DefaultsAreNoOutput) {
  World w("6.12");
  w.vma(0, 1, vm::read);
  w.range(0, 1, V | W);
  EXPECT_EQ(w.run().ret, -EPERM);
  EXPECT_EQ(w.out(0), 0u);
  EXPECT_TRUE(w.faults.empty());
}

TEST(Pitfall, AnUninitialisedSlotUnderAWideMaskIsAWriteFault) {
  for (const auto& [mask, faults] : {std::pair{all_ones, size_t{1}}, std::pair{W, size_t{0}}}) {
    World w("6.12");
    w.vma(0, 1);
    w.range(0, 1, 0, mask);
    w.in(0, 0xdeadbeefdeadbeef);
    w.on_fault = map_what_is_asked;
    EXPECT_EQ(w.run().ret, 0);
    EXPECT_EQ(w.faults.size(), faults);
  }
}

TEST(Pitfall, OneRequestFaultsTheRestOfTheTable) {
  World w("6.12");
  w.vma(0, pages_2m);
  w.table(0);
  w.range(0, pages_2m, 0, all_ones);
  w.in(3, V);
  w.on_fault = map_what_is_asked;
  const RangeFaultResult result = w.run();
  EXPECT_EQ(result.ret, 0);
  EXPECT_EQ(result.faults, 509u);
  EXPECT_EQ(w.faults.front().first, 3u);
  EXPECT_EQ(w.faults.back().first, 511u);
  EXPECT_EQ(w.out(2), 0u);
  EXPECT_EQ(w.out(3), 0x8000000000005000);
  EXPECT_EQ(w.out(511), 0x8000000000005000) << "never asked for";
}

TEST(Pitfall, OneWriterMakesTheWholeHoleAWriteFault) {
  World w("6.12");
  w.vma(0, pages_2m);
  w.range(0, pages_2m, V, all_ones);
  w.in(200, V | W);
  w.on_fault = map_what_is_asked;
  EXPECT_EQ(w.run().ret, 0);
  EXPECT_EQ(w.faults.size(), 512u);
  for (const auto& fault : w.faults) EXPECT_EQ(fault.second, fault_flag::remote | fault_flag::write);
  EXPECT_EQ(w.out(0), 0xc000000000020000);
}

TEST(Pitfall, HugetlbLooksAtTheFirstSlotOnly) {
  World w("6.12");
  w.vma(0, pages_2m, vm::read | vm::write, 21);
  w.pmd(0, 0);
  w.range(0, 16, 0, all_ones);
  w.in(7, V);
  EXPECT_EQ(w.run().ret, 0);
  EXPECT_TRUE(w.faults.empty());
  EXPECT_EQ(w.out(7), 0x0900000000000007) << "asked for, not VALID, and the call succeeded";
}

TEST(Pitfall, NotValidIsNotZero) {
  World w("6.12", [](KernelModel& m) { m.config.numa_balancing = true; });
  w.vma(0, 1);
  w.pte(0, pte_numa_hint);
  w.range(0, 1);
  w.run();
  EXPECT_EQ(w.out(0), 0x12345u);
}

TEST(Pitfall, ErrorAndZeroAreDifferentNothings) {
  World w("6.12");
  w.vma(1, 1);
  w.range(0, 2);
  w.run();
  EXPECT_EQ(w.out(0), 0x2000000000000000);
  EXPECT_EQ(w.out(1), 0u);
}

TEST(Pitfall, AnErrorLeavesAHalfConvertedArray) {
  World w("6.12");
  w.vma(0, 10);
  for (uint64_t page = 0; page < 10; ++page) w.pte(page, pte_ro);
  w.pte(5, v612::hwpoison);
  w.range(0, 10, 0, all_ones);
  w.in_all(V);
  EXPECT_EQ(w.run().ret, -EFAULT);
  for (uint32_t i = 0; i < 10; ++i) EXPECT_EQ(w.out(i), i < 5 ? 0x8000000000012345 : 0x8000000000000000) << i;
}

TEST(Pitfall, TheZeroPageLooksLikeAnyReadOnlyPage) {
  World w("6.12");
  w.vma(0, 1);
  w.machine().physical().set_zero_pfn(5);
  w.pte(0, EntryFormat::make(5, 0x225));
  w.range(0, 1);
  w.run();
  EXPECT_EQ(w.out(0), 0x8000000000000005);
}

TEST(Pitfall, TheOwnersDevicePageIsNeverFaulted) {
  World w("6.12");
  w.vma(0, 1);
  w.pte(0, v612::device_read);
  w.device(0x12000, 0x1000, 7);
  w.range(0, 1, V | W);
  w.call.dev_private_owner = 7;
  EXPECT_EQ(w.run().ret, 0);
  EXPECT_EQ(w.out(0), 0x8000000000012345) << "write was asked for and did not come";
}

TEST(Pitfall, AnotherOwnersPageIsInvisibleOrMigrates) {
  for (const uint64_t defaults : {uint64_t{0}, V}) {
    World w("6.12");
    w.vma(0, 1);
    w.pte(0, v612::device_read);
    w.device(0x12000, 0x1000, 7);
    w.range(0, 1, defaults);
    w.call.dev_private_owner = 8;
    w.on_fault = map_what_is_asked;
    EXPECT_EQ(w.run().ret, 0);
    EXPECT_EQ(w.out(0), defaults == 0 ? 0 : 0x8000000000005000);
  }
}

TEST(Pitfall, UserfaultfdFailsWhereACpuWouldWait) {
  World w("6.12");
  w.vma(0, 1, vm::read | vm::write | vm::uffd_missing);
  w.range(0, 1, V);
  w.on_fault = [](World&, uint64_t, uint32_t flags) {
    EXPECT_EQ(flags & (fault_flag::allow_retry | fault_flag::user), 0u);
    return vm_fault::sigbus;
  };
  EXPECT_EQ(w.run().ret, -EFAULT);
}

TEST(Pitfall, NeighbouringPtesHaveNoOrder) {
  World w("6.12");
  w.vma(0, 16);
  for (uint64_t page = 0; page < 16; ++page) w.pte(page, EntryFormat::make(0x12340 + page, 0x25));
  w.range(0, 16);
  w.run();
  for (uint32_t i = 0; i < 16; ++i) EXPECT_EQ(w.out(i), 0x8000000000012340 + i);
}

TEST(Pitfall, ARangeThatStartsInsideAHugePageGetsItsTail) {
  World w("6.12");
  w.vma(0, 2 * pages_2m);
  w.pmd(512, EntryFormat::make(0x12200, 0xe7));
  w.range(512 + 0x145, 4);
  w.run();
  const uint64_t out = w.out(0);
  EXPECT_EQ(out, 0xc900000000012345);
  EXPECT_EQ((out & 0xffffff) - (((w.call.start) & 0x1fffff) >> 12), 0x12200u) << "base pfn of the 2M unit";
}

}  // namespace
}  // namespace hmmscope::test
