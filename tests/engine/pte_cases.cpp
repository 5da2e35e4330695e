#include "tests/engine/case.h"

namespace hmmscope::test {
namespace {

constexpr uint64_t pfn = 0x12345;

/// One page with that pte in a table of its own, asked for with D = defaults.
std::function<void(World&)> one(uint64_t entry, uint64_t defaults = 0, uint64_t in = 0) {
  return [=](World& w) {
    w.vma(0, 16);
    w.table(0);
    w.pte(3, entry);
    w.range(3, 1, defaults);
    w.in(0, in);
    w.device(0x12000, 0x1000, 7);
  };
}
std::function<void(World&)> owned(uint64_t entry, uint64_t defaults, uint64_t owner) {
  return [=](World& w) {
    one(entry, defaults)(w);
    w.call.dev_private_owner = owner;
  };
}
/// As one(), and a fault maps `after`.
std::function<void(World&)> faulting(uint64_t entry, uint64_t defaults, uint64_t after) {
  return [=](World& w) {
    one(entry, defaults)(w);
    w.on_fault = [after](World& world, uint64_t page, uint32_t) {
      world.pte(page, after);
      return 0u;
    };
  };
}
void numa(KernelModel& m) { m.config.numa_balancing = true; }

constexpr uint64_t special = x86::special.mask(), devmap = x86::devmap.mask();

}  // namespace

std::vector<Case> pte_cases() {
  using namespace v612;
  // What 6.15's numbering makes of the same entries is tested in version_test.cpp.
  return {
      {"none", "6.12", one(0), 0, {0}, {"need.no_request", "pte.none"}},
      {"none with accessed and dirty set", "6.12", one(0x60), 0, {0}, {"pte.none"}},
      {"none and asked", "6.12", faulting(0, V, pte_ro), 0, {V | pfn},
       {"need.fault", "pte.none.fault", "vma_fault.begin", "vma_fault.busy", "range.restart", "need.satisfied",
        "pte.present", "range.return"}},
      {"none keeps sticky bits", "6.16", one(0, 0, 0x1000000000000000), 0, {0x1000000000000000}, {"pte.none"}},
      {"none drops the same bits before 6.16", "6.12", one(0, 0, 0x1000000000000000), 0, {0}, {"pte.none"}},
      {"marker", "6.12", one(marker_wp), 0, {0}, {"pte.marker"}},
      {"marker and asked", "6.12", faulting(marker_wp, V, pte_ro), 0, {V | pfn}, {"pte.marker.fault", "pte.present"}},
      {"poison marker counts as empty in 6.12", "6.12", faulting(0xfffffffffffffa00, V, pte_ro), 0, {V | pfn},
       {"pte.marker.fault"}},
      {"poison marker is an error in 7.3", "7.3", one(0xfffffffffffffa00, V), -EFAULT, {0},
       {"need.fault", "pte.other.fault"}},
      {"poison marker snapshot in 7.3", "7.3", one(0xfffffffffffffa00), 0, {0}, {"pte.nonpresent"}},
      {"own device page, writable entry", "6.12", owned(device_write, 0, 7), 0, {V | W | pfn},
       {"pte.device_private.owner"}},
      {"own device page, read-only entry, write asked", "6.12", owned(device_read, V | W, 7), 0, {V | pfn},
       {"pte.device_private.owner"}},
      {"foreign device page", "6.12", owned(device_write, 0, 8), 0, {0}, {"need.no_request", "pte.nonpresent"}},
      {"foreign device page and asked", "6.12",
       [](World& w) {
         faulting(device_write, V, pte_rw)(w);
         w.call.dev_private_owner = 8;
       },
       0, {V | W | pfn}, {"pte.device_private.fault", "pte.present"}},
      {"foreign device page before 6.0", "5.15",
       [](World& w) {
         one(EntryFormat(w.machine().model()).swap.type(SwapKind::device_write) == SwapTypes::absent
                 ? 0
                 : make_swap_word(w.machine().model().types.device_write, pfn),
             V)(w);
         w.call.dev_private_owner = 8;
       },
       -EFAULT, {0}, {"pte.other.fault"}},
      {"swapped out", "6.12", one(swap), 0, {0}, {"pte.nonpresent"}},
      {"swapped out and asked", "6.12", faulting(swap, V | W, pte_rw), 0, {V | W | pfn},
       {"need.write", "pte.swap.fault", "pte.present"}},
      {"device exclusive", "6.12", one(make_swap_word(29, pfn)), 0, {0}, {"pte.nonpresent"}},
      {"device exclusive and asked", "6.12", faulting(make_swap_word(30, pfn), V, pte_ro), 0, {V | pfn},
       {"pte.device_exclusive.fault", "pte.present"}},
      {"migrating", "6.12", one(migration_write_ad), 0, {0}, {"pte.nonpresent"}},
      {"migrating and asked", "6.12",
       [](World& w) {
         one(migration_write, V)(w);
         w.on_wait = [](World& world, uint64_t page) {
           world.pte(page, pte_rw);
           return true;
         };
       },
       0, {V | W | pfn}, {"pte.migration.wait", "migration_wait.over", "range.restart", "pte.present"}},
      {"migrating for ever and asked", "6.12", one(migration_read, V, 0x77), -EDEADLK, {0x77},
       {"pte.migration.wait", "migration_wait.stuck"}},
      {"poisoned", "6.12", one(hwpoison), 0, {0}, {"pte.nonpresent"}},
      {"poisoned and asked", "6.12", one(hwpoison, V, 0x77), -EFAULT, {0x77}, {"pte.other.fault", "range.return"}},
      {"read-only", "6.12", one(pte_ro), 0, {V | pfn}, {"need.no_request", "pte.present"}},
      {"read-only, read asked", "6.12", one(pte_ro, V), 0, {V | pfn}, {"need.satisfied", "pte.present"}},
      {"read-only, write asked", "6.12", faulting(pte_ro, V | W, pte_rw), 0, {V | W | pfn},
       {"need.write", "pte.present.fault", "vma_fault.begin", "need.satisfied", "pte.present"}},
      {"writable", "6.12", one(pte_rw), 0, {V | W | pfn}, {"pte.present"}},
      {"writable keeps sticky bits", "6.16", one(pte_rw, 0, 0x1c00000000054321), 0, {0xdc00000000012345},
       {"pte.present"}},
      {"zero page", "6.12", one(pte_zero_page), 0, {0x8000000000005000}, {"pte.zero_page"}},
      {"special", "6.12", one(pte_rw | special), 0, {E}, {"pte.special"}},
      {"special keeps sticky bits", "6.16", one(pte_rw | special, 0, V | 0x1000000000000000), 0,
       {E | 0x1000000000000000}, {"pte.special"}},
      {"special and asked", "6.12", one(pte_rw | special, V), -EFAULT, {0},
       {"need.satisfied", "need.fault", "pte.special.fault"}},
      {"devmap counts as a page", "6.12", one(pte_rw | special | devmap, V), 0, {V | W | pfn}, {"pte.present"}},
      {"devmap is special before 5.17", "5.13", one(pte_rw | special | devmap), 0, {E}, {"pte.special"}},
      {"bit 57 means nothing in 6.18", "6.18", one(pte_rw | special | devmap), 0, {E}, {"pte.special"}},
      {"NUMA hint", "6.12", one(pte_numa_hint), 0, {pfn}, {"need.no_request", "pte.protnone"}, numa},
      {"NUMA hint and asked", "6.12", faulting(pte_numa_hint, V, pte_ro), 0, {V | pfn},
       {"need.fault", "pte.present.fault", "pte.present"}, numa},
      {"the same entry without NUMA balancing", "6.12", one(pte_numa_hint, V), 0, {V | pfn},
       {"need.satisfied", "pte.present"}},
  };
}

}  // namespace hmmscope::test
