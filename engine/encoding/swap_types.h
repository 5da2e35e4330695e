#pragma once
/// Which number a non-present entry type has. The special types sit at the top of the 5-bit type space, so
/// every type's number depends on the version and on which options were compiled in: the same word means
/// different entries on different kernels.
///
/// Source: include/linux/swap.h (5.9 .. 6.15) and the configuration lines of captures of 6.1 and 6.12.

#include <array>
#include <cstdint>
#include <string_view>

#include "engine/encoding/layout.h"

namespace hmmscope {

/// Configuration that moves swap types or switches rules.
struct KernelConfig {
  bool device_private = true;
  bool migration = true;
  bool memory_failure = true;
  bool numa_balancing = false;  ///< protnone is tested only with it
  bool pud_thp = true;          ///< HAVE_ARCH_TRANSPARENT_HUGEPAGE_PUD: hmm_vma_walk_pud handles leaves
  bool mem_soft_dirty = false;
  bool user_shadow_stack = false;   ///< X86_USER_SHADOW_STACK and a CPU that has them: asked only from 6.6 on
  uint8_t page_shift = 12;
  uint8_t levels = 4;      ///< page-table levels, 4 or 5
  bool pte_marker = true;  ///< PTE_MARKER; asked only from 5.19 to 6.1, markers are always there from 6.2
};

/// Bits of a marker's offset: uffd-wp from 5.19, poisoned from 6.2, guard from 6.13.
enum MarkerBits : uint8_t { marker_uffd_wp = 1, marker_poisoned = 2, marker_guard = 4 };

/// Non-present entry types, 5 bits; ~0 = the type does not exist in this configuration.
struct SwapTypes {
  static constexpr uint8_t absent = 0xff;
  uint8_t max_swapfiles = 0;
  uint8_t swapin_error = absent;  ///< 5.19 .. 6.1 only
  uint8_t hwpoison = absent;
  uint8_t migration_read = absent, migration_read_exclusive = absent, migration_write = absent;
  uint8_t device_write = absent, device_read = absent;
  uint8_t device_exclusive_write = absent, device_exclusive_read = absent;  ///< equal from 6.15 on
  uint8_t pte_marker = absent;
  bool migration_accessed_dirty = false;    ///< migration entries carry A and D (6.1+)
  uint8_t marker_bits = 0;                  ///< that mean something in a marker, see MarkerBits

  bool operator==(const SwapTypes&) const = default;
};

/// The numbering of non-present entry types for a version (major*1000+minor) and configuration. Meaningful
/// from 5.9; older versions get 5.9's numbering.
SwapTypes swap_types(uint32_t version, const KernelConfig& config);

/// What a type number stands for.
enum class SwapKind : uint8_t {
  swap,  ///< a page in a swap file
  hwpoison,
  migration_read,
  migration_read_exclusive,
  migration_write,
  device_write,
  device_read,  ///< device-private memory
  device_exclusive_write,
  device_exclusive_read,  ///< 6.15+ has one kind only, named device_exclusive_write
  pte_marker,
  swapin_error,
  unused,  ///< no entry of this configuration has the number
};
std::string_view swap_kind_name(SwapKind kind);  ///< "migration write"

/// Type number to kind, as a table for the hot path.
using SwapKinds = std::array<SwapKind, 32>;
SwapKinds swap_kinds(const SwapTypes& types);

/// The version whose numbering a non-present layout of the table stands for (6012 for "swap-x86-64-6.12"); 0
/// when the layout is not of a non-present family.
uint32_t swap_version(const Layout& layout);
/// The non-present layout of a family (x86_swap, arm64_swap) in force at a version.
const Layout& swap_layout(Family family, uint32_t version);

}  // namespace hmmscope
