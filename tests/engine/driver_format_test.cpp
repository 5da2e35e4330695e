// The formats of drivers' words, and the calls of 4.14 to 5.1, in nouveau's format from 4.17 on. The rules'
// count.

#include <gmock/gmock.h>

#include <cerrno>

#include "tests/engine/driver_calls.h"

namespace hmmscope::test {
namespace {

TEST(DriverFormat, HelpersTestTheValuesBeforeTheFlags) {
  const DriverFormat nouveau = DriverFormat::from(*find_layout("nouveau-5.1"));
  EXPECT_EQ(nouveau.from_pfn(0x12345), nv(0x12345));
  EXPECT_EQ(nouveau.to_pfn(nv(0x12345, NW)), 0x12345u);
  EXPECT_FALSE(nouveau.to_pfn(0).has_value());
  EXPECT_FALSE(nouveau.to_pfn(NERROR).has_value());
  EXPECT_FALSE(nouveau.to_pfn(0x12345000).has_value()) << "no VALID";
  const DriverFormat odp = DriverFormat::from(*find_layout("odp-2019"));
  EXPECT_EQ(odp.pfn_shift, 3u);
  EXPECT_FALSE(odp.to_pfn(~0ull).has_value()) << "ERROR has VALID set; only the whole word tells";
  EXPECT_EQ(odp.to_pfn(0x12345 << 3 | 1), 0x12345u);
  const DriverFormat old = DriverFormat::from(*find_layout("hmm-4.14"));
  EXPECT_EQ(old.from_pfn(0x12345), 0x12345u << 7 | OLD_V);
  EXPECT_EQ(old.none, OLD_EMPTY);
  EXPECT_EQ(old.special, OLD_SPECIAL);
}

TEST(DriverFormat, ProblemsNobodyChecked) {
  EXPECT_TRUE(format_problems(*find_layout("nouveau-5.1")).empty());
  EXPECT_THAT(format_problems(*find_layout("odp-2019")), testing::ElementsAre(testing::HasSubstr("ERROR")));
  const auto draft = format_problems(*find_layout("nouveau-2018-draft"));
  EXPECT_THAT(draft, testing::Contains(testing::HasSubstr("one bit that the pfn also owns")));
}

TEST(DriverFormat, SamplesOfTheEras) {
  Small old("4.14", 2);
  old.pte(0, pte_ro);
  old.pte(1, pte_rw);
  run_call(old, {true, false, false});
  EXPECT_EQ(old.out(0), 0x000000000091a283u);
  EXPECT_EQ(old.out(1), 0x000000000091a287u);
  for (const char* model : {"4.17", "5.2", "5.4", "5.6"}) {
    Small w(model, 2);
    w.pte(0, pte_ro);
    w.pte(1, pte_rw);
    run_call(w, {true, false, false});
    EXPECT_EQ(w.out(0), 0x0000000012345001u) << model;
    EXPECT_EQ(w.out(1), 0x0000000012345003u) << model;
  }
}

TEST(DriverFormat414, TheCallAsksNotTheArray) {
  Small snapshot("4.14", 3);
  snapshot.pte(1, pte_ro);
  snapshot.in_all(~0ull);
  snapshot.pte(2, swap_word(snapshot, SwapKind::swap));
  EXPECT_EQ(run_call(snapshot, {true, false, false}).result.ret, 0);
  EXPECT_EQ(snapshot.out(0), OLD_EMPTY);
  EXPECT_EQ(snapshot.out(1), old_pfn(0x12345, OLD_R));
  EXPECT_EQ(snapshot.out(2), 0u);
  EXPECT_TRUE(snapshot.faults.empty());

  Small write("4.14", 3);
  write.pte(0, pte_rw);
  write.pte(1, pte_ro);
  const Made run = run_call(write, {false, true, false});
  EXPECT_EQ(run.result.ret, 0);
  // One read-only page makes every page of the part be faulted again, from its start.
  ASSERT_EQ(write.faults.size(), 3u);
  EXPECT_EQ(write.faults[0].first, 0u);
  for (const auto& fault : write.faults) {
    EXPECT_NE(fault.second & fault_flag::write, 0u);
    EXPECT_NE(fault.second & fault_flag::allow_retry, 0u) << "whatever `block` says";
  }
  for (uint32_t k = 0; k < 3; ++k) EXPECT_EQ(write.out(k), old_pfn(0x12345, OLD_R | OLD_W)) << k;
}

TEST(DriverFormat414, NonPresentEntries) {
  Small w("4.14", 3);
  w.pte(0, swap_word(w, SwapKind::device_read));
  w.pte(1, swap_word(w, SwapKind::hwpoison));
  w.pte(2, swap_word(w, SwapKind::migration_read));
  EXPECT_EQ(run_call(w, {true, false, false}).result.ret, 0);
  EXPECT_EQ(w.out(0), old_pfn(0x12345, OLD_R | OLD_DEVICE));
  EXPECT_EQ(w.out(1), OLD_ERROR) << "and the walk went on";
  EXPECT_EQ(w.out(2), 0u);

  Small waits("4.14", 1);
  waits.pte(0, swap_word(waits, SwapKind::migration_read));
  EXPECT_EQ(run_call(waits).result.stuck, Stuck::migration_wait);

  Small back("4.14", 2);
  back.pte(0, pte_rw);
  back.pte(1, swap_word(back, SwapKind::device_read));
  EXPECT_EQ(run_call(back, {false, true, false}).result.ret, 0);
  EXPECT_EQ(back.faults.size(), 2u) << "a read-only device entry and a write: the whole part";
}

TEST(DriverFormat414, SpecialVmas) {
  Small io("4.14", 2, 0, 0, vm::read | vm::write | vm::io);
  EXPECT_EQ(run_call(io, {true, false, false}).result.ret, -EINVAL);
  EXPECT_EQ(io.out(1), OLD_SPECIAL);
  EXPECT_EQ(run_call(io).result.ret, 0) << "the fault call reports success";
  EXPECT_TRUE(run_call(io).fired("driver_format.outer.special_vma.success"));

  Small unreadable("4.14", 1, 0, 0, 0);
  unreadable.pte(0, pte_ro);
  EXPECT_EQ(run_call(unreadable, {true, false, false}).result.ret, 0);
  EXPECT_EQ(unreadable.out(0), old_pfn(0x12345, 0)) << "READ is what the VMA says";
}

TEST(DriverFormat414, HugePages) {
  World w("4.14");
  w.vma(0, pages_2m * 2);
  w.pmd(0, pmd_rw);
  w.range(0, 4);
  run_call(w, {true, false, false});
  EXPECT_EQ(w.out(1), old_pfn(0x12401, OLD_R | OLD_W));
  World read_only("4.14");
  read_only.vma(0, pages_2m);
  read_only.pmd(0, pmd_rw & ~x86::rw.mask());
  read_only.range(0, 2);
  read_only.on_fault = [](World& world, uint64_t, uint32_t) {
    world.pmd(0, pmd_rw);
    return 0u;
  };
  EXPECT_TRUE(run_call(read_only, {false, true, false}).fired("driver_format.handle_pmd.clear"));
  EXPECT_EQ(read_only.out(0), old_pfn(0x12400, OLD_R | OLD_W));
}

TEST(DriverFormat417, TheArrayAsks) {
  Small w("4.17", 4);
  w.pte(1, pte_ro);
  w.pte(2, pte_ro);
  w.pte(3, pte_rw);
  w.in(0, NV);
  w.in(1, NV);
  w.in(2, NV | NW);
  w.in(3, NW);
  const Made run = run_call(w);
  EXPECT_EQ(run.result.ret, 0);
  // Page 0 needs a read fault: all four are faulted from there, and their requests are gone.
  ASSERT_EQ(w.faults.size(), 4u);
  EXPECT_EQ(w.faults[2].second & fault_flag::write, 0u);
  EXPECT_EQ(w.out(2), nv(0x12345)) << "the write that was asked for is forgotten";
  EXPECT_TRUE(run.fired("driver_format.hole.forget"));
}

TEST(DriverFormat417, TheFirstNeedDecidesForAHole) {
  World w("4.17");
  w.vma(0, pages_2m);
  w.range(0, 8);
  w.in(0, NV);
  w.in(5, NV | NW);
  w.on_fault = [](World& world, uint64_t page, uint32_t flags) {
    world.pte(page, (flags & fault_flag::write) != 0 ? pte_rw : pte_ro);
    return 0u;
  };
  EXPECT_TRUE(run_call(w).fired("driver_format.range_need.first"));
  for (const auto& fault : w.faults) EXPECT_EQ(fault.second & fault_flag::write, 0u);
  World joined("5.2");
  joined.vma(0, pages_2m);
  joined.range(0, 8, 0, ~0ull);
  joined.in(0, NV);
  joined.in(5, NV | NW);
  joined.on_fault = w.on_fault;
  EXPECT_TRUE(run_call(joined).fired("driver_format.range_need.or"));
  for (const auto& fault : joined.faults) EXPECT_NE(fault.second & fault_flag::write, 0u);
}

TEST(DriverFormat417, OuterChecks) {
  Small beyond("4.17", 17);
  EXPECT_EQ(run_call(beyond).result.ret, -EINVAL);
  Small unreadable("4.17", 2, 0, 0, 0);
  unreadable.in_all(NV);
  EXPECT_EQ(run_call(unreadable).result.ret, -EPERM);
  EXPECT_EQ(unreadable.out(1), 0u);
  Small special("4.17", 2, 0, 0, vm::read | vm::mixedmap);
  EXPECT_EQ(run_call(special).result.ret, -EINVAL);
  EXPECT_EQ(special.out(0), NERROR) << "SPECIAL and ERROR are the same word of nouveau's";
}

TEST(DriverFormat417, AnErrorWipesItsOwnMark) {
  Small w("4.17", 3);
  w.pte(0, pte_ro);
  w.in(1, NV);
  w.in(2, NV);
  w.on_fault = [](World&, uint64_t page, uint32_t) { return page == 2 ? vm_fault::sigbus : 0u; };
  const Made run = run_call(w);
  EXPECT_EQ(run.result.ret, -EFAULT);
  EXPECT_TRUE(run.fired("driver_format.do_fault.error"));
  EXPECT_TRUE(run.fired("driver_format.outer.clear_rest"));
  EXPECT_EQ(w.out(2), 0u) << "the slot was marked ERROR, then cleared";
}

TEST(DriverFormat417, ADroppedLockIsBusyWhateverBlockSays) {
  Small w("4.17", 1);
  w.in(0, NV);
  w.on_fault = [](World&, uint64_t, uint32_t) { return vm_fault::retry; };
  EXPECT_EQ(run_call(w).result.ret, -EBUSY);
  Small later("5.3", 1, NV);
  later.on_fault = w.on_fault;
  EXPECT_EQ(run_call(later, {false, false, true}).result.ret, -EAGAIN);
  EXPECT_NE(later.faults[0].second & fault_flag::allow_retry, 0u);
  Small blocks("5.3", 1, NV);
  run_call(blocks);
  EXPECT_EQ(blocks.faults[0].second & fault_flag::allow_retry, 0u);
  Small early("5.2", 1, NV);
  run_call(early);
  EXPECT_NE(early.faults[0].second & fault_flag::allow_retry, 0u);
}

}  // namespace
}  // namespace hmmscope::test
