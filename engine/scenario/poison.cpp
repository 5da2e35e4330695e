#include "engine/scenario/poison.h"

#include <vector>

#include "engine/machine/folio.h"
#include "engine/machine/rss.h"
#include "engine/machine/spin_guard.h"
#include "engine/migrate/migrate_internal.h"
#include "engine/migrate/rmap.h"
#include "engine/scenario/entry_at.h"
#include "engine/scenario/poison_file.h"

namespace hmmscope::scenario {

namespace {

Result<uint64_t> poison_entry(const Machine& m, uint64_t pfn) {
  SwapEntry entry;
  entry.kind = SwapKind::hwpoison;
  entry.pfn = pfn;
  return encode_swap(m.entry_format().swap, entry);
}

/// One mapping of the page that fails.
struct StruckPlace {
  AddressSpace* space;
  uint64_t addr;
  Level level;
};

/// Where the folio may be mapped: by its place in its mapping; a hugetlb page only at the same address of every process,
/// since nothing but fork shares one here.
std::vector<StruckPlace> places_of(const Machine& m, const Folio& folio, uint64_t addr, Level hugetlb) {
  std::vector<StruckPlace> places;
  if (hugetlb != Level::pte) {
    const uint64_t base = addr & ~(level_size(hugetlb) - 1);
    for (const auto& space : m.address_spaces()) {
      if (const Vma vma = space->vma_at(base); vma && vma.is_hugetlb()) places.push_back({space.get(), base, hugetlb});
    }
    return places;
  }
  rmap_walk(m, folio.mapping(), folio.index(), 1, [&](const RmapPlace& place) {
    places.push_back({place.space, place.addr, Level::pte});
    return true;
  });
  return places;
}

/// The word of the place when it still maps pfn present; no_word otherwise.
WordIndex word_that_maps(const Machine& m, const StruckPlace& place, uint64_t pfn) {
  const WordIndex word = place.space->find_entry(place.level, place.addr);
  if (word == no_word) return no_word;
  const EntryAt struck{word, place.level, m.load(word)};
  return struck.present() && struck.first_pfn() == pfn ? word : no_word;
}

/// `entry` takes the place of the mapping: a poison entry, or 0 for a page that can be read again.
void unmap_struck(Machine& m, const StruckPlace& place, const Folio& folio, uint64_t entry) {
  const InvalidateRange range{place.addr, place.addr + level_size(place.level)};
  const Invalidation running = place.space->notifiers().start(range);
  {
    const SpinGuard locked(m, place.level == Level::pte ? pte_lock(place.space->id(), place.addr)
                                                        : pmd_lock(place.space->id(), place.addr));
    const WordIndex word = word_that_maps(m, place, folio.pfn());
    if (word != no_word) {
      if (entry == 0) m.step(RuleId::poison_unmap_clean, {place.addr, m.load(word)});
      else m.step(RuleId::poison_unmap, {place.addr, m.load(word), entry});
      if (place.level == Level::pte) count_entry_removed(*place.space, place.level, m.load(word));
      m.store(word, entry);
      folio.remove_rmap();
      folio.put();
    }
  }
  if (!running.failed) place.space->notifiers().end(running);
}

/// The 2M folio becomes small ones. False: somebody holds it.
bool split_struck(Machine& m, const Folio& folio, uint64_t addr) {
  const uint64_t pfn = folio.pfn();
  m.step(RuleId::poison_split, {addr, pfn, folio.refcount()});
  folio.take();
  folio.lock(FolioLocker::other);
  const bool done = split_folio(m, folio, nullptr);
  const Folio head = Folio::of(m, pfn);   // the first of the small ones after a split
  m.step(RuleId::poison_split_done, {pfn, done});
  head.unlock();
  head.put();
  return done;
}

}  // namespace

std::string_view poison_obstacle(Machine& machine, const AddressSpace& space, uint64_t addr) {
  const EntryAt struck = entry_at(machine, space, addr);
  if (x86::pte_none(struck.value)) return "no page is mapped there";
  if (!struck.present()) return "the page is swapped, under migration or on a device";
  const uint64_t pfn = struck.first_pfn();
  if (machine.physical().is_zero_pfn(pfn) || pfn == machine.physical().huge_zero_pfn())
    return "the zero page is there, which the kernel does not give up";
  if (machine.physical().device_of(pfn) != nullptr)
    return "the page is device memory, whose failures the kernel leaves to its driver (-ENXIO)";
  const Folio folio = Folio::of(machine, pfn);
  const bool special = !struck.huge() && x86::pte_special(struck.value);
  if (special || !folio || !folio.mapped()) return "no page of the kernel's memory management is there";
  if (folio.locked()) return "somebody keeps the page's lock";
  if (!poison_entry(machine, pfn)) return "this kernel has no poison entries (CONFIG_MEMORY_FAILURE)";
  const Vma vma = space.vma_at(addr);
  const bool hugetlb = vma && vma.is_hugetlb();
  const bool splittable = folio.pages() == entries_per_table && folio.refcount() == folio.mapcount();
  if (folio.large() && !hugetlb && !splittable) return "the large page cannot be split: somebody holds it";
  return {};
}

bool poison_page(Machine& machine, PageCache& cache, AddressSpace& space, uint64_t addr, uint64_t rule, uint64_t occurrence) {
  const EntryAt struck = entry_at(machine, space, addr);
  const Vma vma = space.vma_at(addr);
  const Level hugetlb = vma && vma.is_hugetlb() ? AddressSpace::hugetlb_level(vma) : Level::pte;
  const uint64_t pfn = hugetlb == Level::pte ? struck.pfn_of(addr) : struck.first_pfn();
  if (const Folio large = Folio::of(machine, pfn); large.large() && hugetlb == Level::pte) {
    if (!split_struck(machine, large, addr)) return false;
  }
  const Folio folio = Folio::of(machine, pfn);
  const auto entry = poison_entry(machine, pfn);
  if (!folio || !folio.mapped() || folio.locked() || !entry) return false;   // others came in while it was split
  machine.step(RuleId::inject_poison, {rule, occurrence, addr, pfn});
  folio.take();
  folio.set_flag(folio_flag::hwpoison);
  folio.lock(FolioLocker::other);
  const auto cached = cached_page(machine, folio);
  const uint64_t left_behind = cached && is_clean(machine, folio, *cached) ? 0 : *entry;
  for (const StruckPlace& place : places_of(machine, folio, addr, hugetlb)) unmap_struck(machine, place, folio, left_behind);
  if (cached) leave_page_cache(machine, cache, folio, *cached);
  machine.step(RuleId::poison_done, {pfn, folio.mapcount()});
  folio.unlock();
  return true;
}

}  // namespace hmmscope::scenario
