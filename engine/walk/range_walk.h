#pragma once
/// The walk behind hmm_range_fault (the kernel's struct hmm_vma_walk and its callbacks). Internal to engine/walk;
/// callers use range_fault.h. One object serves one call.

#include <cstdint>
#include <optional>

#include "engine/machine/address_space.h"
#include "engine/machine/machine.h"
#include "engine/machine/spin_guard.h"
#include "engine/unified/migrate_prepare.h"
#include "engine/walk/circle_watch.h"
#include "engine/walk/hooks.h"
#include "engine/walk/pte_block.h"
#include "engine/walk/range_fault.h"

namespace hmmscope {

/// hmm_pte_need_fault and hmm_range_need_fault answer with these (the kernel's HMM_NEED_*).
inline constexpr unsigned need_fault_bit = 1, need_write_bit = 2;

class RangeWalk {
 public:
  RangeWalk(Machine& machine, const RangeFaultCall& call, WalkHooks* hooks, PtePath path);

  RangeFaultResult run();

 private:
  enum class Action : uint8_t { subtree, continue_ };
  struct Need {
    unsigned mask;
    RuleId rule;
  };

  // range_fault.cpp: the outer loop and the fault step
  bool sequence_moved();
  int fault_outside();                                            ///< 7.2+: after the walk
  int need_pages(uint64_t addr, uint64_t end, unsigned need);     ///< what callbacks do when a fault is required
  int fault_pages(Function function, uint64_t addr, uint64_t end, unsigned need);
  int fault_each(uint64_t addr, uint64_t end, unsigned need);
  uint64_t skip_faults(uint64_t addr, uint64_t end);
  uint32_t handle_mm_fault(uint64_t addr, uint32_t flags);
  int wait_for_migration(uint64_t addr, uint64_t entry);

  // page_walk.cpp: mm/pagewalk.c
  int walk_page_range(uint64_t start, uint64_t end);
  int walk_parts(uint64_t start, uint64_t end);
  int walk_vma_part(uint64_t addr, uint64_t end);
  int walk_hugetlb_range(uint64_t addr, uint64_t end);
  int walk_upper_range(Level level, uint64_t addr, uint64_t end);
  int walk_pud_range(uint64_t addr, uint64_t end);
  int walk_pud(uint64_t addr, uint64_t next);
  int walk_pmd_range(uint64_t addr, uint64_t end);

  // callbacks.cpp: test_walk, hole, pud, hugetlb
  int test_walk(uint64_t start, uint64_t end);
  int test_walk_decide(uint64_t start, uint64_t end);
  int hole(uint64_t addr, uint64_t end, int depth);
  int hole_decide(uint64_t addr, uint64_t end);
  int pud_entry(WordIndex word, uint64_t addr, uint64_t end, Action& action);
  int pud_decide(WordIndex word, uint64_t addr, uint64_t end, Action& action);
  int hugetlb_entry(WordIndex word, uint64_t addr, uint64_t end);
  int hugetlb_decide(WordIndex word, uint64_t addr, uint64_t end);

  // pmd_callback.cpp
  int pmd_entry(WordIndex word, uint64_t addr, uint64_t end);
  std::optional<int> pmd_decide(WordIndex word, uint64_t addr, uint64_t end);
  int absent_pmd(uint64_t pmd, uint64_t addr, uint64_t end);
  int absent_pmd_decide(uint64_t pmd, uint64_t addr, uint64_t end);
  int not_present_pmd(uint64_t pmd, uint64_t addr, uint64_t end, unsigned need);
  int handle_pmd(uint64_t pmd, uint64_t addr, uint64_t end);
  int pte_table(uint64_t addr, uint64_t end);
  int visit_ptes(uint64_t addr, uint64_t end);
  int prepare_huge(WordIndex word, uint64_t addr, uint64_t end);
  int prepare_visited(WordIndex word, uint64_t pmd, uint64_t addr, uint64_t end);
  void let_go_of_pte();

