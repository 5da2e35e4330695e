#pragma once
/// Reading and writing non-present x86-64 entries. The walk, the fault path, the replay and the views all use
/// these helpers, so that there is one reading of a word.
///
/// Pitfall: the offset of a pfn-type entry (migration, device, exclusive, hwpoison) also holds the A and D
/// bits of migration entries, right above the pfn; the pfn must be masked to SWP_PFN_BITS = physical bits -
/// page shift (34 with 4-level, 40 with 5-level page tables). Source: include/linux/swapops.h,
/// arch/x86/include/asm/pgtable_64.h (6.12).

#include <cstdint>
#include <string>

#include "engine/encoding/swap_types.h"
#include "engine/encoding/x86_bits.h"

namespace hmmscope {

/// MAX_PHYSMEM_BITS of x86-64.
constexpr uint8_t physmem_bits(uint8_t levels) { return levels >= 5 ? 52 : 46; }

constexpr bool is_migration(SwapKind k) {
  return k >= SwapKind::migration_read && k <= SwapKind::migration_write;
}
constexpr bool is_device_private(SwapKind k) {
  return k == SwapKind::device_write || k == SwapKind::device_read;
}
constexpr bool is_device_exclusive(SwapKind k) {
  return k == SwapKind::device_exclusive_write || k == SwapKind::device_exclusive_read;
}
/// The entry will come back, or may be used by the device, with write permission.
constexpr bool is_writable(SwapKind k) {
  return k == SwapKind::migration_write || k == SwapKind::device_write ||
         k == SwapKind::device_exclusive_write;
}
/// The offset is a page frame number.
constexpr bool is_pfn_entry(SwapKind k) {
  return k >= SwapKind::hwpoison && k <= SwapKind::device_exclusive_read;
}

struct SwapEntry {
  SwapKind kind = SwapKind::unused;
  uint8_t type = 0;
  uint64_t offset = 0;     ///< as stored (un-inverted): slot, marker bits, or pfn with A/D above it
  uint64_t pfn = 0;        ///< masked; 0 unless is_pfn_entry(kind)
  bool accessed = false;   ///< migration entries only
  bool dirty = false;      ///< migration entries only
  bool exclusive = false;  ///< E of a plain swap entry
  bool soft_dirty = false;
  bool uffd_wp = false;
};

/// Everything that decides how a non-present word reads; built once for a kernel model.
struct SwapFormat {
  SwapTypes types;
  SwapKinds kinds;
  uint8_t pfn_bits;  ///< SWP_PFN_BITS

  SwapFormat(const SwapTypes& numbering, uint8_t physical_bits, uint8_t page_shift = 12)
      : types(numbering),
        kinds(swap_kinds(numbering)),
        pfn_bits(static_cast<uint8_t>(physical_bits - page_shift)) {}

  uint64_t pfn_mask() const { return (1ull << pfn_bits) - 1; }
  /// A and D fit above the pfn (always on x86-64: 40 + 2 <= 50), and the kernel puts them there.
  bool keeps_accessed_dirty() const {
    return types.migration_accessed_dirty && pfn_bits + 2 <= x86::swp_offset.width;
  }

  SwapKind kind(uint64_t pte) const { return kinds[(pte & x86::swp_type.mask()) >> x86::swp_type.shift]; }
  uint64_t offset(uint64_t pte) const { return x86::swp_offset.get(pte); }
  uint64_t pfn(uint64_t pte) const { return offset(pte) & pfn_mask(); }
  uint8_t type(SwapKind kind) const;  ///< SwapTypes::absent when the configuration lacks it
};

/// Any word decodes; the caller has established that it is neither none nor present.
inline SwapEntry decode_swap(const SwapFormat& format, uint64_t pte) {
  SwapEntry e;
  e.type = static_cast<uint8_t>(x86::swp_type.get(pte));
  e.kind = format.kinds[e.type];
  e.offset = x86::swp_offset.get(pte);
  if (is_pfn_entry(e.kind)) e.pfn = e.offset & format.pfn_mask();
  if (is_migration(e.kind) && format.keeps_accessed_dirty()) {
    e.accessed = (e.offset >> format.pfn_bits & 1) != 0;
    e.dirty = (e.offset >> (format.pfn_bits + 1) & 1) != 0;
  }
  e.soft_dirty = (pte & x86::swp_soft_dirty.mask()) != 0;
  e.uffd_wp = (pte & x86::swp_uffd_wp.mask()) != 0;
  e.exclusive = (pte & x86::swp_exclusive.mask()) != 0;
  return e;
}
/// Convenience for code that is not hot.
inline SwapEntry decode_swap(const SwapTypes& types, uint64_t pte, uint8_t physical_bits) {
  return decode_swap(SwapFormat(types, physical_bits), pte);
}

/// The word of type number and offset, without software bits.
constexpr uint64_t make_swap_word(uint8_t type, uint64_t offset) {
  return x86::swp_type.put(type) | (x86::swp_offset.put(offset) & x86::swp_offset.mask());
}

/// The word for an entry. For pfn entries the offset is made from pfn (and A/D for migration entries), for
/// the others `offset` is taken. For kind swap `type` is the swap file; otherwise the type follows from the
/// kind. Error when the configuration lacks the kind or a number does not fit.
Result<uint64_t> encode_swap(const SwapFormat& format, const SwapEntry& entry);

/// "migration write pfn 0x12345 A D", "swap type 0 offset 0x777 E", "pte marker uffd-wp".
/// `marker_bits`: those that the kernel knows; a marker with others reads as a number.
std::string describe_swap(const SwapEntry& entry, uint64_t marker_bits = marker_uffd_wp | marker_poisoned | marker_guard);
/// describe() for a non-present word when the numbering in force is known better than the layout says.
std::string describe_swap(const Layout& layout, uint64_t word, const SwapTypes& types, uint8_t physical_bits);

}  // namespace hmmscope
