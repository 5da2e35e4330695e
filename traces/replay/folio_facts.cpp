#include "traces/replay/folio_facts.h"

#include <algorithm>
#include <vector>

#include "engine/migrate/rmap.h"

namespace hmmscope::traces {

uint8_t facts_of_entry(uint64_t pte) {
  const bool named = !x86::pte_present(pte) || !World::is_placeholder(x86::pte_pfn(pte));
  return named ? pte_fact::all : pte_fact::kind | pte_fact::write;
}

bool FolioFacts::page(const AddressSpace& space, const Vma& vma, uint64_t addr, uint64_t pfn,
                      uint64_t fault_page) {
  if (!made_.insert(pfn).second) return true;
  if (!world_.spend_rmap_walk()) return false;
  Machine& machine = world_.machine();
  Recorder& recorder = world_.recorder();
  const bool anonymous = (vma.flags() & vm::shared) == 0;
  const uint64_t mapping = anonymous ? anon_mapping : file_mapping(vma.file());
  const uint64_t index = page_index(vma, addr);
  uint64_t mappings = 0;
  std::vector<WordIndex> gone;
  rmap_walk(machine, mapping, index, 1, [&](const RmapPlace& place) {
    const WordIndex word = find_mapping(machine, *place.space, place.addr, pfn);
    if (word == no_word) return true;
    // What was forgotten is no mapping any more.
    if (place.space != &space && (world_.known_pte(*place.space, place.addr).known & pte_fact::kind) == 0)
      gone.push_back(word);
    else
      ++mappings;
    return true;
  });
  mappings = std::max<uint64_t>(mappings, 1);  // the entry at addr, even where the VMA's file is not known
  recorder.step(RuleId::trace_migrate_page, {addr, pfn, mappings});
  for (const WordIndex word : gone) recorder.write(word, 0, Evidence::unknown);
  Folio folio = Folio::of(machine, pfn);
  if (!folio || folio.pfn() != pfn || folio.large()) folio = make_folio(machine, pfn, 0);
  const bool of_fault = fault_page != 0 && fault_page == pfn;
  const bool fault_holds_lock = of_fault && machine.model().fault_page_locked;
  const uint64_t others = (anonymous ? 0 : 1) + (of_fault ? 1 : 0);
  // A damaged trace may have unmapped it meanwhile, table and all.
  const WordIndex entry = space.find_entry(Level::pte, addr);
  const bool writable = entry != no_word && x86::pte_write(machine.load(entry));
  const DeviceMemory* device = machine.physical().device_of(pfn);
  const uint64_t memory = device == nullptr  ? folio_flag::lru
                          : device->coherent ? folio_flag::device_coherent
                                             : folio_flag::device_private;
  set_if_changed(folio, FolioWord::refcount, mappings + others);
  set_if_changed(folio, FolioWord::mapcount, mappings);
  set_if_changed(folio, FolioWord::mapping, mapping);
  set_if_changed(folio, FolioWord::index, index);
  set_if_changed(folio, FolioWord::lock_owner,
                 static_cast<uint64_t>(fault_holds_lock ? FolioLocker::fault : FolioLocker::nobody));
  set_if_changed(folio, FolioWord::flags,
                 memory | (anonymous ? folio_flag::anon : 0) | (writable ? folio_flag::anon_exclusive : 0) |
                     (fault_holds_lock ? folio_flag::locked : 0));
  return true;
}

void FolioFacts::large(const Vma& vma, uint64_t addr, uint64_t base) {
  Machine& machine = world_.machine();
  const uint64_t index = page_index(vma, addr & ~(level_size(Level::pmd) - 1));
  uint64_t mappings = 0;
  rmap_walk(machine, anon_mapping, index, entries_per_table, [&](const RmapPlace& place) {
    const WordIndex word = place.space->find_entry(Level::pmd, place.addr);
    if (word != no_word && machine.entry_format().is_huge(machine.load(word)) &&
        leaf_pfn(Level::pmd, machine.load(word)) == base)
      ++mappings;
    return true;
  });
  world_.recorder().step(RuleId::trace_migrate_page, {addr, base, mappings});
  const Folio folio = make_folio(machine, base, level_order(Level::pmd));
  set_if_changed(folio, FolioWord::refcount, mappings);
  set_if_changed(folio, FolioWord::mapcount, mappings);
  set_if_changed(folio, FolioWord::mapping, anon_mapping);
  set_if_changed(folio, FolioWord::index, index);
  folio.set_flag(folio_flag::anon | folio_flag::lru);
}

}  // namespace hmmscope::traces
