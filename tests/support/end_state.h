#pragma once
/// What must hold when a run has ended: locks are released, migration entries are gone, and the counters of every
/// folio are what the page tables say.

#include <map>
#include <memory>
#include <string>

#include "engine/encoding/swap_entry.h"
#include "engine/encoding/x86_bits.h"
#include "engine/machine/words.h"
#include "engine/recording/cursor.h"
#include "engine/scenario/run.h"

namespace hmmscope::scenario {

struct Seen {
  uint64_t mapped = 0, references = 0;
};

/// What the page tables say of every pfn.
inline std::map<uint64_t, Seen> look_at_tables(const Cursor& cursor, const KernelModel& model, uint64_t& migration_entries) {
  const SwapFormat format = model.swap_format();
  std::map<uint64_t, Seen> seen;
  for (const Region& region : cursor.recording().regions()) {
    if (region.kind != RegionKind::pte && region.kind != RegionKind::pmd) continue;
    for (uint32_t k = 0; k < region.count; ++k) {
      const uint64_t entry = cursor.load(region.first + k);
      const bool table = region.kind == RegionKind::pmd && x86::pmd_present(entry) && !x86::pmd_leaf(entry);
      if (x86::pte_none(entry) || table) continue;
      if (x86::pmd_present(entry)) {
        if (region.kind == RegionKind::pte && x86::pte_special(entry)) continue;
        Seen& page = seen[region.kind == RegionKind::pte ? x86::pte_pfn(entry) : x86::pmd_pfn(entry)];
        ++page.mapped;
        ++page.references;
        continue;
      }
      const SwapKind kind = format.kind(entry);
      if (is_migration(kind)) ++migration_entries;
      const bool exclusive = is_device_exclusive(kind);
      if (!is_device_private(kind) && !exclusive) continue;
      ++seen[format.pfn(entry)].references;
      if (!exclusive || model.exclusive_entries_are_mapped) ++seen[format.pfn(entry)].mapped;
    }
  }
  return seen;
}

/// What somebody outside the page tables holds of a folio.
struct Hold {
  uint64_t references = 0;
  bool locked = false;
};

/// The first thing that is wrong at the end of the run; empty when nothing is. `holds`: by pfn.
inline std::string complaint(const Outcome& outcome, const std::map<uint64_t, Hold>& holds = {}) {
  const auto recording = std::make_shared<const Recording>(outcome.recording);
  Cursor cursor(recording);
  cursor.seek(recording->steps());
  uint64_t migration_entries = 0;
  const auto seen = look_at_tables(cursor, outcome.model, migration_entries);
  if (migration_entries != 0) return "migration entries are left";
  std::map<uint64_t, bool> known;
  for (const Region& region : recording->regions()) {
    if (region.kind != RegionKind::folio) continue;
    const auto word = [&](FolioWord w) { return cursor.load(word_of(region.first, w)); };
    const uint64_t refcount = word(FolioWord::refcount), mapcount = word(FolioWord::mapcount), flags = word(FolioWord::flags);
    if (refcount == 0 && mapcount != 0) return region.name + " is mapped without references";
    if (refcount == 0) continue;
    const auto hold = holds.find(word(FolioWord::pfn));
    const bool may_be_locked = hold != holds.end() && hold->second.locked;
    if ((flags & folio_flag::locked) != 0 && !may_be_locked) return region.name + " is still locked";
    Seen total;
    if (hold != holds.end()) total.references += hold->second.references;
    const uint64_t pfn = word(FolioWord::pfn), end = pfn + (1ull << word(FolioWord::order));
    for (auto it = seen.lower_bound(pfn); it != seen.end() && it->first < end; ++it) {
      total.mapped += it->second.mapped;
      total.references += it->second.references;
      known[it->first] = true;
    }
    const bool cached = (flags & folio_flag::anon) == 0 && word(FolioWord::mapping) != 0;
    if (cached || (flags & folio_flag::swapcache) != 0) ++total.references;
    if (mapcount != total.mapped) return region.name + ": mapcount " + std::to_string(mapcount) + ", mapped " + std::to_string(total.mapped);
    if (refcount != total.references) return region.name + ": refcount " + std::to_string(refcount) + ", referred to " + std::to_string(total.references);
  }
  for (const auto& [pfn, page] : seen) {
    const bool zero = pfn >= 0x2000 && pfn < 0x10000;   // the zero pages have no counters
    if (!zero && !known[pfn]) return "pfn " + std::to_string(pfn) + " is mapped but has no live folio";
  }
  return {};
}

}  // namespace hmmscope::scenario
