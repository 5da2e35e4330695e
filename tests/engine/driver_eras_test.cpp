// One kind of entry under one kernel after the other, 4.17 to 5.7, in nouveau's format.

#include <gmock/gmock.h>

#include <cerrno>

#include "engine/test_hmm/device_mirror.h"
#include "tests/engine/driver_calls.h"

namespace hmmscope::test {
namespace {

TEST(DriverFormat, SwapEntriesByVersion) {
  for (const auto& [model, asked] : std::vector<std::pair<const char*, bool>>{
           {"4.17", true}, {"5.1", true}, {"5.2", false}, {"5.3", false}, {"5.4", true}, {"5.6", true}}) {
    Small w(model, 1, NV, 0);
    w.pte(0, swap_word(w, SwapKind::swap));
    if (w.machine().model().range_api == RangeApi::get_pfns_4_17) w.in(0, NV);
    const Made run = run_call(w);
    EXPECT_GE(run.result.ret, 0) << model;
    EXPECT_EQ(w.faults.size(), asked ? 1u : 0u) << model;
    EXPECT_EQ(w.out(0), asked ? nv(0x12345) : 0u) << model;
    Small snapshot(model, 1);
    snapshot.pte(0, swap_word(snapshot, SwapKind::swap));
    EXPECT_GE(run_call(snapshot, {true, false, false}).result.ret, 0) << model;
    EXPECT_EQ(snapshot.out(0), 0u) << model;
  }
}

TEST(DriverFormat, MigrationEntriesByVersion) {
  for (const char* model : {"4.17", "5.2", "5.4", "5.6"}) {
    Small w(model, 1, NV, 0);
    w.pte(0, swap_word(w, SwapKind::migration_write));
    w.in(0, NV);
    const Made run = run_call(w);
    const bool waits = std::string_view(model) == "4.17";
    EXPECT_EQ(run.result.stuck, waits ? Stuck::migration_wait : Stuck::no) << model;
    EXPECT_EQ(run.fired("driver_format.pte.migration.unasked"), !waits) << model;
    Small snapshot(model, 1);
    snapshot.pte(0, swap_word(snapshot, SwapKind::migration_write));
    run_call(snapshot, {true, false, false});
    EXPECT_EQ(snapshot.out(0), 0u) << model;
  }
}

TEST(DriverFormat, DeviceMemoryIsFaultedOnlyOnDemand) {
  for (const char* model : {"4.17", "5.2", "5.4", "5.6"}) {
    Small keep(model, 1, NV | NW, 0);
    keep.pte(0, swap_word(keep, SwapKind::device_read));
    keep.in(0, NV | NW);
    EXPECT_TRUE(run_call(keep).fired("driver_format.need.device.keep")) << model;
    EXPECT_EQ(keep.out(0), nv(0x12345, NVRAM))
        << model << ": a write was asked, the entry is read-only, nothing happens";
    Small back(model, 1, NV | NVRAM, 0);
    back.pte(0, swap_word(back, SwapKind::device_write));
    back.in(0, NV | NVRAM);
    EXPECT_TRUE(run_call(back).fired("driver_format.pte.device.fault")) << model;
    EXPECT_EQ(back.out(0), nv(0x12345)) << model;
  }
}

TEST(DriverFormat, OddEntriesFailEvenASnapshot) {
  for (const char* model : {"5.4", "5.6"}) {
    Small w(model, 3);
    w.pte(0, pte_ro);
    w.pte(1, swap_word(w, SwapKind::hwpoison));
    w.pte(2, pte_rw);
    EXPECT_EQ(run_call(w, {true, false, false}).result.ret, -EFAULT) << model;
  }
  for (const char* model : {"4.17", "5.2", "5.3"}) {
    Small w(model, 3);
    w.in_all(0xabc);
    w.pte(0, pte_ro);
    w.pte(1, swap_word(w, SwapKind::hwpoison));
    w.pte(2, pte_rw);
    const Made run = run_call(w, {true, false, false});
    EXPECT_GE(run.result.ret, 0) << model << ": the snapshot hides the error";
    EXPECT_TRUE(run.fired("driver_format.outer.snapshot_ignored")) << model;
    EXPECT_EQ(w.out(1), NERROR) << model;
    EXPECT_EQ(w.out(2), 0xabcu) << model << ": never reached";
  }
}

TEST(DriverFormat, TheZeroPageByVersion) {
  for (const auto& [model, passes] : std::vector<std::pair<const char*, bool>>{
           {"4.17", true}, {"5.2", false}, {"5.3", false}, {"5.4", false}, {"5.6", true}}) {
    Small w(model, 1, NV, 0);
    w.pte(0, pte_zero_page);
    w.in(0, NV);
    EXPECT_EQ(run_call(w).result.ret < 0, !passes) << model;
    EXPECT_EQ(w.out(0), passes ? nv(0x5000) : model == std::string_view("5.6") ? NERROR : 0u) << model;
  }
  Small special("5.6", 1);
  special.pte(0, (pte_ro & ~x86::pfn.mask()) | x86::special.mask() | 0x77000);
  EXPECT_EQ(run_call(special, {true, false, false}).result.ret, -EFAULT);
  EXPECT_EQ(special.out(0), NERROR);
}

TEST(DriverFormat54, TheFirstWalkEatsTheRequests) {
  // The slot asks; the walk that nobody looks at faults the page and writes its outputs over the requests.
  Small w("5.4", 2, 0, ~0ull);
  w.pte(0, pte_ro);
  w.in(0, NV | NW);
  const Made run = run_call(w);
  EXPECT_TRUE(run.fired("driver_format.outer.first_walk"));
  EXPECT_EQ(run.result.ret, 2);
  EXPECT_EQ(w.out(0), nv(0x12345, NW));
  EXPECT_EQ(w.out(1), nv(0x12345, NW)) << "over-faulted with page 0's access";
  Small snapshot("5.4", 2);
  snapshot.pte(0, pte_ro);
  EXPECT_EQ(run_call(snapshot, {true, false, false}).result.ret, 2);
}

TEST(DriverFormat, WriteToAReadOnlyVma) {
  for (const char* model : {"5.4", "5.6"}) {
    Small w(model, 1, NV | NW, 0, vm::read);
    EXPECT_EQ(run_call(w).result.ret, -EPERM) << model;
  }
}

TEST(DriverFormat, AnInvalidatedRange) {
  for (const auto& [model, code] : std::vector<std::pair<const char*, int>>{
           {"5.2", -EAGAIN}, {"5.3", -EBUSY}, {"5.4", -EBUSY}, {"5.5", -EBUSY}, {"5.6", -EBUSY}}) {
    Small w(model, 1, NV);
    IntervalNotifier& notifier = w.mm().notifiers().insert(0, 1ull << 47, "dev", nullptr);
    w.call.notifier = &notifier;
    w.call.notifier_seq = notifier.invalidate_seq();
    const Invalidation running = w.mm().notifiers().start({w.call.start, w.call.end});
    EXPECT_EQ(run_call(w).result.ret, code) << model;
    w.mm().notifiers().end(running);
    const bool noticed = std::string_view(model) >= "5.5";
    EXPECT_EQ(run_call(w).result.ret, noticed ? -EBUSY : 1) << model << ": one that has ended";
  }
  Small unaware("4.17", 1);
  unaware.in(0, NV);
  IntervalNotifier& notifier = unaware.mm().notifiers().insert(0, 1ull << 47, "dev", nullptr);
  unaware.call.notifier = &notifier;
  const Invalidation running = unaware.mm().notifiers().start({unaware.call.start, unaware.call.end});
  EXPECT_EQ(run_call(unaware).result.ret, 0) << "nothing looks before hmm_vma_range_done";
  unaware.mm().notifiers().end(running);
}

/// hmm_invalidate_range() of 4.14 to 5.1: what the driver had asked for is gone, and what it got as well.
TEST(DriverFormat, UntilFiveOneAnInvalidationZeroesTheSlotsOfTrackedRanges) {
  Small w("5.1", 8);
  DeviceMirror device(w.machine(), w.mm(), "gpu", 7, 0);
  const auto slots_after = [&](uint64_t first, uint64_t end, bool valid) {
    for (uint32_t k = 0; k < 8; ++k) w.in(k, NV | NW);
    TrackedRange tracked;
    device.track(tracked, w.call.start, w.call.end, w.call.pfns);
    w.start_recording();
    w.mm().notifiers().end(w.mm().notifiers().start({w.call.start + first * page_bytes, w.call.start + end * page_bytes}));
    (void)w.stop_recording();
    EXPECT_EQ(tracked.valid, valid) << first << " " << end;
    std::string zeroed;
    for (uint32_t k = 0; k < 8; ++k) zeroed += w.out(k) == 0 ? '0' : 'r';
    return zeroed;
  };
  EXPECT_EQ(slots_after(2, 4, false), "rr00rrrr");
  EXPECT_EQ(slots_after(6, 20, false), "rrrrrr00");
  EXPECT_EQ(slots_after(8, 9, true), "rrrrrrrr");
  w.call.start += page_bytes;   // so that there is a page before it
  EXPECT_EQ(slots_after(~0ull, 0, false), "rrrrrrrr") << "ends where the range begins: invalid, but no slot is touched";
  device.close();
}

/// HMM_PFN_VALID in the slot, one that the pte refuses: the kernel had written NONE there before it looked.
TEST(DriverFormat, ARefusedRequestIsGoneFromItsSlot) {
  for (const char* model : {"5.5", "5.6"}) {
    Small w(model, 1, 0, ~0ull, vm::read);
    w.pte(0, pte_ro);
    w.in(0, NV | NW);
    EXPECT_EQ(run_call(w).result.ret, -EPERM) << model;
    EXPECT_EQ(w.out(0), 0u) << model;
  }
  Small first("5.4", 1, 0, ~0ull, vm::read);   // the first walk is refused and forgets the request, so the second is not
  first.pte(0, pte_ro);
  first.in(0, NV | NW);
  EXPECT_EQ(run_call(first).result.ret, 1);
  EXPECT_EQ(first.out(0), nv(0x12345));
  EXPECT_TRUE(first.faults.empty());
}

TEST(DriverFormat, AGapThatIsAskedForIsAnOopsIn52And53) {
  for (const char* model : {"5.2", "5.3", "5.4", "5.5"}) {
    World w(model);
    w.vma(0, 2);
    w.table(0);
    w.range(0, 4, NV);
    w.pte(0, pte_ro);
    w.pte(1, pte_ro);
    w.vma(8, 2);
    const Made run = run_call(w);
    EXPECT_EQ(run.result.ret, -EFAULT) << model;
    EXPECT_EQ(run.fired("driver_format.do_fault.null_vma"), std::string_view(model) < "5.4") << model;
  }
}

TEST(DriverFormat, VmasAndGaps) {
  for (const char* model : {"5.2", "5.4"}) {
    World w(model);
    w.vma(0, 2, vm::read | vm::io);
    w.range(0, 2, NV);
    EXPECT_EQ(run_call(w).result.ret, -EFAULT) << model;
  }
  World unreadable("5.2");
  unreadable.vma(0, 2, 0);
  unreadable.range(0, 2, NV);
  EXPECT_EQ(run_call(unreadable).result.ret, -EPERM);

  World io("5.6");
  io.vma(0, 2, vm::read | vm::io);
  io.range(0, 2);
  EXPECT_EQ(run_call(io, {true, false, false}).result.ret, -EFAULT) << "asked for or not";
  World hidden("5.6");
  hidden.vma(0, 2, 0);
  hidden.range(0, 2);
  hidden.in_all(0xabc);
  EXPECT_EQ(run_call(hidden, {true, false, false}).result.ret, 2);
  EXPECT_EQ(hidden.out(0), 0u);
  World wanted("5.6");
  wanted.vma(0, 2, 0);
  wanted.range(0, 2, NV);
  EXPECT_EQ(run_call(wanted).result.ret, -EFAULT);
  World gap("5.6");
  gap.vma(0, 1);
  gap.pte(0, pte_ro);
  gap.range(0, 3);
  EXPECT_EQ(run_call(gap, {true, false, false}).result.ret, 1) << "`last` stays at the start of the hole";
  EXPECT_EQ(gap.out(2), 0u) << "NONE, not ERROR as from 5.7 on";
  World hole("5.6");
  hole.vma(0, 1);
  hole.pte(0, pte_ro);
  hole.range(0, 3, NV);
  EXPECT_EQ(run_call(hole).result.ret, -EFAULT);
  EXPECT_EQ(hole.out(1), NERROR) << "5.5 and 5.6 do not wipe the mark";
}

TEST(DriverFormat, HugePmds) {
  for (const char* model : {"4.17", "5.2", "5.6"}) {
    World w(model, [](KernelModel& m) { m.config.numa_balancing = true; });
    w.vma(0, pages_2m * 4);
    w.pmd(0, pmd_rw & ~x86::rw.mask());
    w.pmd(pages_2m, (pmd_rw & ~x86::present.mask()) | x86::protnone.mask());
    w.range(0, 4);
    run_call(w, {true, false, false});
    EXPECT_EQ(w.out(3), nv(0x12403)) << model;
    w.range(pages_2m, 4);
    w.in_all(0xabc);
    EXPECT_TRUE(run_call(w, {true, false, false}).fired("driver_format.handle_pmd.protnone")) << model;
    EXPECT_EQ(w.out(0), 0u) << model;
    w.range(0, 4, NV | NW, 0);
    w.in_all(NV | NW);
    w.on_fault = [](World& world, uint64_t, uint32_t) {
      world.pmd(0, pmd_rw);
      return 0u;
    };
    EXPECT_TRUE(run_call(w).fired("driver_format.handle_pmd.fault")) << model;
    EXPECT_EQ(w.out(2), nv(0x12402, NW)) << model;
  }
}

TEST(DriverFormat, PmdsThatAreNotPresent) {
  for (const char* model : {"4.17", "5.2", "5.6"}) {
    World w(model);
    w.vma(0, pages_2m);
    w.pmd(0, swap_word(w, SwapKind::migration_read, 0x12400));
    w.range(0, 2, NV, 0);
    w.in_all(NV);
    const Made run = run_call(w);
    const bool old = std::string_view(model) == "4.17";
    EXPECT_EQ(run.result.stuck, old ? Stuck::no : Stuck::migration_wait) << model;
    if (old) {
      EXPECT_EQ(w.out(0), NERROR);
    }
    w.in_all(0xabc);
    run_call(w, {true, false, false});
    EXPECT_EQ(w.out(0), old ? NERROR : 0xabcu) << model << ": the slots keep what the caller put there";
    World bad(model);
    bad.vma(0, pages_2m);
    bad.pmd(0, 0x8000000012345000 | x86::present.mask());
    bad.range(0, 2, NV, 0);
    bad.in_all(NV);
    EXPECT_GE(run_call(bad).result.ret, 0) << model << ": ERROR without a failure";
    EXPECT_EQ(bad.out(1), NERROR) << model;
  }
}

TEST(DriverFormat, PudLeaves) {
  World split("4.17");
  split.vma(0, pages_1g);
  split.pud(0, 0x80000000400008e7);
  split.range(0, 2);
  EXPECT_TRUE(run_call(split, {true, false, false}).fired("driver_format.walk.split"));
  EXPECT_EQ(split.out(0), 0u);
  World device("5.2");
  device.vma(0, pages_1g);
  device.pud(0, 0x80000000400008e5 | x86::devmap.mask());
  device.range(1, 2);
  run_call(device, {true, false, false});
  EXPECT_EQ(device.out(0), nv(0x40001));
  device.range(1, 2, NV | NW);
  device.on_fault = [](World& world, uint64_t, uint32_t) {
    world.pud(0, 0x80000000400008e7 | x86::devmap.mask());
    return 0u;
  };
  EXPECT_TRUE(run_call(device).fired("driver_format.pud.fault"));
}

TEST(DriverFormat, Hugetlb) {
  for (const char* model : {"5.2", "5.4", "5.6"}) {
    World w(model);
    w.vma(0, pages_2m, vm::read | vm::write, 21);
    w.pmd(0, pmd_rw);
    w.range(0, 4);
    run_call(w, {true, false, false});
    EXPECT_EQ(w.out(2), nv(0x12402, NW)) << model;
    w.pmd(0, swap_word(w, SwapKind::hwpoison));
    run_call(w, {true, false, false});
    EXPECT_EQ(w.out(0) & NV, NV) << model << ": VALID although the entry is not present";
    w.pmd(0, pmd_rw & ~x86::rw.mask());
    w.range(0, 4, NV | NW);
    w.on_fault = [](World& world, uint64_t, uint32_t) {
      world.pmd(0, pmd_rw);
      return 0u;
    };
    EXPECT_TRUE(run_call(w).fired("driver_format.hugetlb.fault")) << model;
  }
  World refused("4.17");
  refused.vma(0, pages_2m, vm::read | vm::write, 21);
  refused.range(0, 4);
  EXPECT_EQ(run_call(refused).result.ret, -EINVAL);
  World missing("5.6");
  missing.vma(0, pages_1g, vm::read | vm::write, 21);
  missing.range(0, 4);
  EXPECT_GE(run_call(missing, {true, false, false}).result.ret, 0);
}

// 5.2 and 5.3: one slot stands for a huge page of hugetlb (mm/hmm.c at 0092908d16c6).
TEST(DriverFormat, PageShiftMakesOneSlotAHugePage) {
  const DriverRequest huge{.snapshot = true, .page_shift = 21};
  for (const char* model : {"5.2", "5.3"}) {
    World w(model);
    w.vma(0, 4 * pages_2m, vm::read | vm::write, 21);
    w.pmd(0, pmd_rw);
    w.pmd(pages_2m, EntryFormat::make(0x40000, pmd_rw & 0xfff));
    w.range(0, 2 * pages_2m);
    const Made run = run_call(w, huge);
    EXPECT_EQ(run.result.ret, static_cast<int>(2 * pages_2m)) << model << ": still counted in 4K pages";
    EXPECT_EQ(w.out(0), nv(leaf_pfn(Level::pmd, pmd_rw), NW)) << model;
    EXPECT_EQ(w.out(1), nv(0x40000, NW)) << model;
    EXPECT_EQ(w.out(2), 0u) << model << ": two slots for two huge pages";
  }
}

TEST(DriverFormat, PageShiftHasToFit) {
  const DriverRequest huge{.snapshot = true, .page_shift = 21};
  World unaligned("5.2");
  unaligned.vma(0, 4 * pages_2m, vm::read | vm::write, 21);
  unaligned.range(1, pages_2m);
  EXPECT_EQ(run_call(unaligned, huge).result.ret, -EINVAL);
  World ordinary("5.3");
  ordinary.vma(0, 2 * pages_2m);
  ordinary.range(0, pages_2m);
  const Made refused = run_call(ordinary, huge);
  EXPECT_EQ(refused.result.ret, -EINVAL);
  EXPECT_TRUE(refused.fired("driver_format.outer.page_shift"));
  World larger("5.2");
  larger.vma(0, pages_1g, vm::read | vm::write, 30);
  larger.range(0, pages_2m);
  EXPECT_EQ(run_call(larger, huge).result.ret, -EINVAL);
}

// hmm_pfns_clear and the requests of a hole still count 4K pages: with page_shift 21 both go past the array.
TEST(DriverFormat, PageShiftOverrunsTheArray) {
  World w("5.2");
  const uint64_t first = pages_1g - pages_2m;   // the second huge page has no page table yet
  w.vma(0, 2 * pages_1g, vm::read | vm::write, 21);
  w.pmd(first, pmd_rw);
  w.range(first, 2 * pages_2m, NV);
  w.on_fault = [](World&, uint64_t, uint32_t) { return vm_fault::sigbus; };
  w.in(2, 0x77);
  const Made run = run_call(w, {.page_shift = 21});
  EXPECT_EQ(run.result.ret, -EFAULT);
  EXPECT_TRUE(run.fired("driver_format.overrun.need"));
  EXPECT_TRUE(run.fired("driver_format.overrun.clear"));
  EXPECT_EQ(w.out(2), 0x77u) << "the words behind the array are left alone here";
}

TEST(DriverFormat, NumaHintsComeOutValid) {
  for (const auto& [model, faults] : std::vector<std::pair<const char*, bool>>{
           {"4.17", false}, {"5.2", false}, {"5.3", true}, {"5.6", true}}) {
    World w(model, [](KernelModel& m) { m.config.numa_balancing = true; });
    w.vma(0, 4);
    w.pte(0, pte_numa_hint);
    w.range(0, 1, NV, 0);
    w.in(0, NV);
    w.on_fault = [](World& world, uint64_t page, uint32_t) {
      world.pte(page, pte_ro);
      return 0u;
    };
    run_call(w);
    EXPECT_EQ(!w.faults.empty(), faults) << model;
    w.pte(0, pte_numa_hint);
    run_call(w, {true, false, false});
    EXPECT_EQ(w.out(0), nv(0x12345)) << model << ": hmm_pfn_from_pfn adds VALID";
  }
}

TEST(DriverFormat, AFaultThatNeverHelpsIsALivelock) {
  Small w("5.6", 1, NV | NW);
  w.call.max_restarts = 50;
  w.on_fault = [](World& world, uint64_t page, uint32_t) {
    world.pte(page, pte_ro);
    return 0u;
  };
  const Made run = run_call(w);
  EXPECT_EQ(run.result.stuck, Stuck::livelock);
  EXPECT_TRUE(run.fired("driver_format.outer.livelock"));
}

// 5.7 walks like 5.8, with words in the driver's format.
TEST(DriverFormat57, ModernRulesInTheDriversFormat) {
  World w("5.7");
  w.vma(0, 8);
  w.device(0x12000, 0x1000, 7);
  w.call.dev_private_owner = 7;
  w.pte(0, pte_ro);
  w.pte(1, swap_word(w, SwapKind::device_write));
  w.pte(2, (pte_ro & ~x86::pfn.mask()) | x86::special.mask() | 0x77000);
  w.pte(3, swap_word(w, SwapKind::hwpoison));
  w.range(0, 5);
  EXPECT_EQ(w.run().ret, 0);
  EXPECT_EQ(w.out(0), nv(0x12345));
  EXPECT_EQ(w.out(1), nv(0x12345, NW)) << "no device flag any more";
  EXPECT_EQ(w.out(2), NERROR);
  EXPECT_EQ(w.out(3), 0u);
  EXPECT_EQ(w.out(4), 0u);
  EXPECT_EQ(w.run().reached, w.call.end);
  w.call.default_flags = NV;
  w.call.dev_private_owner = 8;
  EXPECT_EQ(w.run().ret, -EFAULT) << "device-private memory of somebody else";
}

// Success returns the pages before `last`, which 5.7 does not move consistently: a driver that takes 0 for "again"
// (amdgpu's and nouveau's did) never gets past a range without page tables. 5.8 returns 0 instead.
TEST(DriverFormat57, AHoleAtTheEndDoesNotCount) {
  World w("5.7");
  w.vma(0, 4096);
  w.range(0, 4);
  RangeFaultResult walked = w.run();
  EXPECT_EQ(walked.ret, 0);
  EXPECT_EQ(walked.reached, w.call.start) << "no page table at all: 0 pages";
  for (uint64_t k = 0; k < 4; ++k) w.pte(508 + k, pte_ro);
  w.range(508, 8);
  walked = w.run();
  EXPECT_EQ((walked.reached - w.call.start) / page_bytes, 4u) << "four ptes, then an empty pmd";
  w.pte(512, pte_ro);
  EXPECT_EQ(w.run().reached, w.call.end) << "empty ptes count, an empty pmd does not";
}

}  // namespace
}  // namespace hmmscope::test
