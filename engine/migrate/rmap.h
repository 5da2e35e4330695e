#pragma once
/// The reverse map: from a folio to the entries that refer to it, over all address spaces, by the folio's
/// place in its mapping (FolioWord::mapping, index) and every VMA's page offset. Source: mm/rmap.c, 6.1
/// and 6.12; for 2M pages mm/huge_memory.c, 7.3.

#include <algorithm>
#include <cstdint>

#include "engine/machine/folio.h"
#include "engine/migrate/hooks.h"

namespace hmmscope {

/// A place where pages of the folio could be mapped.
struct RmapPlace {
  AddressSpace* space;
  Vma vma;
  uint64_t addr;       ///< of the first page that the VMA covers
  uint64_t page = 0;   ///< which page of those asked for that is
  uint64_t pages = 1;  ///< how many the VMA covers
};

/// Calls visit(const RmapPlace&) for every VMA that covers some of the `pages` pages from `index` of
/// `mapping`, address spaces in the order they were made, until it returns false. Where the visit lets others run,
/// VMAs and address spaces may come and go: those not visited yet are looked for anew.
template <class Visit>
void rmap_walk(const Machine& machine, uint64_t mapping, uint64_t index, uint64_t pages, Visit visit) {
  if (mapping == 0) return;
  for (size_t s = 0; s < machine.address_spaces().size(); ++s) {
    AddressSpace* const space = machine.address_spaces()[s].get();
    size_t next = 0;
    while (next < space->vmas().size()) {
      const size_t at = next++;
      const Vma vma(&machine.memory(), space->vmas()[at]);
      // Most VMAs hold other parts: that is asked first, with the fewest words.
      if (vma.pgoff() >= index + pages) continue;
      const uint64_t behind = vma.end(), vma_end = vma.pgoff() + (behind - vma.start()) / page_bytes;
      if (vma_end <= index) continue;
      const bool anonymous = vma.kind() == VmaKind::anonymous || vma.kind() == VmaKind::file_private;
      if (mapping == anon_mapping ? !anonymous : vma.file() == 0 || file_mapping(vma.file()) != mapping)
        continue;
      const uint64_t from = std::max(index, vma.pgoff()), to = std::min(index + pages, vma_end);
      if (from >= to) continue;
      const uint64_t addr = vma.start() + (from - vma.pgoff()) * page_bytes;
      if (!visit(RmapPlace{space, vma, addr, from - index, to - from})) return;
      const std::span<const WordIndex> now = space->vmas();
      if (at >= now.size() || now[at] != vma.first() || vma.end() != behind) next = space->first_above(behind);
    }
  }
}

/// The pte for addr when it maps pfn (present, device-private or device-exclusive); no_word otherwise.
WordIndex find_mapping(const Machine& machine, const AddressSpace& space, uint64_t addr, uint64_t pfn);
/// The pte for addr when it is a migration entry of pfn; no_word otherwise.
WordIndex find_migration_entry(const Machine& machine, const AddressSpace& space, uint64_t addr,
                               uint64_t pfn);

/// The pmd for addr when it maps the 2M folio at pfn as a whole (present or device-private); no_word otherwise.
WordIndex find_pmd_mapping(const Machine& machine, const AddressSpace& space, uint64_t addr, uint64_t pfn);
/// The pmd for addr when it is a 2M migration entry of pfn; no_word otherwise.
WordIndex find_pmd_migration_entry(const Machine& machine, const AddressSpace& space, uint64_t addr,
                                   uint64_t pfn);

/// What set_pmd_migration_entry() puts in the place of a 2M mapping of the folio.
struct PmdMigration {
  uint64_t entry;
  SwapKind kind;
  bool present;    ///< the mapping is present, else device-private
  bool exclusive;  ///< the page is exclusive to the process
};
PmdMigration pmd_migration(const Machine& machine, const Folio& folio, uint64_t pmd);
/// Puts it there, with what follows for the folio and the TLB. A step must be open.
void set_pmd_migration_entry(Machine& machine, AddressSpace& space, uint64_t addr, WordIndex pmd,
                             const Folio& folio, const PmdMigration& migration, MigrateHooks* hooks);

/// try_to_migrate(): every remaining mapping becomes a migration entry. Each VMA is announced (CLEAR, no owner)
/// before it is looked at, the migrating one too.
void try_to_migrate(Machine& machine, const Folio& folio, MigrateHooks* hooks);
/// Every migration entry of `from` becomes a mapping of `to`. No notifier: only permissions are added.
void remove_migration_ptes(Machine& machine, const Folio& from, const Folio& to, MigrateHooks* hooks);

}  // namespace hmmscope
