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

constexpr std::array rules{
    RuleId::scenario_touch,  RuleId::scenario_range,   RuleId::scenario_repeat, RuleId::scenario_collided,
    RuleId::scenario_commit, RuleId::scenario_drop,    RuleId::munmap_zap,      RuleId::dontneed_zap,
    RuleId::mprotect_ptes,   RuleId::driver_allocate,  RuleId::driver_map,      RuleId::dmirror_commit,
    RuleId::dmirror_read,    RuleId::dmirror_busy,     RuleId::dmirror_collided, RuleId::prepare_read_again,
};

template <class Id, size_t n>
constexpr auto flags_of(const std::array<Id, n>& list) {
  std::array<bool, static_cast<size_t>(Id::count_)> flags{};
  for (const Id id : list) flags[static_cast<size_t>(id)] = true;
  return flags;
}
constexpr auto function_flags = flags_of(functions);
constexpr auto rule_flags = flags_of(rules);

constexpr uint64_t mix(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15ull;
  return hash ^ (hash >> 29);
}

bool counts(RegionKind kind) {
  switch (kind) {
    case RegionKind::hmm_pfns:
    case RegionKind::migrate_src:
    case RegionKind::migrate_dst:
    case RegionKind::range:
    case RegionKind::notifier:
    case RegionKind::mm:
    case RegionKind::counters:
      return false;
    default:
      return true;
  }
}

}  // namespace

bool is_point(RuleId rule) { return rule_flags[static_cast<size_t>(rule)]; }
bool is_point(Function function) { return function_flags[static_cast<size_t>(function)]; }

uint64_t machine_key(const Machine& machine) {
  uint64_t hash = 1;
  for (const Region& region : machine.memory().regions()) {
    if (!counts(region.kind)) continue;
    // System pages are not handed out again: those that were tried and freed would make every state a new one.
    if (region.kind == RegionKind::folio && machine.load(word_of(region.first, FolioWord::refcount)) == 0) continue;
    for (uint32_t k = 0; k < region.count; ++k) {
      const uint64_t value = machine.load(region.first + k);
      if (value != 0) hash = mix(mix(hash, region.first + k), value);
    }
  }
  for (const auto& space : machine.address_spaces()) {
    const NotifierSubscriptions& notifiers = space->notifiers();
    hash = mix(hash, (notifiers.invalidate_seq() & 1) | notifiers.active_invalidate_ranges() << 1);
    for (const auto& notifier : notifiers.all()) {
      const bool inside = notifier->invalidate_seq() == notifiers.invalidate_seq();
      hash = mix(hash, (inside ? 2u : 0u) | (notifier->inserted() ? 1u : 0u));
    }
  }
  return hash;
}

}  // namespace hmmscope::schedule
