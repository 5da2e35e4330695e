#include "tests/engine/case.h"

namespace hmmscope::test {
namespace {

/// A 2M entry at page 0 of the VMA; the range starts at `first` (an index inside the 2M) and has `pages` pages.
std::function<void(World&)> huge(uint64_t entry, uint64_t defaults = 0, uint64_t first = 0, uint32_t pages = 2) {
  return [=](World& w) {
    w.vma(0, pages_2m);
    w.pmd(0, entry);
    w.range(first, pages, defaults);
    w.device(0x12000, 0x1000, 7);
  };
}
std::function<void(World&)> asked(uint64_t entry, uint64_t defaults, uint64_t after) {
  return [=](World& w) {
    huge(entry, defaults)(w);
    w.on_fault = [after](World& world, uint64_t page, uint32_t) {
      world.pmd(page, after);
      return 0u;
    };
  };
}
void numa(KernelModel& m) { m.config.numa_balancing = true; }

constexpr uint64_t pmd_ro = pmd_rw & ~x86::rw.mask();
constexpr uint64_t migrating = make_swap_word(26, 0x12400), poisoned = make_swap_word(23, 0x12400);
constexpr uint64_t device_612 = make_swap_word(27, 0x12400);
// 6.18 has one device-exclusive type, so device entries have the numbers 28 (write) and 29 (read).
constexpr uint64_t device_write = make_swap_word(28, 0x12400), device_read = make_swap_word(29, 0x12400);

std::function<void(World&)> own(uint64_t entry, uint64_t defaults, uint64_t first = 0) {
  return [=](World& w) {
    huge(entry, defaults, first)(w);
    w.call.dev_private_owner = 7;
  };
}

/// A 1G entry; only kernels with PUD-sized leaves see these.
std::function<void(World&)> giant(uint64_t entry, uint64_t defaults = 0, uint64_t first = 5, uint32_t pages = 2) {
  return [=](World& w) {
    w.vma(0, pages_1g);
    w.pud(0, entry);
    w.range(first, pages, defaults);
  };
}
constexpr uint64_t pud_rw = 0x80000000400000e7;   // pfn 0x40000
constexpr uint64_t devmap = x86::devmap.mask();

}  // namespace

std::vector<Case> pmd_cases() {
  return {
      {"2M leaf", "6.12", huge(pmd_rw), 0, {0xc900000000012400, 0xc900000000012401},
       {"range_need.no_request", "handle_pmd.fill"}},
      {"2M leaf in 6.16", "6.16", huge(pmd_rw), 0, {0xc120000000012400, 0xc120000000012401}, {"handle_pmd.fill"}},
      {"2M leaf from its middle", "6.12", huge(pmd_ro, V, 0x145), 0, {0x8900000000012545, 0x8900000000012546},
       {"range_need.none", "handle_pmd.fill"}},
      {"2M leaf before orders", "5.8", huge(pmd_rw), 0, {0xc000000000012400, 0xc000000000012401}, {"handle_pmd.fill"}},
      {"2M leaf, write asked", "6.12", asked(pmd_ro, V | W, pmd_rw), 0, {0xc900000000012400, 0xc900000000012401},
       {"range_need.write", "handle_pmd.fault", "vma_fault.busy", "handle_pmd.fill"}},
      {"2M NUMA hint", "6.12", huge(EntryFormat::make(0x12400, 0x1e0)), 0, {0x12400, 0x12401},
       {"handle_pmd.protnone"}, numa},
      {"2M NUMA hint, read asked", "6.12", asked(EntryFormat::make(0x12400, 0x1e0), V, pmd_ro), 0,
       {0x8900000000012400, 0x8900000000012401}, {"range_need.fault", "handle_pmd.fault", "handle_pmd.fill"}, numa},
      {"2M devmap leaf", "6.12", huge(pmd_rw | devmap), 0, {0xc900000000012400}, {"pmd.huge", "handle_pmd.fill"}},
      {"2M leaf being split", "6.12", huge(pmd_rw & ~x86::present.mask()), 0, {}, {"pmd.huge", "handle_pmd.fill"}},
      {"2M migration", "6.12", huge(migrating), 0, {0, 0}, {"range_need.no_request", "pmd.migration.zero"}},
      {"2M migration, asked", "6.12",
       [](World& w) {
         huge(migrating, V)(w);
         w.on_wait = [](World& world, uint64_t page) {
           world.pmd(page, pmd_rw);
           return true;
         };
       },
       0, {0xc900000000012400}, {"pmd.migration.wait", "migration_wait.over", "handle_pmd.fill"}},
      {"2M migration for ever, asked", "6.12", huge(migrating, V), -EDEADLK, {0, 0},
       {"pmd.migration.wait", "migration_wait.stuck"}},
      {"2M poison", "6.12", huge(poisoned), 0, {E, E}, {"pmd.not_present.error"}},
      {"2M poison, asked", "6.12", huge(poisoned, V), -EFAULT, {0, 0}, {"pmd.not_present.fault"}},
      {"2M device page of its owner in 6.12", "6.12", own(device_612, 0), 0, {E, E}, {"pmd.not_present.error"}},
      {"2M device page of its owner", "6.18", own(device_write, 0), 0, {0xc120000000012400, 0xc120000000012401},
       {"pmd.device_private.owner"}},
      {"2M device page of its owner, write asked, read-only entry", "6.18", own(device_read, V | W), 0,
       {0x8120000000012400}, {"pmd.device_private.owner"}},
      {"2M device page from its middle begins at its first pfn", "6.18", own(device_write, 0, 7), 0,
       {0xc120000000012400}, {"pmd.device_private.owner"}},
      {"2M foreign device page", "6.18", huge(device_write), 0, {E, E}, {"pmd.not_present.error"}},
      {"2M foreign device page, asked", "6.18", asked(device_write, V, pmd_rw), 0, {0xc120000000012400},
       {"pmd.device_private.fault", "handle_pmd.fill"}},
      {"2M poison in 6.18, asked", "6.18", huge(make_swap_word(24, 0x12400), V), -EFAULT, {0},
       {"pmd.not_present.fault"}},
      {"bad pmd", "6.12", huge(0x12345007), 0, {E, E}, {"pmd.bad.error"}},
      {"bad pmd, asked", "6.12", huge(0x12345007, V), -EFAULT, {0, 0}, {"pmd.bad.fault"}},
      {"pmd emptied between the walker and its callback", "6.12",
       [](World& w) {
         huge(pmd_rw)(w);
         w.on_enter = [](World& world, Function function, uint64_t addr) {
           if (function == Function::hmm_vma_walk_pmd) world.pmd((addr - base) / page_bytes, 0);
         };
       },
       0, {0, 0}, {"pmd.none", "hole.zero"}},

      {"1G leaf", "6.18", giant(pud_rw), 0, {0xc240000000040005, 0xc240000000040006},
       {"pud.leaf.fill", "walk.pud.skip"}},
      {"1G devmap leaf", "6.12", giant(pud_rw | devmap), 0, {0xd200000000040005}, {"pud.leaf.fill"}},
      {"1G leaf, write asked", "6.18",
       [](World& w) {
         giant(pud_rw & ~x86::rw.mask(), V | W)(w);
         w.on_fault = [](World& world, uint64_t page, uint32_t) {
           world.pud(page, pud_rw);
           return 0u;
         };
       },
       0, {0xc240000000040005}, {"pud.leaf.fault", "pud.leaf.fill"}},
      {"1G leaf that is not devmap is split in 6.12", "6.12", giant(pud_rw), 0, {0, 0},
       {"pud.split", "walk.pud.split", "walk.pud.hole", "hole.zero"}},
      {"1G leaf not present", "6.12", giant(pud_rw & ~x86::present.mask()), 0, {0, 0},
       {"pud.not_present", "hole.zero", "walk.pud.skip"}},
      {"1G leaf not present before 6.10", "6.1", giant(pud_rw & ~x86::present.mask()), 0, {0, 0},
       {"pud.split", "walk.pud.split"}},
      {"a pud that is no leaf", "6.12",
       [](World& w) {
         w.vma(0, 16);
         w.pte(0, pte_rw);
         w.range(0, 1);
       },
       0, {0xc000000000012345}, {"pud.not_huge", "pmd.table", "pte.present"}},
  };
}

}  // namespace hmmscope::test
