// Where tasks may be interleaved. A function is listed when the engine has read nothing yet that it goes on to use; a
// rule when what was read before it belongs to the task alone. Rules inside page-table locks are not listed.

#include <array>

#include "engine/schedule/scheduler.h"

namespace hmmscope::schedule {
namespace {

constexpr std::array functions{
    Function::hmm_range_fault,  Function::walk_page_range,     Function::hmm_vma_walk_pmd,
    Function::hmm_vma_fault,    Function::hmm_do_fault,        Function::handle_mm_fault,
    Function::migrate_to_ram,   Function::mmu_interval_read_begin, Function::mmu_interval_read_retry,
    Function::invalidate_callback, Function::mmu_notifier_invalidate_range_start,
    Function::mmu_notifier_invalidate_range_end, Function::migrate_vma_setup, Function::migrate_vma_collect_pmd,
    Function::migrate_device_unmap, Function::migrate_vma_pages, Function::migrate_vma_finalize,
    Function::migrate_device_range, Function::migrate_device_pages, Function::migrate_device_finalize,
    Function::make_device_exclusive_range, Function::remove_device_exclusive_entry,
};

constexpr std::array points{
    RuleId::scenario_touch,  RuleId::scenario_range,   RuleId::scenario_repeat, RuleId::scenario_collided,
    RuleId::scenario_commit, RuleId::scenario_drop,    RuleId::munmap_zap,      RuleId::dontneed_zap,
    RuleId::mprotect_ptes,   RuleId::driver_allocate,  RuleId::driver_map,      RuleId::dmirror_commit,
    RuleId::driver_compound, RuleId::driver_map_compound,
    RuleId::dmirror_read,    RuleId::dmirror_busy,     RuleId::dmirror_collided, RuleId::driver_mirror_page,
    RuleId::driver_mirror_placeholder,
};

template <class Id, size_t n>
constexpr auto flags_of(const std::array<Id, n>& list) {
  std::array<bool, static_cast<size_t>(Id::count_)> flags{};
  for (const Id id : list) flags[static_cast<size_t>(id)] = true;
  return flags;
}
constexpr auto function_flags = flags_of(functions);
constexpr auto rule_flags = flags_of(points);

}  // namespace

bool is_point(RuleId rule) { return rule_flags[static_cast<size_t>(rule)]; }
bool is_point(Function function) { return function_flags[static_cast<size_t>(function)]; }

uint32_t sequence_operands(RuleId id) {
  static const auto masks = [] {
    std::array<uint32_t, static_cast<size_t>(RuleId::count_)> all{};
    for (const Rule& r : hmmscope::rules()) {
      for (uint32_t k = 0; k < r.operand_count(); ++k) {
        if (r.operand_name(k).find("seq") != std::string_view::npos) all[static_cast<size_t>(r.rule)] |= 1u << k;
      }
    }
    return all;
  }();
  return masks[static_cast<size_t>(id)];
}

}  // namespace hmmscope::schedule
