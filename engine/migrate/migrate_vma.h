#pragma once
/// migrate_vma_setup, migrate_vma_pages, migrate_vma_finalize: moving pages between system and device memory.
/// Every decision is a rule of engine/rules/migrate.def, every reason a page is dropped among them. src and
/// dst are arrays of words (MIGRATE_PFN layout of the kernel model).
///
/// What a driver does between the calls is device_migration.h. Source: mm/migrate_device.c of 6.1, 6.12, 6.15+ and
/// 7.3 (compound migration, from 6.19 on).
///
/// Limits of the model: a page without folio words counts as one without mapping (it is not collected). File
/// pages and pages of the swap cache migrate to device memory as the kernel lets them; moving them to other
/// system pages is not modelled (no driver asks for it). Nothing sleeps; where the kernel would spin, the
/// call says so. Threads: one at a time. A call enters and leaves its own recorder call.

#include <cstdint>
#include <string>

#include "engine/machine/address_space.h"
#include "engine/recording/memory.h"

namespace hmmscope {

class Machine;
class MigrateHooks;

/// enum migrate_vma_direction
namespace migrate_select {
inline constexpr uint64_t system = 1, device_private = 2, device_coherent = 4;
/// 6.19+: a slot may stand for a whole 2M page (MIGRATE_PFN_COMPOUND). Ignored by kernels that cannot do it.
inline constexpr uint64_t compound = 8;
}

/// The bits of a src or dst word under one kernel model.
struct MigrateFormat {
  uint64_t valid, migrate, write;
  uint64_t compound;  ///< 0 before 6.19
  uint32_t shift;  ///< MIGRATE_PFN_SHIFT

  static MigrateFormat from(const KernelModel& model);
  bool has_page(uint64_t mpfn) const { return (mpfn & valid) != 0; }
  bool migrates(uint64_t mpfn) const { return (mpfn & migrate) != 0; }
  bool is_compound(uint64_t mpfn) const { return (mpfn & compound) != 0; }
  uint64_t pfn(uint64_t mpfn) const { return mpfn >> shift; }
  /// migrate_pfn()
  uint64_t make(uint64_t pfn) const { return (pfn << shift) | valid; }
};

/// struct migrate_vma
struct MigrateVma {
  AddressSpace* mm = nullptr;
  Vma vma;
  uint64_t start = 0, end = 0;
  WordIndex src = no_word, dst = no_word;  ///< (end - start) >> 12 words each; no_word is the caller's NULL
  uint64_t select = 0;                     ///< migrate_select bits
  uint64_t pgmap_owner = 0;
  uint64_t fault_page = 0;  ///< pfn of the device page a CPU fault is about; 0 = none
  // filled in by migrate_vma_setup
  uint64_t cpages = 0, npages = 0;
  uint64_t stuck_at = 0;  ///< with -EDEADLK: the address of the entry that is waited for
  MigrateHooks* hooks = nullptr;  ///< asked by all three calls; not owned
};

struct MigrateArrays {
  WordIndex src = no_word, dst = no_word;
};
/// Makes a src and a dst array of `pages` slots for addresses from `start`.
MigrateArrays add_migrate_arrays(Machine& machine, const AddressSpace& space, uint64_t start, uint32_t pages,
                                 const std::string& name);

/// 0 (also when nothing can migrate: cpages 0) or -EINVAL; with the unified fault-and-migrate patches also the
/// errors of hmm_range_fault, as posted with pages still prepared (finalize puts them back). -EDEADLK, which no
/// kernel returns: the walk spins for ever on a pmd migration entry (see
/// KernelModel::collect_spins_on_pmd_migration); pages collected by then stay as they are.
int migrate_vma_setup(Machine& machine, MigrateVma& args);
/// dst words must name allocated, locked folios, 2M ones with COMPOUND. Clears MIGRATE of every src slot whose page did
/// not move; a slot with COMPOUND stands for 512 pages unless dst has small ones for them (then all 512 slots count).
void migrate_vma_pages(Machine& machine, const MigrateVma& args);
/// Replaces migration entries by mappings of the new (or again the old) pages; unlocks and drops all folios.
void migrate_vma_finalize(Machine& machine, const MigrateVma& args);

/// The same for device pages by pfn, wherever they are mapped (migrate_device_range and its kin). Returns how
/// many slots can migrate.
uint64_t migrate_device_range(Machine& machine, WordIndex src, uint64_t first_pfn, uint64_t pages,
                              MigrateHooks* hooks = nullptr);
void migrate_device_pages(Machine& machine, WordIndex src, WordIndex dst, uint64_t pages,
                          MigrateHooks* hooks = nullptr);
void migrate_device_finalize(Machine& machine, WordIndex src, WordIndex dst, uint64_t pages,
                             MigrateHooks* hooks = nullptr);

}  // namespace hmmscope