  // pte_callback.cpp
  int handle_pte(WordIndex word, WordIndex slot, uint64_t addr, uint64_t end);
  int pte_decide(uint64_t pte, WordIndex slot, uint64_t addr, uint64_t end);
  int nonpresent_pte(uint64_t pte, WordIndex slot, uint64_t addr, uint64_t end);
  int present_pte(uint64_t pte, WordIndex slot, uint64_t addr, uint64_t end);
  bool like_none(uint64_t pte) const;       ///< a marker that counts as an empty pte
  bool no_normal_page(uint64_t pte) const;  ///< pte rule 10

  // need_fault.cpp
  Need need_of(uint64_t in, uint64_t cpu_flags) const;
  unsigned pte_need_fault(uint64_t in, uint64_t cpu_flags);
  unsigned range_need_fault(uint64_t addr, uint64_t end, uint64_t cpu_flags);

  // small helpers
  WordIndex slot(uint64_t addr) const { return call_.pfns + static_cast<WordIndex>((addr - call_.start) >> page_bits); }
  static uint32_t pages(uint64_t addr, uint64_t end) { return static_cast<uint32_t>((end - addr) >> page_bits); }
  /// Into the open step: slots of [addr, end) become value (sticky bits kept).
  void fill(uint64_t addr, uint64_t end, uint64_t value) {
    if (prepare_) value = prepare_->fill_value(addr, end, value);
    machine_.fill_keeping(slot(addr), pages(addr, end), value, 0, pfn_.sticky);
    if (prepare_) prepare_->filled(slot(addr), addr, end, value);
  }
  void fill_pfns(uint64_t addr, uint64_t end, uint64_t pfn, uint64_t cpu_flags) {
    machine_.fill_keeping(slot(addr), pages(addr, end), pfn_.pfn(pfn) | cpu_flags, pfn_.pfn_stride(), pfn_.sticky);
  }
  void set_slot(WordIndex word, uint64_t value) {
    machine_.store(word, (machine_.load(word) & pfn_.sticky) | value);
  }
  void set_last(uint64_t addr) {
    last_ = reached_ = addr;
    if (call_.range != no_word) machine_.store(word_of(call_.range, RangeWord::last), addr);
  }
  bool owned(uint64_t pfn) const {
    return machine_.physical().owner_of(pfn) == std::optional<uint64_t>(call_.dev_private_owner);
  }
  /// VALID, and WRITE when the entry allows it.
  uint64_t access_flags(bool writable) const { return writable ? pfn_.valid | pfn_.write : pfn_.valid; }

  void enter(Function function, uint64_t addr, uint64_t end, uint64_t detail = 0) {
    machine_.enter(function, {addr, end});
    if (hooks_ != nullptr) hooks_->entered(function, addr, end, detail);
  }
  void enter_with(Function function, uint64_t addr, uint64_t end, uint64_t detail) {
    machine_.enter(function, {addr, end, detail});
    if (hooks_ != nullptr) hooks_->entered(function, addr, end, detail);
  }
  int leave(Function function, uint64_t addr, int ret) {
    if (hooks_ != nullptr) hooks_->left(function, addr, ret);
    machine_.leave(ret);
    return ret;
  }

  Machine& machine_;
  const RangeFaultCall& call_;
  WalkHooks* hooks_;
  CircleWatch circle_;
  AddressSpace& mm_;
  const KernelModel& model_;
  const PfnFormat& pfn_;
  const EntryFormat& entry_;
  PteBlock block_;
  bool use_block_;
  bool can_ask_;                ///< some request is possible: (default_flags | mask) has REQ_FAULT

  Vma vma_;                     ///< the VMA of the part being walked; empty in gaps
  uint64_t last_;
  uint64_t reached_;            ///< `last` as 5.7 keeps it
  uint64_t pending_end_ = 0;    ///< 7.2+: what the callbacks asked for
  unsigned pending_need_ = 0;
  RangeFaultResult result_;
  SpinGuard* ptl_ = nullptr;    ///< of the pte being looked at; faults and waits must not hold it
  std::optional<MigratePrepare> prepare_;   ///< kernels with the unified fault-and-migrate patches only
};

}  // namespace hmmscope
