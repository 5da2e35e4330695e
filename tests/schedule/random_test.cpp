// Random machines, tasks, operations and schedules: however they are interleaved, locks are released, migration entries
// are gone, counters agree with the page tables, no device maps what the CPU has taken away, the recording steps back
// to where it began. A run that breaks this shrinks to the smallest scenario and schedule that still do.
#include <gtest/gtest.h>

#include "tests/schedule/random_check.h"
#include "tests/schedule/random_generator.h"
#include "tests/support/shrink.h"

namespace hmmscope::scenario {
namespace {

/// What a random scenario may ask for that makes no sense where it stands.
bool is_harmless_mistake(const std::string& mistake) {
  for (const char* const known : {"no page is at", "nobody holds the page", "is locked already", "ends inside a hugetlb page", "needs one anonymous VMA",
                                  "moves a part of one VMA", "something is mapped at the new place", "is not aligned to its page size", "has closed the file of device", "begins with a whole one", "a slot lies outside the range"}) {
    if (mistake.find(known) != std::string::npos) return true;
  }
  return false;
}

class RandomMachines : public testing::Test {
 protected:
  /// `first` keeps the seeds of the tests apart.
  void expect_sound(const Wanted& wanted, uint32_t first, uint32_t count) {
    const Seeds seeds = Seeds::of(first, count);
    Reached reached;
    for (uint32_t k = 0; k < seeds.count; ++k) {
      const uint32_t seed = seeds.first + k;
      Sample sample = Generator(seed).sample(wanted);
      const Verdict found = verdict(sample, {k % 4 == 0, &reached});
      ++reached.runs;
      if (!found.mistake.empty()) {
        ASSERT_TRUE(is_harmless_mistake(found.mistake)) << report(sample, seed, found.mistake);
        ++reached.refused;
      }
      if (found.wrong.empty()) continue;
      const Sample small = shrunk(sample, [](Sample& smaller) { return verdict(smaller, {true, nullptr}).wrong; });
      FAIL() << report(small, seed, found.wrong);
    }
    EXPECT_LE(reached.refused * 4, reached.runs) << "too many scenarios are none";
    EXPECT_LE(reached.stopped * 2, reached.runs) << "too many end before their end";
    for (size_t id = 0; id < all_.rules.size(); ++id) all_.rules[id] += reached.rules[id];
    usual_ = usual_ && seeds.usual;
    ++tests_;
  }

