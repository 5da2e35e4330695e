#pragma once
/// Page-table entries on their way into and out of a migration, bit for bit: what a migration entry keeps of
/// the mapping it replaces, and what the mapping is rebuilt from.
///
/// Source: mm/migrate_device.c, remove_migration_pte of mm/migrate.c, restore_exclusive_pte of mm/memory.c
/// and arch/x86/include/asm/pgtable.h (6.1, 6.12). Pure functions; any thread.

#include <cstdint>

#include "engine/machine/address_space.h"
#include "engine/machine/entry_format.h"
#include "engine/model/kernel_model.h"

namespace hmmscope {

/// vm_page_prot: the flags of a fresh mapping before anything is added. Private mappings are never writable
/// here, shared ones only where nobody wants to hear of the first write; a VMA without access gives PROTNONE.
uint64_t vm_page_prot(const Vma& vma);

/// pte_dirty(): D, or the copy kept aside for read-only entries (6.6+).
bool entry_dirty(uint64_t pte);

/// From 6.6 on a read-only entry keeps its dirty state in SAVED_DIRTY, because D without RW means a shadow
/// stack.
uint64_t with_dirty_in_place(const KernelModel& model, uint64_t flags);

/// pte_mkwrite(pte_mkdirty(pte)) of an entry that is in use (its accessed bit set with them).
uint64_t made_writable(const KernelModel& model, const Vma& vma, uint64_t pte);

/// pte_wrprotect().
uint64_t write_protected(const KernelModel& model, uint64_t pte);

/// The migration entry of `kind` for a mapping of pfn. From a present pte: A, D (6.1+), soft-dirty, uffd-wp;
/// from a device-private entry: soft-dirty and uffd-wp.
uint64_t make_migration_entry(const KernelModel& model, const SwapFormat& format, uint64_t pte, uint64_t pfn,
                              SwapKind kind);
/// Which kind: writable, else readable-exclusive (5.19+), else readable.
SwapKind migration_kind(const SwapFormat& format, bool write, bool anon_exclusive);

/// What remove_migration_pte puts in the place of a migration entry when the page is now `pfn`; `huge`:
/// remove_migration_pmd (mm/huge_memory.c, 7.3) in the place of a 2M one.
struct RestoredEntry {
  uint64_t entry = 0;
  bool exclusive = false;  ///< the rmap is added with RMAP_EXCLUSIVE
};
RestoredEntry restore_entry(const KernelModel& model, const SwapFormat& format, const Vma& vma,
                            uint64_t migration_pte, uint64_t pfn, bool folio_dirty, bool folio_anon,
                            bool device_private, bool huge = false);

/// A device-private entry as migrate_vma_pages inserts it.
uint64_t make_device_private_entry(const SwapFormat& format, uint64_t pfn, bool writable);

/// What a fault (or fork) puts in the place of a device-exclusive entry.
uint64_t restore_exclusive_entry(const KernelModel& model, const SwapFormat& format, const Vma& vma,
                                 uint64_t pte, bool folio_dirty, bool anon_exclusive);

}  // namespace hmmscope
