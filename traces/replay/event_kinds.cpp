#include "traces/replay/event_kinds.h"

#include <fmt/format.h>

#include <array>
#include <utility>

namespace hmmscope::traces {
namespace {

using K = EventKind;

constexpr std::array rows = std::to_array<std::pair<std::string_view, EventKind>>({
    // hmm_range_fault: entry with the array as the caller left it, return with the array as the caller finds
    // it
    {"rf_in", K::rf_in},
    {"rf_in_b", K::rf_in_window},
    {"rf_in_c", K::rf_in_window},
    {"rf_in_1g", K::rf_in_window},
    {"rf_out", K::rf_out},
    {"rf_out_b", K::rf_out_window},
    {"rf_out_c", K::rf_out_window},
    {"rf_out_1g", K::rf_out_window},
    // its walk
    {"w_test", K::w_test},
    {"w_test_r", K::w_test_r},
    {"w_hole", K::w_hole},
    {"w_hole_r", K::w_hole_r},
    {"w_pud", K::w_pud},
    {"w_pud_r", K::w_pud_r},
    {"w_pmd", K::w_pmd},
    {"w_pmd_r", K::w_pmd_r},
    {"h_pmd", K::h_pmd},
    {"h_pmd_r", K::h_pmd_r},
    {"h_pte", K::h_pte},
    {"h_pte_r", K::h_pte_r},
    {"w_htlb", K::w_htlb},
    {"w_htlb_r", K::w_htlb_r},
    {"fault", K::fault},
    {"fault_r", K::fault_r},
    {"need_range", K::need_range},
    {"need_range_r", K::need_range_r},
    {"ptes", K::ptes},
    // the walk of a range that prepares pages for migration
    {"prep", K::prep},
    {"prep_r", K::prep_r},
    {"prep_pte", K::prep_pte},
    {"split", K::split},
    {"split_r", K::split_r},
    {"split_folio_r", K::split_folio_r},
    {"mew", K::migration_wait},
    // CPU faults, also those made on behalf of hmm_range_fault
    {"mmf", K::mmf},
    {"mmf_r", K::mmf_r},
    // notifiers
    {"mn_start", K::mn_start},
    {"mn_end", K::mn_end},
    {"mni_rb", K::mni_rb},
    {"mni_rb_r", K::mni_rb_r},
    {"mni_insert", K::mni_insert},
    {"mni_remove", K::mni_remove},
    {"dm_inv", K::callback},
    {"dm_inv_r", K::callback_r},
    {"dm_snapinv", K::callback},
    {"dm_snapinv_r", K::callback_r},
    {"hc_inv", K::callback},
    {"hc_inv_r", K::callback_r},
    // migration; the names ending in 1 are the one-page arrays of migrations inside CPU faults
    {"mv_setup_in", K::mv_setup_in},
    {"mv_setup_in1", K::mv_setup_in},
    {"mv_setup_out", K::mv_setup_out},
    {"mv_setup_out1", K::mv_setup_out},
    {"mv_pages_in", K::mv_pages_in},
    {"mv_pages_in1", K::mv_pages_in},
    {"mv_pages_out", K::mv_pages_out},
    {"mv_pages_out1", K::mv_pages_out},
    {"mv_fin_in", K::mv_fin_in},
    {"mv_fin_in1", K::mv_fin_in},
    {"mv_fin_out", K::mv_fin_out},
    {"mv_fin_out1", K::mv_fin_out},
    {"mv_cpmd", K::mv_cpmd},
    {"mv_cpmd_r", K::mv_cpmd_r},
    {"mv_chole", K::mv_chole},
    {"m_setup_in", K::hmm_setup_in},
    {"m_setup_out", K::hmm_setup_out},
    {"set_migration_pte", K::set_migration_pte},
    {"remove_migration_pte", K::remove_migration_pte},
    {"excl_in", K::exclusive_in},
    {"excl_out", K::exclusive_out},
    // drivers, system calls, tasks
    {"dm_ioctl", K::driver_ioctl},
    {"dm_ioctl_r", K::driver_ioctl_r},
    {"hc_ioctl", K::driver_ioctl},
    {"hc_ioctl_r", K::driver_ioctl_r},
    {"sys_enter_mmap", K::enter_mmap},
    {"sys_exit_mmap", K::exit_mmap},
    {"sys_enter_munmap", K::enter_munmap},
    {"sys_exit_munmap", K::exit_munmap},
    {"sys_enter_mprotect", K::enter_mprotect},
    {"sys_exit_mprotect", K::exit_mprotect},
    {"sys_enter_madvise", K::enter_madvise},
    {"sys_exit_madvise", K::exit_madvise},
    {"sys_enter_mremap", K::enter_mremap},
    {"sys_exit_mremap", K::exit_mremap},
    {"sys_enter_clone", K::enter_clone},
    {"sys_exit_clone", K::exit_clone},
    {"sys_enter_ioctl", K::enter_ioctl},
    {"sys_exit_ioctl", K::exit_ioctl},
    {"task_newtask", K::task_new},
    {"sched_process_fork", K::task_fork},
    {"sched_process_exec", K::task_exec},
    {"sched_process_exit", K::task_exit},
    {"print", K::marker},
    {"tracing_mark_write", K::marker},
    {"lost_events", K::lost_events},
});

}  // namespace

EventKind event_kind(std::string_view name) {
  for (const auto& [known, kind] : rows)
    if (known == name) return kind;
  return EventKind::other;
}

EventKinds::EventKinds(const Trace& trace)
    : present_(static_cast<size_t>(EventKind::count_), false), own_migration_(trace.kind("dm_inv")) {
  kinds_.reserve(trace.kinds().size());
  for (const std::string& name : trace.kinds()) {
    kinds_.push_back(event_kind(name));
    present_[static_cast<size_t>(kinds_.back())] = true;
  }
}

std::string damaged_array(const EventView& event, std::string_view field) {
  return fmt::format("the array {} in line {} is damaged (cut short, or with something that is no number)", field,
                     event.line());
}

}  // namespace hmmscope::traces
