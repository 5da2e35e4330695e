#include "engine/scenario/end_check.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/machine/folio.h"

namespace hmmscope::scenario {
namespace {

constexpr size_t enough = 5;

bool migration_runs(World& world) {
  return std::any_of(world.migrations().begin(), world.migrations().end(), [](const auto& known) { return known.second.set_up || known.second.walked; });
}

std::string_view locker_name(FolioLocker locker) {
  switch (locker) {
    case FolioLocker::migration: return "a migration";
    case FolioLocker::fault: return "a fault";
    case FolioLocker::driver: return "a driver";
    case FolioLocker::reclaim: return "reclaim";
    case FolioLocker::nobody: case FolioLocker::other: break;
  }
  return {};
}

std::string entry_left(const Machine& machine, const Region& region, uint32_t index, uint64_t entry) {
  return fmt::format("{}: a migration entry at {:#x} for pfn {:#x}", left_behind_name, region.address + index * region.stride,
                     machine.entry_format().swap.pfn(entry));
}

}  // namespace

std::vector<std::string> left_behind(World& world) {
  std::vector<std::string> left;
  if (migration_runs(world)) return left;
  const Machine& machine = world.machine();
  const EntryFormat& format = machine.entry_format();
  for (const Region& region : machine.memory().regions()) {
    if (left.size() >= enough) break;
    if (region.kind == RegionKind::folio) {
      const auto word = [&](FolioWord w) { return machine.load(word_of(region.first, w)); };
      if (word(FolioWord::refcount) == 0 || (word(FolioWord::flags) & folio_flag::locked) == 0) continue;
      const std::string_view locker = locker_name(static_cast<FolioLocker>(word(FolioWord::lock_owner)));
      if (!locker.empty()) left.push_back(fmt::format("{}: {} is still locked by {}", left_behind_name, region.name, locker));
      continue;
    }
    const bool holds_entries = region.kind == RegionKind::pte || region.kind == RegionKind::pmd || region.kind == RegionKind::pud;
    if (!holds_entries || world.declares_migration_entries()) continue;
    for (uint32_t k = 0; k < region.count && left.size() < enough; ++k) {
      const uint64_t entry = machine.load(region.first + k);
      if (x86::pte_none(entry) || x86::pmd_present(entry) || !is_migration(format.swap.kind(entry))) continue;
      left.push_back(entry_left(machine, region, k, entry));
    }
  }
  return left;
}

}  // namespace hmmscope::scenario
