#pragma once
/// The events replay understands, as an enumeration: names are compared once a trace, not once an event.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "traces/reader/trace.h"

namespace hmmscope::traces {

/// What an invalidation is for, enum mmu_notifier_event (include/linux/mmu_notifier.h, 6.1 and 6.12).
namespace mmu_notify {
inline constexpr uint64_t clear = 1, migrate = 6;
}

/// Named as the events of the capture scripts; see the row table in event_kinds.cpp for what each shows.
enum class EventKind : uint8_t {
  other,
  rf_in,
  rf_in_window,
  rf_out,
  rf_out_window,
  w_test,
  w_test_r,
  w_hole,
  w_hole_r,
  w_pud,
  w_pud_r,
  w_pmd,
  w_pmd_r,
  h_pmd,
  h_pmd_r,
  h_pte,
  h_pte_r,
  w_htlb,
  w_htlb_r,
  fault,
  fault_r,
  need_range,
  need_range_r,
  prep,
  prep_r,
  prep_pte,
  split,
  split_r,  ///< hmm_vma_handle_migrate_prepare and hmm_vma_walk_split of the unified patches
  ptes,
  split_folio_r,
  migration_wait,  ///< migration_entry_wait, of whoever waits
  mmf,
  mmf_r,
  mn_start,
  mn_end,
  mni_rb,
  mni_rb_r,
  mni_insert,
  mni_remove,
  callback,
  callback_r,  ///< the driver's interval callback: dm_inv, dm_snapinv, hc_inv
  mv_setup_in,
  mv_setup_out,
  mv_pages_in,
  mv_pages_out,
  mv_fin_in,
  mv_fin_out,
  mv_cpmd,
  mv_cpmd_r,
  mv_chole,
  hmm_setup_in,
  hmm_setup_out,  ///< migrate_hmm_range_setup of the unified fault-and-migrate patches
  set_migration_pte,
  remove_migration_pte,
  exclusive_in,
  exclusive_out,
  driver_ioctl,
  driver_ioctl_r,
  enter_mmap,
  exit_mmap,
  enter_munmap,
  exit_munmap,
  enter_mprotect,
  exit_mprotect,
  enter_madvise,
  exit_madvise,
  enter_mremap,
  exit_mremap,
  enter_clone,
  exit_clone,
  enter_ioctl,
  exit_ioctl,
  task_new,   ///< task_newtask: with which flags the child is made that a task_fork follows
  task_fork,
  task_exec,
  task_exit,
  marker,
  lost_events,  ///< a mark that the ring buffer overwrote events
  count_
};

/// What a kind is named in the trace, and which driver's callback it is.
class EventKinds {
 public:
  explicit EventKinds(const Trace& trace);

  EventKind of(KindId kind) const { return kind < kinds_.size() ? kinds_[kind] : EventKind::other; }
  EventKind of(const EventView& event) const { return of(event.kind()); }
  EventKind at(const Trace& trace, size_t index) const { return of(trace.events().kind(index)); }
  /// The trace holds at least one event of this kind.
  bool has(EventKind kind) const { return present_[static_cast<size_t>(kind)]; }
  /// The interval callback of test_hmm that skips the migrations of its own device.
  bool skips_own_migration(KindId kind) const { return kind == own_migration_; }

 private:
  std::vector<EventKind> kinds_;
  std::vector<bool> present_;
  KindId own_migration_ = no_kind;
};

EventKind event_kind(std::string_view name);

/// "the array pfns in line 12 is damaged": why a call with such an array is unknown.
std::string damaged_array(const EventView& event, std::string_view field);

/// An event that tells of the walk of one hmm_range_fault call (entries and returns of its callbacks).
constexpr bool is_walk_event(EventKind kind) { return kind >= EventKind::w_test && kind <= EventKind::ptes; }

}  // namespace hmmscope::traces
