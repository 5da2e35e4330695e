#include "engine/schedule/state.h"

#include <algorithm>
#include <optional>

#include "engine/schedule/mix.h"

namespace hmmscope::schedule {
namespace {

constexpr uint64_t invariant_page = 0x11, invariant_part = 0x12, allocators = 0x13;

bool is_table(RegionKind kind) { return kind <= RegionKind::pte; }
bool is_array(RegionKind kind) {
  return kind == RegionKind::hmm_pfns || kind == RegionKind::migrate_src || kind == RegionKind::migrate_dst;
}
bool is_page_data(const Region& region) { return region.kind == RegionKind::counters && region.name == "page data"; }
/// Arrays that a fault or a pin makes for its own migration: dead when the call returns.
bool is_short_lived(const Region& region) {
  return is_array(region.kind) && (region.name.starts_with("fault.") || region.name.starts_with("coherent."));
}

uint64_t identity(const Region& region) {
  const uint64_t hash = mix(mix(mix(1, static_cast<uint64_t>(region.kind)), region.owner), region.address);
  // Tables and folios are what their address says, under whatever name.
  return is_table(region.kind) || region.kind == RegionKind::folio ? hash : mix(hash, region.name);
}

/// Which page a table lies in decides nothing.
uint64_t comparable(const Region& region, uint64_t value) {
  const bool above_ptes = is_table(region.kind) && region.kind != RegionKind::pte;
  return above_ptes && points_to_table(value) ? value & ~x86::pfn.mask() : value;
}

bool counts(const Machine& machine, const Region& region) {
  switch (region.kind) {
    case RegionKind::range:
    case RegionKind::notifier:
    case RegionKind::mm:
      return false;
    case RegionKind::counters:
      return is_page_data(region);
    case RegionKind::folio:   // a freed page is as good as one that was never used
      return machine.load(word_of(region.first, FolioWord::refcount)) != 0;
    default:
      return !is_short_lived(region);
  }
}

bool is_free(const Machine& machine, uint64_t pfn) {
  const WordIndex folio = machine.physical().folio_of(pfn);
  return folio != no_word && machine.load(word_of(folio, FolioWord::refcount)) == 0;
}

uint64_t region_key(const Machine& machine, const Region& region) {
  uint64_t hash = 0;
  for (uint32_t k = 0; k < region.count; ++k) {
    const uint64_t value = comparable(region, machine.load(region.first + k));
    if (value == 0 || (is_page_data(region) && is_free(machine, region.address + k))) continue;
    if (hash == 0) hash = identity(region);
    hash = mix(mix(hash, k), value);
  }
  return hash;
}

/// What the word stands for; nothing when it decides nothing.
std::optional<uint64_t> object_of(const Region& region, uint32_t k) {
  switch (region.kind) {
    case RegionKind::mm:
      if (k != static_cast<uint32_t>(MmWord::invalidate_seq) && k != static_cast<uint32_t>(MmWord::flags) &&
          k != static_cast<uint32_t>(MmWord::active_invalidate_ranges)) {
        return std::nullopt;
      }
      return mix(identity(region), k);
    case RegionKind::range:
      return std::nullopt;
    case RegionKind::counters:
      if (is_page_data(region)) return mix(identity(region), k);
      return region.name.ends_with(" ATOMIC") ? std::optional(mix(identity(region), k)) : std::nullopt;
    default:
      if (is_short_lived(region)) return std::nullopt;
      return mix(identity(region), k);
  }
}

/// One side of the invariant changes at these addresses.
void add_invariant(const Region& region, uint32_t k, Segment& segment) {
  const uint64_t addr = region.address + k * region.stride;
  if (region.kind == RegionKind::pte || region.kind == RegionKind::device_table) {
    segment.writes.push_back(mix(invariant_page, addr));
    segment.reads.push_back(mix(invariant_part, addr >> 21));
  } else if (region.kind == RegionKind::pmd) {
    segment.writes.push_back(mix(invariant_part, addr >> 21));
  }
}

void tidy(std::vector<uint64_t>& objects) {
  std::sort(objects.begin(), objects.end());
  objects.erase(std::unique(objects.begin(), objects.end()), objects.end());
}

}  // namespace

uint64_t machine_key(const Machine& machine) {
  uint64_t key = 1;
  for (const Region& region : machine.memory().regions()) {
    if (counts(machine, region)) key += region_key(machine, region);   // in any order
  }
  for (const auto& space : machine.address_spaces()) {
    const NotifierSubscriptions& notifiers = space->notifiers();
    key = mix(key, (notifiers.invalidate_seq() & 1) | notifiers.active_invalidate_ranges() << 1);
    key = mix(key, space->unstable() ? 1 : 0);
    for (const auto& notifier : notifiers.all()) {
      const bool inside = notifier->invalidate_seq() == notifiers.invalidate_seq();
      key = mix(key, (inside ? 2u : 0u) | (notifier->inserted() ? 1u : 0u));
    }
  }
  return key;
}

void add_accesses(const Machine& machine, const AccessLog& log, Segment& segment) {
  const Memory& memory = machine.memory();
  const auto add = [&](const std::vector<WordIndex>& words, bool written) {
    for (const WordIndex word : words) {
      std::vector<uint64_t>& to = written ? segment.writes : segment.reads;
      if (word == system_allocator_word || word == device_allocator_word) {
        to.push_back(mix(allocators, word));
        continue;
      }
      const RegionId id = memory.region_of(word);
      if (id == no_region) continue;
      const Region& region = memory.region(id);
      const auto object = object_of(region, word - region.first);
      if (!object) continue;
      to.push_back(*object);
      if (written) add_invariant(region, word - region.first, segment);
    }
  };
  add(log.reads, false);
  add(log.writes, true);
  tidy(segment.reads);
  tidy(segment.writes);
}

}  // namespace hmmscope::schedule
