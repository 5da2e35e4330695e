#pragma once
/// The walk behind driver_range_call. Internal to engine/driver_format. One object serves one call.

#include <cstdint>

#include "engine/driver_format/driver_format.h"
#include "engine/driver_format/driver_range.h"
#include "engine/machine/machine.h"
#include "engine/walk/circle_watch.h"
#include "engine/walk/hooks.h"

namespace hmmscope {

/// HMM_FAULT_SNAPSHOT and the two bools `fault` and `write_fault` of these kernels.
inline constexpr unsigned drv_fault_bit = 1, drv_write_bit = 2;

class DriverWalk {
 public:
  DriverWalk(Machine& machine, const RangeFaultCall& call, const DriverRequest& request, WalkHooks* hooks);
  RangeFaultResult run();

 private:
  // driver_range.cpp: the outer functions
  int64_t one_vma();                  ///< 4.14 .. 5.1
  int64_t vma_by_vma();               ///< 5.2 .. 5.4
  int64_t whole_range();              ///< 5.5, 5.6
  int refuse_one_vma();
  int refuse_vma(uint64_t addr);
  int register_range();
  int refuse_page_shift();
  /// hmm_pfns_clear: NONE into as many slots as [addr, end) has 4K pages.
  void clear_slots(uint64_t addr, uint64_t end);
  int invalid();
  int walk_until_done(uint64_t start, uint64_t end, bool watch_sequence);
  int64_t fail_and_clear(int ret);
  int64_t pages_before_last() const { return static_cast<int64_t>((last_ - call_.start) >> page_bits); }
  bool invalidated() const;

  // driver_levels.cpp: mm/pagewalk.c
  int walk_page_range(uint64_t start, uint64_t end);
  int walk_parts(uint64_t start, uint64_t end);
  int walk_vma_part(uint64_t addr, uint64_t end);
  int walk_hugetlb(uint64_t addr, uint64_t end);
  int walk_upper(Level level, uint64_t addr, uint64_t end);
  int walk_pud(uint64_t addr, uint64_t next);
  int walk_pmds(uint64_t addr, uint64_t end);
  int test_walk(uint64_t start, uint64_t end);
  int test_walk_decide(uint64_t start, uint64_t end);
  int pud_leaf(uint64_t pud, uint64_t addr, uint64_t end);
  int hugetlb_entry(uint64_t entry, uint64_t addr, uint64_t end);
  int hugetlb_decide(uint64_t entry, uint64_t addr, uint64_t end);

  // driver_fault.cpp: holes, faults, requests
  int hole(uint64_t addr, uint64_t end);
  int hole_with(uint64_t addr, uint64_t end, unsigned need);
  int hole_decide(uint64_t addr, uint64_t end, unsigned need);
  int fault_from(uint64_t addr, uint64_t end, unsigned need);
  int clear(uint64_t start, uint64_t end);
  int fault_pages(uint64_t addr, uint64_t end, unsigned need, uint64_t forget_value, RuleId forget);
  int do_fault(uint64_t addr, unsigned need);
  int do_fault_decide(uint64_t addr, unsigned need);
  uint32_t handle_mm_fault(uint64_t addr, uint32_t flags);
  int wait_for_migration(uint64_t addr, uint64_t entry);
  unsigned pte_need(uint64_t in, uint64_t cpu_flags);
  unsigned need_of(uint64_t in, uint64_t cpu_flags, RuleId& rule) const;
  unsigned range_need(uint64_t addr, uint64_t end, uint64_t cpu_flags);

  // driver_pmd.cpp
  int pmd_entry(WordIndex word, uint64_t addr, uint64_t end);
  int pmd_decide(uint64_t pmd, uint64_t addr, uint64_t end);
  int handle_pmd(uint64_t pmd, uint64_t addr, uint64_t end);
  int handle_pmd_decide(uint64_t pmd, uint64_t addr, uint64_t end);
  int pmd_leaf_4_14(uint64_t pmd, uint64_t addr, uint64_t end);
  int bad_pmd(uint64_t pmd, uint64_t addr, uint64_t end);
  int ptes(uint64_t addr, uint64_t end);
  int ptes_4_14(uint64_t addr, uint64_t end);

  // driver_pte.cpp
  int pte_4_14(uint64_t pte, uint64_t at, uint64_t start, uint64_t end);
  int nonpresent_4_14(uint64_t pte, uint64_t at, uint64_t start, uint64_t end);
  int handle_pte(uint64_t pte, uint64_t addr, uint64_t end);
  int pte_decide(uint64_t pte, uint64_t in, uint64_t addr, uint64_t end);
  int nonpresent_pte(uint64_t pte, uint64_t in, uint64_t addr, uint64_t end);
  int present_pte(uint64_t pte, uint64_t in, uint64_t addr, uint64_t end);

  // small helpers
  bool since(RangeApi api) const { return api_ >= api; }
  bool old() const { return api_ == RangeApi::get_pfns_4_14; }
  uint64_t vma_flags() const { return vma_ ? vma_.flags() : 0; }
  WordIndex slot(uint64_t addr) const { return call_.pfns + static_cast<WordIndex>((addr - call_.start) >> shift_); }
  static uint32_t pages(uint64_t addr, uint64_t end) { return static_cast<uint32_t>((end - addr) >> page_bits); }
  void fill(uint64_t addr, uint64_t end, uint64_t value, uint64_t stride = 0) {
    if (addr < end) machine_.fill_keeping(slot(addr), static_cast<uint32_t>((end - addr) >> shift_), value, stride, 0);
  }
  void fill_pfns(uint64_t addr, uint64_t end, uint64_t pfn, uint64_t flags) {
    fill(addr, end, format_.from_pfn(pfn) | flags, 1ull << (format_.pfn_shift + shift_ - page_bits));
  }
  void set_last(uint64_t addr);
  uint64_t access_flags(bool writable) const { return writable ? format_.valid | format_.write : format_.valid; }
  bool protnone(uint64_t entry) const { return entry_.is_protnone(entry); }

  Machine& machine_;
  const RangeFaultCall& call_;
  const DriverRequest& request_;
  WalkHooks* const hooks_;
  AddressSpace& mm_;
  const EntryFormat& entry_;
  const RangeApi api_;
  const bool since_5_3_;        ///< an invalid range is -EBUSY, `block` counts, and so do NUMA hints
  const DriverFormat format_;
  const uint32_t shift_;        ///< of the bytes one slot stands for
  Vma vma_;
  uint64_t last_;
  bool stuck_ = false;
  CircleWatch circle_;
  RangeFaultResult result_;
};

}  // namespace hmmscope
