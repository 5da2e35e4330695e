#pragma once
/// A kernel as policy data: bit layout, sticky mask, entry-type numbering, and which variant of each rule
/// holds. Released kernels and patches as posted (bugs included) are both models. The engine never asks for a
/// version number; it asks the model a named question.
///
/// Sources: section 2.14 and 5.3 of the semantics notes summarised in each member's comment; traces of real
/// kernels decide where they differ.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"
#include "engine/encoding/layout.h"
#include "engine/encoding/swap_entry.h"
#include "engine/encoding/swap_types.h"

namespace hmmscope {

enum class FaultStyle : uint8_t {
  inside_walk,   ///< up to 7.1: callbacks fault and the walk restarts with -EBUSY
  outside_walk,  ///< 7.2/7.3: callbacks return a pending fault, the outer loop faults
};

/// The "unified fault and migrate" patches: hmm_range_fault prepares migrations (engine/unified).
enum class UnifiedStyle : uint8_t {
  none,
  rfc,    ///< as posted in August 2025
  later,  ///< the revisions of 2026, as far as their cover letters and reviews tell
};

/// Which call converts page tables. Up to 5.6 engine/driver_format walks them, from 5.7 on engine/walk.
enum class RangeApi : uint8_t {
  get_pfns_4_14,  ///< 4.14 .. 4.16: hmm_vma_get_pfns and hmm_vma_fault(write, block); the array is output only
  get_pfns_4_17,  ///< 4.17 .. 5.1: requests in the array, the driver's flags[], values[] and pfn_shift
  snapshot_5_2,   ///< 5.2, 5.3: hmm_range_snapshot and hmm_range_fault(block); default_flags, pfn_flags_mask
  flags_5_4,      ///< 5.4: hmm_range_fault(HMM_FAULT_*)
  interval_5_5,   ///< 5.5, 5.6: interval notifiers, several VMAs in one walk
  owner_5_7,      ///< 5.7: the walk of 5.8 with words in the driver's format
  hmm_pfns,       ///< 5.8+: the fixed format
};

struct KernelModel {
  std::string id;  ///< "5.9", "6.1", "6.12", "6.12-v9", "6.16", "7.3"
  std::string title;
  const Layout* hmm_pfn = nullptr;
  const Layout* migrate_pfn = nullptr;
  uint64_t sticky_mask = 0;  ///< bits of a slot that survive a write (HMM_PFN_INOUT_FLAGS), 0 before 6.16
  KernelConfig config;
  SwapTypes types;

  bool reports_order = true;      ///< 5.9+
  bool rejects_mixedmap = false;  ///< before 5.17 (commit 87c01d57fa23) test_walk refused VM_MIXEDMAP
  bool special_test_is_pte_special = false;   ///< before 5.17 pte rule 10 tested pte_special
  bool device_exclusive = true;               ///< 5.14+
  bool foreign_device_private_faults = true;  ///< 5.19+ (commit 8a295dbbaf72) ; before: -EFAULT
  bool markers_like_none = true;              ///< 5.19+; 7.3: only the uffd-wp marker
  bool only_uffd_wp_marker_like_none = false;
  bool walk_pud_checks_none_only = false;  ///< 6.1 tested pud_none, 6.12 pud_present
  bool devmap = true;                      ///< until 6.16
  bool pmd_device_private = false;         ///< ~6.18+
  bool fault_errno_mapped = false;         ///< 7.3: OOM is -ENOMEM
  bool pte_table_may_be_gone = true;       ///< 6.5+: pte_offset_map may find no table, the walk of the pmd starts over
  bool faults_under_vma_lock = true;       ///< 6.4+: a CPU fault first tries the VMA's own lock
  bool driver_faults_ask_the_vma = true;   ///< 5.4+: before, nobody asked whether the VMA allows what a driver's fault wants
  bool swap_in_maps_writable = true;       ///< 6.11+: reading an exclusive page back in maps it writable, clean
  bool dontneed_frees_tables = false;      ///< 6.14+: MADV_DONTNEED of all that a pte table maps frees the table (PT_RECLAIM)
  bool shmem_keeps_poison = true;          ///< 5.16+: a page of shmem that failed stays in the page cache
  // migration (engine/migrate)
  bool anon_exclusive_mark = true;             ///< 5.19+: PG_anon_exclusive, which migration takes off and puts back
  bool migration_keeps_ad = true;              ///< 6.1+: A and D travel in migration entries
  bool collect_spins_on_pmd_migration = true;  ///< 6.5 .. 6.18: before and after the part is skipped
  bool fault_page_locked = false;  ///< 6.15+: do_swap_page try-locks the device page, migration relies on it
  bool exclusive_entries_are_mapped = false;  ///< 6.15+: device-exclusive entries count in mapcount
  bool collect_splits_mapped_large = false;   ///< 6.19+: a large folio mapped by ptes is split, not skipped
  bool compound_migration = false;  ///< 6.19+: 2M folios migrate whole (COMPOUND), device memory has 2M folios
  // lib/test_hmm.c
  bool dmirror_release = true;   ///< 6.1+: ioctl RELEASE
  bool dmirror_flags = false;    ///< 6.19+: ioctl FLAGS
  bool device_coherent = true;   ///< 6.0+: devices with coherent memory
  FaultStyle fault_style = FaultStyle::inside_walk;
  UnifiedStyle unified = UnifiedStyle::none;
  bool unlocked_fault = false;  ///< 7.3: hmm_range_fault_unlocked_timeout
  RangeApi range_api = RangeApi::hmm_pfns;

  /// Slots have the driver's format (or 4.14's), not one of 5.8 and later.
  bool has_driver_format() const { return range_api != RangeApi::hmm_pfns; }
  /// engine/driver_format walks the page tables, not engine/walk.
  bool walks_old_way() const { return range_api < RangeApi::owner_5_7; }

  uint32_t version = 0;  ///< major * 1000 + minor, for menus and sorting; rules ask the questions above
  const Layout* pte = nullptr;  ///< x86-64 layouts in force, never null in a model of this module
  const Layout* pmd = nullptr;
  const Layout* pud = nullptr;
  const Layout* table = nullptr;  ///< pgd, p4d and table entries of lower levels
  const Layout* swap = nullptr;   ///< non-present entries

  /// Entries that are dirty and not writable are a shadow stack's (6.6+, by configuration); pte_write() is true of them.
  bool shadow_stacks() const { return config.user_shadow_stack && pte->field(Role::saved_dirty) != nullptr; }
  uint8_t physical_bits() const { return physmem_bits(config.levels); }
  /// How this kernel's non-present words read. Build once, keep for the hot path.
  SwapFormat swap_format() const { return {types, physical_bits(), config.page_shift}; }
};

/// All built-in models, oldest first, with their default configuration. Patched kernels follow their base.
std::span<const KernelModel> kernel_models();
/// A built-in model, the plain release "MAJOR.MINOR" from 4.14 on, or such a release with the suffix of a patch or a
/// driver's format that it can have ("5.3-odp", "6.18-devpriv"). Error message lists the ids.
Result<KernelModel> kernel_model(std::string_view id);
/// A model from what a trace says of itself: uname release ("6.12.117-hmmcap"), patch ("none",
/// "dma-mapped-v9-as-posted", "dma-mapped-merged-layout", "unified-rfc-as-posted", "unified-later"; empty = follow the local
/// version in the release), configuration ("DEVICE_PRIVATE=y,...", see kernel_release.h). Error when a text
/// is not understood, the patch is unknown, or the release is older than 5.8.
Result<KernelModel> detect_model(std::string_view release, std::string_view patch, std::string_view config);

}  // namespace hmmscope
