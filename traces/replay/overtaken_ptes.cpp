#include "traces/replay/overtaken_ptes.h"

#include <algorithm>

#include "engine/encoding/x86_bits.h"

namespace hmmscope::traces {
namespace {

/// A task has one invalidation under way; more of them than this are damage.
constexpr size_t max_zaps = 64;

}  // namespace

void OvertakenPtes::scan(uint32_t to) {
  for (; scanned_ < to; ++scanned_) {
    if (trace_.events().task(scanned_) == task_) continue;
    const EventKind kind = kinds_.at(trace_, scanned_);
    if (kind != EventKind::set_migration_pte && kind != EventKind::remove_migration_pte && kind != EventKind::mn_start &&
        kind != EventKind::mn_end)
      continue;
    const EventView event = trace_[scanned_];
    switch (kind) {
      case EventKind::set_migration_pte:
      case EventKind::remove_migration_pte:
        changes_.push_back({scanned_, event.number("addr").value_or(0), event.number("pte").value_or(0)});
        break;
      case EventKind::mn_start:
        if (zaps_.size() < max_zaps)
          zaps_.push_back({event.number("start").value_or(0), event.number("end").value_or(0), event.task()});
        break;
      case EventKind::mn_end:
        for (Zap& zap : zaps_)
          if (zap.task == event.task()) zap.over = std::min(zap.over, scanned_);
        break;
      default:
        break;
    }
  }
}

void OvertakenPtes::show(uint64_t addr, uint64_t end, uint32_t before, uint32_t after) {
  const auto over = [before](const Zap& zap) { return zap.over < before; };
  std::erase_if(zaps_, over);  // which makes room for more
  scan(after);
  std::erase_if(changes_, [before](const Change& change) { return change.event < before; });
  std::erase_if(zaps_, over);
  any_ = std::ranges::any_of(changes_, [&](const Change& c) { return c.addr >= addr && c.addr < end; }) ||
         std::ranges::any_of(zaps_, [&](const Zap& zap) { return zap.start < end && zap.end > addr; });
}

std::optional<uint64_t> OvertakenPtes::other(uint64_t addr, uint64_t shown,
                                             std::optional<uint64_t> pfn) const {
  const auto fits = [&](uint64_t pte) {
    return pfn ? x86::pte_present(pte) && x86::pte_pfn(pte) == *pfn : !x86::pte_present(pte);
  };
  if (fits(shown)) return std::nullopt;
  for (const Change& change : changes_)
    if (change.addr == addr && fits(change.pte)) return change.pte;
  const auto covers = [&](const Zap& zap) { return zap.start <= addr && addr < zap.end; };
  if (!pfn && std::ranges::any_of(zaps_, covers)) return 0;
  return std::nullopt;
}

}  // namespace hmmscope::traces
