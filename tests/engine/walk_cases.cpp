#include "tests/engine/case.h"

namespace hmmscope::test {
namespace {

std::function<void(World&)> gap(uint64_t defaults) {
  return [=](World& w) {
    w.vma(0, 2);
    w.pte(1, pte_rw);
    w.vma(4, 2);
    w.table(4);
    w.range(1, 6, defaults);   // page 1 mapped, 2-3 gap, 4-5 empty ptes, 6 after the last VMA
    w.on_fault = [](World& world, uint64_t page, uint32_t) {
      world.pte(page, pte_ro);
      return 0u;
    };
  };
}
std::function<void(World&)> vma_with(uint64_t flags, uint64_t defaults = 0) {
  return [=](World& w) {
    w.vma(0, 4, flags);
    w.pte(0, pte_rw);
    w.vma(4, 1);
    w.pte(4, pte_rw);
    w.range(0, 5, defaults);
  };
}
void five_levels(KernelModel& m) { m.config.levels = 5; }

}  // namespace

std::vector<Case> walk_cases() {
  constexpr uint64_t there = 0xc000000000012345;
  return {
      {"empty range", "6.12", [](World& w) { w.range(0, 0); }, -EINVAL, {}, {"walk.bad_range", "range.return"}},
      {"gaps and holes in a snapshot", "6.12", gap(0), 0, {there, E, E, 0, 0, E},
       {"walk.vma", "test_walk.walk", "pte.present", "walk.gap.before", "hole.no_vma.error", "walk.vma", "pte.none",
        "walk.gap.after", "hole.no_vma.error"}},
      {"a gap and a request", "6.12", gap(V), -EFAULT, {there, 0, 0, 0},
       {"walk.gap.before", "range_need.fault", "hole.no_vma.fault", "range.return"}},
      {"VM_PFNMAP", "6.12", vma_with(vm::read | vm::pfnmap), 0, {E, E, E, E, there},
       {"test_walk.io", "range_need.no_request", "test_walk.refused.error", "walk.vma.skip", "pte.present"}},
      {"VM_IO and a request", "6.12", vma_with(vm::read | vm::io, V), -EFAULT, {0},
       {"test_walk.io", "test_walk.refused.fault"}},
      {"PROT_NONE", "6.12", vma_with(0), 0, {E, E, E, E, there}, {"test_walk.unreadable", "walk.vma.skip"}},
      {"write-only and a request", "6.12", vma_with(vm::write, V), -EFAULT, {0},
       {"test_walk.unreadable", "test_walk.refused.fault"}},
      {"VM_MIXEDMAP", "6.12", vma_with(vm::read | vm::mixedmap), 0, {there, 0, 0, 0, there}, {"test_walk.walk"}},
      {"VM_MIXEDMAP before 5.17", "5.13", vma_with(vm::read | vm::mixedmap), 0, {E, E, E, E, there},
       {"test_walk.mixedmap", "test_walk.refused.error"}},
      {"holes of every level, four levels", "6.12",
       [](World& w) {
         w.vma(0, 2 * 512 * pages_1g);
         w.pte(pages_2m, pte_rw);               // the pmd before it is empty
         w.range(pages_2m - 1, 2);
       },
       0, {0, there}, {"walk.pmd.hole", "hole.zero", "pmd.table", "pte.present"}},
      {"an empty pud", "6.12",
       [](World& w) {
         w.vma(0, 2 * pages_1g);
         w.pte(0, pte_rw);
         w.range(pages_1g, 1);
       },
       0, {0}, {"walk.pud.hole", "hole.zero"}},
      {"an empty p4d", "6.12",
       [](World& w) {
         w.vma(0, 4);
         w.range(0, 1);
       },
       0, {0}, {"walk.p4d.hole", "hole.zero"}},
      {"an empty pgd entry, five levels", "6.12",
       [](World& w) {
         w.vma(0, 4);
         w.range(0, 1);
       },
       0, {0}, {"walk.pgd.hole", "hole.zero"}, five_levels},
      {"an empty p4d, five levels", "6.12",
       [](World& w) {
         w.vma(0, 1024 * pages_1g);
         w.pte(0, pte_rw);
         w.range(512 * pages_1g, 1);
       },
       0, {0}, {"walk.p4d.hole", "hole.zero"}, five_levels},
      {"a page, five levels", "6.12",
       [](World& w) {
         w.vma(0, 4);
         w.pte(0, pte_rw);
         w.range(0, 1);
       },
       0, {there}, {"pte.present"}, five_levels},
      {"a bad upper entry is cleared", "6.12",
       [](World& w) {
         w.vma(0, 4);
         w.mm().set_entry(Level::p4d, base, 0x1234);
         w.range(0, 1);
       },
       0, {0}, {"walk.table.bad", "hole.zero"}},
      {"a pud that is neither table nor leaf", "6.12",
       [](World& w) {
         w.vma(0, 4);
         w.pud(0, 0x12345000);
         w.range(0, 1);
       },
       0, {0}, {"pud.not_huge", "walk.table.bad", "walk.pud.hole", "hole.zero"}},
      {"without 1G leaves the kernel has no pud callback", "6.12",
       [](World& w) {
         w.vma(0, 4);
         w.pte(0, pte_rw);
         w.range(0, 1);
       },
       0, {there}, {"walk.vma", "pmd.table", "pte.present"}, [](KernelModel& m) { m.config.pud_thp = false; }},
  };
}

}  // namespace hmmscope::test
