#pragma once
/// Page-table entries under one kernel model: the model's answers (NUMA hints, devmap, type numbering) joined with
/// the constant predicates of x86_bits.h, so that the walk asks one object. Levels and their address arithmetic.
///
/// Immutable; any thread may read it. Source: arch/x86/include/asm/pgtable.h and include/linux/swapops.h, 6.1, 6.12.

#include <cstdint>

#include "engine/encoding/swap_entry.h"
#include "engine/encoding/x86_bits.h"
#include "engine/model/kernel_model.h"

namespace hmmscope {

/// Page-table levels by what one entry covers: pte 4K, pmd 2M, pud 1G, p4d 512G, pgd 256T. With four levels the p4d
/// is folded into the pgd: the top table is then Level::p4d, kept in a region of kind pgd.
enum class Level : uint8_t { pte, pmd, pud, p4d, pgd };

inline constexpr uint32_t page_bits = 12;   ///< PAGE_SHIFT of x86-64
inline constexpr uint64_t page_bytes = 1ull << page_bits;
inline constexpr uint64_t page_mask = ~(page_bytes - 1);
inline constexpr uint32_t entries_per_table = 512;

constexpr uint32_t level_shift(Level level) { return page_bits + 9u * static_cast<uint32_t>(level); }
constexpr uint64_t level_size(Level level) { return 1ull << level_shift(level); }
constexpr uint32_t level_order(Level level) { return 9u * static_cast<uint32_t>(level); }
constexpr uint32_t entry_index(Level level, uint64_t addr) {
  return static_cast<uint32_t>(addr >> level_shift(level)) & (entries_per_table - 1);
}
constexpr Level below(Level level) { return static_cast<Level>(static_cast<uint8_t>(level) - 1); }
/// The entry is present and no leaf.
constexpr bool points_to_table(uint64_t entry) {
  return (entry & (x86::present.mask() | x86::pse.mask())) == x86::present.mask();
}
/// End of the entry that covers addr, at most `end` (the kernel's pmd_addr_end and kin).
constexpr uint64_t level_end(Level level, uint64_t addr, uint64_t end) {
  const uint64_t boundary = (addr & ~(level_size(level) - 1)) + level_size(level);
  return boundary - 1 < end - 1 ? boundary : end;
}

/// Flags of an entry that points to a table (_PAGE_TABLE).
inline constexpr uint64_t table_flags = x86::present.mask() | x86::rw.mask() | x86::user.mask() |
                                        x86::accessed.mask() | x86::dirty.mask();

struct EntryFormat {
  bool numa_balancing;
  bool devmap;        ///< the kernel has devmap entries (until 6.16)
  bool shadow_stack;  ///< entries that are dirty and not writable are a shadow stack's
  SwapFormat swap;    ///< non-present entries

  explicit EntryFormat(const KernelModel& model)
      : numa_balancing(model.config.numa_balancing), devmap(model.devmap), shadow_stack(model.shadow_stacks()),
        swap(model.types, physmem_bits(model.config.levels)) {}

  /// pte_write and pmd_write: RW, or a shadow stack's D without RW.
  bool allows_write(uint64_t entry) const {
    return x86::pte_write(entry) || (shadow_stack && (entry & x86::dirty.mask()) != 0);
  }
  /// A NUMA hint; constant false without NUMA balancing.
  bool is_protnone(uint64_t entry) const { return numa_balancing && x86::pte_protnone(entry); }
  bool is_devmap(uint64_t entry) const { return devmap && (entry & x86::devmap.mask()) != 0; }
  /// pmd_trans_huge or pmd_devmap; the same test serves puds.
  bool is_huge(uint64_t entry) const { return x86::pmd_leaf(entry) || is_devmap(entry); }

  /// A present entry (a PROTNONE one when flags have no P): the pfn is stored inverted where the CPU needs that.
  static constexpr uint64_t make(uint64_t pfn, uint64_t flags) {
    const uint64_t entry = x86::pfn.put(pfn) | flags;
    return entry ^ (x86::invert_mask(entry) & x86::pfn.mask());
  }
  static constexpr uint64_t make_table(uint64_t pfn) { return make(pfn, table_flags); }
};

/// First pfn of a leaf of that level.
constexpr uint64_t leaf_pfn(Level level, uint64_t entry) {
  return level == Level::pte ? x86::pte_pfn(entry) : level == Level::pmd ? x86::pmd_pfn(entry) : x86::pud_pfn(entry);
}

}  // namespace hmmscope
