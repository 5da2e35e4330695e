// split_folio() of a 2M anonymous folio (mm/huge_memory.c). The kernel turns every mapping into migration
// entries and back while it splits; what that leaves in the ptes is what splitting the mapping leaves, so
// only the split and the announcements (CLEAR, one for the pmd and one for the unmapping) are recorded.
#include <array>
#include <cerrno>
#include <vector>

#include "engine/fault/cpu_fault.h"
#include "engine/machine/spin_guard.h"
#include "engine/migrate/migrate_internal.h"
#include "engine/migrate/rmap.h"
#include "engine/unified/migrate_prepare.h"

namespace hmmscope {

namespace {

constexpr uint64_t max_pages = entries_per_table;
using Counts = std::array<uint64_t, max_pages>;

bool maps_by_pmd(const Machine& m, const RmapPlace& place, const Folio& folio) {
  return find_pmd_mapping(m, *place.space, place.addr, folio.pfn()) != no_word;
}

/// Mappings of each page by ptes; a pmd mapping counts once, in `whole`.
uint64_t count_mappings(const Machine& m, const std::vector<RmapPlace>& places, const Folio& folio,
                        Counts& counts) {
  uint64_t whole = 0;
  counts.fill(0);
  for (const RmapPlace& place : places) {
    if (maps_by_pmd(m, place, folio)) {
      ++whole;
      continue;
    }
    for (uint64_t k = 0; k < place.pages; ++k) {
      const uint64_t page = place.page + k;
      if (find_mapping(m, *place.space, place.addr + k * page_bytes, folio.pfn() + page) != no_word)
        ++counts[page];
    }
  }
  return whole;
}

uint64_t total(const Counts& counts, uint64_t whole) {
  for (const uint64_t count : counts) whole += count;
  return whole;
}

void make_small_folios(Machine& m, const Folio& large, const Counts& counts) {
  const uint64_t pfn = large.pfn(), pages = large.pages(), mapping = large.mapping(), index = large.index();
  const uint64_t flags = large.get(FolioWord::flags), owner = large.get(FolioWord::lock_owner);
  for (const FolioWord word :
       {FolioWord::refcount, FolioWord::mapcount, FolioWord::flags, FolioWord::lock_owner}) {
    large.set(word, 0);
  }
  for (uint64_t k = 0; k < pages; ++k) {
    const Folio small = make_folio(m, pfn + k, 0);
    const bool head = k == 0;
    small.set(FolioWord::refcount, counts[k] + (head ? 1 : 0));
    if (counts[k] == 0 && !head) {  // nobody uses this page: freed
      if (small.zone_device()) m.physical().free_device_page(small.pfn());
      continue;
    }
    small.set(FolioWord::mapcount, counts[k]);
    small.set(FolioWord::flags, head ? flags : flags & ~folio_flag::locked);
    small.set(FolioWord::mapping, mapping);
    small.set(FolioWord::index, index + k);
    if (head) small.set(FolioWord::lock_owner, owner);
  }
}

void tell_remapped(const Machine& m, const std::vector<RmapPlace>& places, uint64_t pfn, MigrateHooks& hooks) {
  for (const RmapPlace& place : places) {
    for (uint64_t k = 0; k < place.pages; ++k) {
      const uint64_t addr = place.addr + k * page_bytes;
      const WordIndex word = find_mapping(m, *place.space, addr, pfn + place.page + k);
      if (word != no_word) hooks.remapped(*place.space, addr, m.load(word));
    }
  }
}

}  // namespace

void split_locked_folio(Machine& machine, const Folio& folio) {
  const uint64_t pfn = folio.pfn(), pages = folio.pages(), mapping = folio.mapping(), index = folio.index();
  const uint64_t flags = folio.get(FolioWord::flags), owner = folio.get(FolioWord::lock_owner);
  for (const FolioWord word : {FolioWord::refcount, FolioWord::flags, FolioWord::lock_owner}) folio.set(word, 0);
  for (uint64_t k = 0; k < pages; ++k) {
    const Folio small = make_folio(machine, pfn + k, 0);
    small.set(FolioWord::refcount, 1);
    small.set(FolioWord::flags, flags);
    small.set(FolioWord::mapping, mapping);
    small.set(FolioWord::index, index + k);
    small.set(FolioWord::lock_owner, owner);
  }
}

bool split_folio(Machine& machine, const Folio& folio, MigrateHooks* hooks) {
  machine.enter(Function::split_folio, {folio.pfn(), folio.order()});
  const bool refused = hooks != nullptr && hooks->split(folio.index(), folio.pfn()) == false;
  std::vector<RmapPlace> places;
  rmap_walk(machine, folio.mapping(), folio.index(), folio.pages(), [&](const RmapPlace& place) {
    places.push_back(place);
    return true;
  });
  Counts counts;
  counts.fill(0);
  const uint64_t whole = folio.pages() == max_pages ? count_mappings(machine, places, folio, counts) : 0;
  const uint64_t found = total(counts, whole);
  const uint64_t callers = 1;
  if (refused || folio.pages() != max_pages || found != folio.mapcount() ||
      folio.refcount() != folio.mapcount() + callers) {
    machine.step(RuleId::split_folio_pinned, {folio.pfn(), folio.refcount(), folio.mapcount(), found});
    machine.leave(-EAGAIN);
    return false;
  }
  for (const RmapPlace& place : places) {
    if (maps_by_pmd(machine, place, folio)) {
      split_huge_pmd(machine, *place.space, place.addr, RuleId::split_folio_pmd);
    }
    const Invalidation running =
        begin_invalidation(*place.space, {place.addr, place.addr + place.pages * page_bytes, NotifyEvent::clear,
                                          internal_owner(machine)}, hooks);
    end_invalidation(*place.space, running, hooks);
  }
  const AtomicGuard freeze(machine);   // folio_ref_freeze
  const uint64_t now_whole = count_mappings(machine, places, folio, counts);
  if (now_whole != 0 || total(counts, 0) != folio.mapcount() || folio.refcount() != folio.mapcount() + callers) {
    machine.step(RuleId::split_folio_pinned, {folio.pfn(), folio.refcount(), folio.mapcount(), total(counts, now_whole)});
    machine.leave(-EAGAIN);
    return false;
  }
  machine.step(RuleId::split_folio_done, {folio.pfn(), folio.refcount(), folio.mapcount()});
  const uint64_t pfn = folio.pfn();
  make_small_folios(machine, folio, counts);
  if (hooks != nullptr) tell_remapped(machine, places, pfn, *hooks);
  machine.leave(0);
  return true;
}

}  // namespace hmmscope
