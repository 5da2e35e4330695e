#pragma once
/// What must hold when a run has ended: locks are released, migration entries are gone, and the counters of every
/// folio are what the page tables say.

#include <algorithm>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/encoding/swap_entry.h"
#include "engine/encoding/x86_bits.h"
#include "engine/machine/entry_format.h"
#include "engine/machine/folio.h"
#include "engine/machine/words.h"
#include "engine/recording/cursor.h"
#include "engine/scenario/run.h"

namespace hmmscope::scenario {

struct Seen {
  uint64_t mapped = 0, references = 0;
};

/// What the page tables of all processes say.
struct Tables {
  std::map<uint64_t, Seen> pages;   ///< by pfn; of a huge entry the first
  uint64_t migration_entries = 0;
};

/// The zero pages: of 4 KiB, and the first of the huge one's. They have no counters.
struct ZeroPages {
  uint64_t small = 0, huge = 0;

  bool has(uint64_t pfn) const { return pfn == small || pfn == huge; }
  /// Every machine has them at the same place, unless a scenario says otherwise ("zero_pfn").
  static const ZeroPages& usual(const KernelModel& model) {
    static const ZeroPages pages = [&] {
      const auto machine = Machine::create(model);
      return machine ? ZeroPages{(*machine)->physical().zero_pfn(), (*machine)->physical().huge_zero_pfn()} : ZeroPages{};
    }();
    return pages;
  }
};

inline std::optional<Level> level_of(const Region& region) {
  switch (region.kind) {
    case RegionKind::pte: return Level::pte;
    case RegionKind::pmd: return Level::pmd;
    case RegionKind::pud: return Level::pud;
    case RegionKind::hugetlb: return region.stride == level_size(Level::pud) ? Level::pud : Level::pmd;
    default: return std::nullopt;
  }
}

inline uint64_t pfn_at_level(Level level, uint64_t entry) {
  return level == Level::pte ? x86::pte_pfn(entry) : level == Level::pmd ? x86::pmd_pfn(entry) : x86::pud_pfn(entry);
}

inline Tables look_at_tables(const Cursor& cursor, const KernelModel& model) {
  const SwapFormat format = model.swap_format();
  Tables tables;
  for (const Region& region : cursor.recording().regions()) {
    const std::optional<Level> level = level_of(region);
    if (!level) continue;
    for (uint32_t k = 0; k < region.count; ++k) {
      const uint64_t entry = cursor.load(region.first + k);
      const bool upper = *level != Level::pte && region.kind != RegionKind::hugetlb;
      if (x86::pte_none(entry) || (upper && x86::pmd_present(entry) && !x86::pmd_leaf(entry))) continue;
      if (x86::pmd_present(entry)) {
        if (*level == Level::pte && x86::pte_special(entry)) continue;
        Seen& page = tables.pages[pfn_at_level(*level, entry)];
        ++page.mapped;
        ++page.references;
        continue;
      }
      const SwapKind kind = format.kind(entry);
      if (is_migration(kind)) ++tables.migration_entries;
      const bool exclusive = is_device_exclusive(kind);
      if (!is_device_private(kind) && !exclusive) continue;
      ++tables.pages[format.pfn(entry)].references;
      if (!exclusive || model.exclusive_entries_are_mapped) ++tables.pages[format.pfn(entry)].mapped;
    }
  }
  return tables;
}

/// What somebody outside the page tables holds of a folio.
struct Hold {
  uint64_t references = 0;
  bool locked = false;
  uint64_t pins = 0;       ///< FOLL_PIN of a large folio; a small one's are references
  bool isolated = false;   ///< off the LRU
};

/// What operations and injected failures still hold when the run has ended, by the first pfn of the folio.
inline std::map<uint64_t, Hold> holds_of(const Recording& recording) {
  std::map<uint64_t, Hold> holds;
  const auto change = [&](uint64_t pfn, HoldOp::What what, bool release) {
    Hold& hold = holds[pfn];
    const uint64_t one = release ? ~0ull : 1;   // adding it takes one away
    if (what == HoldOp::What::pin) {
      hold.pins += one;
      return;
    }
    hold.references += one;
    if (what == HoldOp::What::lock) hold.locked = !release;
    if (what == HoldOp::What::isolate) hold.isolated = !release;
  };
  for (StepIndex step = 0; step < recording.steps(); ++step) {
    const auto operands = recording.operands(step);
    switch (recording.rule_of(step)) {
      case RuleId::scenario_hold: change(operands[1], static_cast<HoldOp::What>(operands[2]), false); break;
      case RuleId::scenario_release: change(operands[1], static_cast<HoldOp::What>(operands[2]), true); break;
      case RuleId::inject_pin: change(operands[3], HoldOp::What::pin, false); break;
      case RuleId::inject_folio_lock: change(operands[3], HoldOp::What::lock, false); break;
      case RuleId::inject_reference:
      case RuleId::inject_poison: change(operands[3], HoldOp::What::get, false); break;
      default: break;
    }
  }
  return holds;
}

/// The first thing that is wrong with a folio that somebody uses; empty when nothing is.
inline std::string folio_complaint(const Cursor& cursor, const Region& region, const Tables& tables, const Hold& hold) {
  const auto word = [&](FolioWord w) { return cursor.load(word_of(region.first, w)); };
  const uint64_t refcount = word(FolioWord::refcount), mapcount = word(FolioWord::mapcount), flags = word(FolioWord::flags);
  const auto has = [&](uint64_t flag) { return (flags & flag) != 0; };
  if (has(folio_flag::locked) && !hold.locked) return region.name + " is still locked";
  const bool large = word(FolioWord::order) != 0;
  Seen total{0, hold.references + hold.pins * (large ? 1 : Folio::pin_bias)};
  uint64_t most_mapped = 0;
  const uint64_t pfn = word(FolioWord::pfn), end = pfn + (1ull << word(FolioWord::order));
  for (auto it = tables.pages.lower_bound(pfn); it != tables.pages.end() && it->first < end; ++it) {
    total.mapped += it->second.mapped;
    total.references += it->second.references;
    most_mapped = std::max(most_mapped, it->second.mapped);
  }
  const bool cached = !has(folio_flag::anon) && word(FolioWord::mapping) != 0;
  total.references += (cached || has(folio_flag::swapcache) ? 1u : 0u) + (has(folio_flag::lru_batch) ? 1u : 0u);
  const auto differ = [&](const char* what, uint64_t found, const char* where, uint64_t expected) {
    return region.name + ": " + what + " " + std::to_string(found) + ", " + where + " " + std::to_string(expected);
  };
  if (mapcount != total.mapped) return differ("mapcount", mapcount, "mapped", total.mapped);
  if (refcount != total.references) return differ("refcount", refcount, "referred to", total.references);
  const uint64_t pins = large ? hold.pins : 0;
  if (word(FolioWord::pincount) != pins) return differ("pincount", word(FolioWord::pincount), "pinned", pins);
  if (has(folio_flag::anon_exclusive) && most_mapped > 1) return differ("is AnonExclusive and mapped", most_mapped, "should be", 1);
  constexpr uint64_t never_on_lru = folio_flag::device_private | folio_flag::device_coherent | folio_flag::device_other |
                                    folio_flag::hugetlb | folio_flag::hwpoison | folio_flag::lru_batch;
  if (mapcount != 0 && !has(never_on_lru | folio_flag::lru) && !hold.isolated) return region.name + " is mapped and not on the LRU";
  if (has(folio_flag::lru) && has(never_on_lru & ~folio_flag::hwpoison)) return region.name + " is on the LRU, where it cannot be";
  return {};
}

/// What the page tables of a process make its rss, in pages.
struct Rss {
  uint64_t anon = 0, file = 0, swap = 0;
};

/// By process. Hugetlb pages are not counted here, nor what has no folio (the zero pages, special entries).
inline std::map<uint32_t, Rss> rss_of_tables(const Cursor& cursor, const KernelModel& model) {
  const SwapFormat format = model.swap_format();
  std::map<uint64_t, std::pair<uint64_t, uint64_t>> folios;   // first pfn -> one past the last, flags
  for (const Region& region : cursor.recording().regions()) {
    if (region.kind != RegionKind::folio) continue;
    const auto word = [&](FolioWord w) { return cursor.load(word_of(region.first, w)); };
    if (word(FolioWord::refcount) == 0) continue;
    folios[word(FolioWord::pfn)] = {word(FolioWord::pfn) + (1ull << word(FolioWord::order)), word(FolioWord::flags)};
  }
  struct Span {
    uint32_t owner;
    uint64_t start, end;
  };
  std::vector<Span> hugetlb;
  for (const Region& region : cursor.recording().regions()) {
    if (region.kind != RegionKind::vma) continue;
    const auto word = [&](VmaWord w) { return cursor.load(word_of(region.first, w)); };
    if ((word(VmaWord::flags) & vm::hugetlb) != 0) hugetlb.push_back({region.owner, word(VmaWord::start), word(VmaWord::end)});
  }
  const auto in_hugetlb = [&](const Region& region, uint64_t addr) {
    return std::any_of(hugetlb.begin(), hugetlb.end(),
                       [&](const Span& span) { return span.owner == region.owner && addr >= span.start && addr < span.end; });
  };
  std::map<uint32_t, Rss> all;
  for (const Region& region : cursor.recording().regions()) {
    const std::optional<Level> level = level_of(region);
    if (!level) continue;
    for (uint32_t k = 0; k < region.count; ++k) {
      const uint64_t entry = cursor.load(region.first + k), pages = 1ull << level_order(*level);
      if (x86::pte_none(entry) || in_hugetlb(region, region.address + k * region.stride)) continue;
      const bool present = x86::pmd_present(entry);
      if (present && *level != Level::pte && !x86::pmd_leaf(entry)) continue;
      const SwapKind kind = present ? SwapKind::pte_marker : format.kind(entry);
      if (!present && kind == SwapKind::swap) all[region.owner].swap += pages;
      if (!present && !is_migration(kind) && !is_device_private(kind) && !is_device_exclusive(kind)) continue;
      if (present && *level == Level::pte && x86::pte_special(entry)) continue;
      const uint64_t pfn = present ? pfn_at_level(*level, entry) : format.pfn(entry);
      const auto after = folios.upper_bound(pfn);
      if (after == folios.begin() || std::prev(after)->second.first <= pfn) continue;
      const uint64_t flags = std::prev(after)->second.second;
      ((flags & folio_flag::anon) != 0 ? all[region.owner].anon : all[region.owner].file) += pages;
    }
  }
  return all;
}

/// The first process whose rss is not what its page tables say; empty when there is none.
inline std::string rss_complaint(const Cursor& cursor, const KernelModel& model) {
  std::map<uint32_t, Rss> tables = rss_of_tables(cursor, model);
  for (const Region& region : cursor.recording().regions()) {
    if (region.kind != RegionKind::mm || region.name == "outside") continue;   // nobody's process: a stand-in for others
    const Rss& mapped = tables[region.owner];
    const std::pair<MmWord, uint64_t> counters[] = {
        {MmWord::rss_anon, mapped.anon}, {MmWord::rss_file, mapped.file}, {MmWord::rss_swap, mapped.swap}};
    for (const auto& [counter, pages] : counters) {
      const uint64_t counted = cursor.load(word_of(region.first, counter));
      if (counted != pages)
        return region.name + ": " + std::string(word_names(RegionKind::mm)[static_cast<size_t>(counter)]) + " " +
               std::to_string(counted) + ", the tables say " + std::to_string(pages);
    }
  }
  return {};
}

/// The first thing that is wrong at the end of the run; empty when nothing is. `holds`: by pfn.
inline std::string complaint(const Outcome& outcome, const std::map<uint64_t, Hold>& holds = {}) {
  const auto recording = std::make_shared<const Recording>(outcome.recording);
  Cursor cursor(recording);
  cursor.seek(recording->steps());
  const Tables tables = look_at_tables(cursor, outcome.model);
  if (tables.migration_entries != 0) return "migration entries are left";
  std::map<uint64_t, uint64_t> live;   // first pfn -> one past the last
  for (const Region& region : recording->regions()) {
    if (region.kind != RegionKind::folio) continue;
    const auto word = [&](FolioWord w) { return cursor.load(word_of(region.first, w)); };
    if (word(FolioWord::refcount) == 0) {
      if (word(FolioWord::mapcount) != 0) return region.name + " is mapped without references";
      if ((word(FolioWord::flags) & folio_flag::locked) != 0) return region.name + " is free and locked";
      continue;
    }
    live[word(FolioWord::pfn)] = word(FolioWord::pfn) + (1ull << word(FolioWord::order));
    const auto hold = holds.find(word(FolioWord::pfn));
    const std::string wrong = folio_complaint(cursor, region, tables, hold == holds.end() ? Hold{} : hold->second);
    if (!wrong.empty()) return wrong;
  }
  for (const auto& [pfn, page] : tables.pages) {
    const auto after = live.upper_bound(pfn);
    const bool known = after != live.begin() && std::prev(after)->second > pfn;
    if (!known && !ZeroPages::usual(outcome.model).has(pfn)) return "pfn " + std::to_string(pfn) + " is mapped but has no live folio";
  }
  return rss_complaint(cursor, outcome.model);
}

}  // namespace hmmscope::scenario
