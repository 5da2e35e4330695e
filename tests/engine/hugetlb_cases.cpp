#include "tests/engine/case.h"

namespace hmmscope::test {
namespace {

constexpr uint64_t huge_rw = 0x84000001024000e7;   // pfn 0x102400, as a 6.12 kernel wrote it

std::function<void(World&)> two_megs(uint64_t entry, uint64_t defaults = 0, uint64_t mask = 0, uint64_t first = 0) {
  return [=](World& w) {
    w.vma(0, 2 * pages_2m, vm::read | vm::write, 21);
    w.pmd(0, entry);
    w.range(first, 2, defaults, mask);
    w.on_fault = [](World& world, uint64_t page, uint32_t) {
      world.pmd(page, huge_rw);
      return 0u;
    };
  };
}
std::function<void(World&)> one_gig(uint64_t entry, uint64_t first) {
  return [=](World& w) {
    w.vma(0, pages_1g, vm::read | vm::write, 30);
    w.pud(0, entry);
    w.range(first, 2);
  };
}
void numa(KernelModel& m) { m.config.numa_balancing = true; }

}  // namespace

std::vector<Case> hugetlb_cases() {
  return {
      {"hugetlb 2M", "6.12", two_megs(huge_rw), 0, {0xc900000000102400, 0xc900000000102401},
       {"walk.hugetlb.entry", "need.no_request", "hugetlb_entry.fill"}},
      {"hugetlb 2M from its middle", "6.12", two_megs(huge_rw, 0, 0, 0x40), 0, {0xc900000000102440}, {"hugetlb_entry.fill"}},
      {"hugetlb 2M never touched", "6.12", two_megs(0), 0, {0x0900000000000000, 0x0900000000000001},
       {"hugetlb_entry.not_valid"}},
      {"hugetlb 2M never touched, asked", "6.12", two_megs(0, V | W), 0, {0xc900000000102400},
       {"need.write", "hugetlb_entry.fault", "vma_fault.busy", "hugetlb_entry.fill"}},
      {"hugetlb hole without a table", "6.12",
       [](World& w) {
         w.vma(0, 2 * pages_2m, vm::read | vm::write, 21);
         w.range(0, 2);
       },
       0, {0, 0}, {"walk.hugetlb.hole", "hole.zero"}},
      {"hugetlb NUMA hint", "6.12", two_megs(EntryFormat::make(0x102400, 0x1e0)), 0, {0x0900000000102400},
       {"hugetlb_entry.not_valid"}, numa},
      {"hugetlb poison, asked", "6.12",
       [](World& w) {
         two_megs(make_swap_word(23, 0x102400), V)(w);
         w.on_fault = [](World&, uint64_t, uint32_t) { return vm_fault::hwpoison_large; };
       },
       -EFAULT, {0}, {"hugetlb_entry.fault", "vma_fault.error"}},
      {"hugetlb 1G, as posted in v9", "6.12-v9", one_gig(0x84000001400000e7, 5), 0,
       {0xd200000000140005, 0xd200000000140006}, {"hugetlb_entry.fill"}},
      {"hugetlb 1G, merged layout", "6.16", one_gig(0x84000001400000e7, 262142), 0,
       {0xc24000000017fffe, 0xc24000000017ffff}, {"hugetlb_entry.fill"}},
      {"hugetlb 1G never touched", "6.12", one_gig(0, 5), 0, {0x1200000000000005}, {"hugetlb_entry.not_valid"}},
  };
}

}  // namespace hmmscope::test