  /// Failures and ways back that the tests must have come by between them.
  static void TearDownTestSuite() {
    constexpr int all_tests = 11;
    if (!usual_ || tests_ != all_tests) return;   // other seeds, or some tests only: anything may be missing
    EXPECT_EQ(all_.missing({
                  "collect.hole.compound", "collect.hole.skip", "collect.pmd.zero_hole", "collect.pmd.locked", "collect.pmd.fallback",
                  "collect.pmd.split", "collect.pmd.was_split", "collect.pmd.fault_folio", "collect.pmd.device_private",
                  "collect.pmd.entry.read_exclusive", "collect.pte.none.other", "collect.pte.swap", "collect.pte.other_entry",
                  "collect.pte.zero_page", "collect.pte.no_page", "collect.pte.device_private.not_selected", "collect.pte.large.split",
                  "collect.pte.fault_folio", "collect.pte.locked", "collect.pte.pinned",
                  "collect.pte.coherent.not_selected", "collect.entry.read_exclusive", "split_folio.done",
                  "unmap.isolate_failed", "unmap.drain_all", "unmap.pinned", "unmap.restore", "try_to_migrate.not_here",
                  "try_to_migrate.pmd.device", "pages.no_dst", "pages.file", "pages.refcount", "pages.swap_shared", "pages.swap_freed",
                  "pages.compound.tails", "pages.compound.no_small_dst", "pages.compound.split",
                  "split_unmapped.freeze", "insert.table", "insert.split_zero", "insert.present", "insert.not_none",
                  "insert.uffd_missing", "finalize.no_src", "finalize.drop_dst", "finalize.back", "finalize.unlock",
                  "restore.present", "restore.device_private", "restore.pmd.present", "restore.pmd.device_private", "device_range.free",
                  "device_range.compound", "exclusive.locked", "exclusive.failed", "exclusive.raced",
                  "exclusive.not_anon", "exclusive.wait", "driver.no_memory", "driver.compound_failed", "driver.not_mirrored",
                  "dmirror.busy", "dmirror.collided", "dmirror.exclusive_busy", "dmirror.open",
                  "swap.migration_wait", "swap.device_exclusive", "swap.device_private.locked", "swap.device_private.failed",
                  "swap.hwpoison", "swap.marker.guard", "fault.pte_raced", "wp.raced", "file.past_eof", "hugetlb_fault.none",
                  "pte.device_exclusive.fault", "pte.migration.wait", "pte.protnone", "hugetlb_entry.fault",
                  "inject.allocation", "inject.folio_lock", "inject.pin", "inject.reference", "inject.invalidate", "inject.signal",
                  "inject.poison", "poison.done", "fork.huge", "fork.page_pinned", "fork.exclusive", "oom_reap.zap", "pageout.busy",
                  "pageout.unwritten", "mremap.move", "madvise.free", "notifier.insert.deferred", "notifier.remove.deferred",
                  "prepare.locked", "prepare.lock", "prepare.swap_shared", "prepare.flush", "convert.stale_dst", "driver.not_mapped",
                  "driver_format.prefill", "driver_format.range_done", "driver_format.invalidate.zero", "driver_format.wait_valid",
                  "driver_format.pte.migration.wait", "driver_format.pte.odd_error", "driver_format.pte.swap.fault",
                  "driver_format.hugetlb.fill", "driver_format.outer.special_vma", "driver_format.do_fault.error"}),
              "");
  }

  static Reached all_;
  static bool usual_;
  static int tests_;
};
Reached RandomMachines::all_;
bool RandomMachines::usual_ = true;
int RandomMachines::tests_ = 0;

TEST_F(RandomMachines, OneTaskLeavesEverythingInOrder) { expect_sound({}, 1, 350); }

TEST_F(RandomMachines, OneTaskAndFailuresLeaveEverythingInOrder) { expect_sound({Era::migrating, false, false, true}, 10'000, 250); }

TEST_F(RandomMachines, TasksLeaveEverythingInOrderHoweverTheyAreInterleaved) { expect_sound({Era::migrating, true}, 20'000, 400); }

TEST_F(RandomMachines, TasksAndFailuresLeaveEverythingInOrder) { expect_sound({Era::migrating, true, false, true}, 30'000, 200); }

TEST_F(RandomMachines, HugePagesLeaveEverythingInOrder) { expect_sound({Era::migrating, false, true}, 40'000, 120); }

TEST_F(RandomMachines, HugePagesAndFailuresLeaveEverythingInOrder) { expect_sound({Era::migrating, false, true, true}, 50'000, 60); }

TEST_F(RandomMachines, TasksLeaveHugePagesInOrderHoweverTheyAreInterleaved) { expect_sound({Era::migrating, true, true}, 60'000, 60); }

TEST_F(RandomMachines, KernelsBefore58LeaveEverythingInOrder) { expect_sound({Era::range_only}, 70'000, 120); }

TEST_F(RandomMachines, TasksOfKernelsBefore58LeaveEverythingInOrder) { expect_sound({Era::range_only, true}, 80'000, 120); }

TEST_F(RandomMachines, TheUnifiedPatchesLeaveEverythingInOrder) { expect_sound({Era::unified}, 90'000, 200); }

TEST_F(RandomMachines, TasksUnderTheUnifiedPatchesLeaveEverythingInOrder) { expect_sound({Era::unified, true}, 95'000, 150); }

}  // namespace
}  // namespace hmmscope::scenario
