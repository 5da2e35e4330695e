#pragma once
/// What stands for an address in the page tables. Threads: reads only.

#include <cstdint>

#include "engine/machine/machine.h"

namespace hmmscope::scenario {

/// A pte, or a pmd or pud that is no table: a leaf, an entry that is not present, or none.
struct EntryAt {
  WordIndex word = no_word;   ///< no_word: a table above is missing
  Level level = Level::pte;
  uint64_t value = 0;

  bool huge() const { return level != Level::pte; }
  bool present() const { return huge() ? x86::pmd_present(value) : x86::pte_present(value); }
  /// Of a present entry: the first page it maps, and the one it maps addr to.
  uint64_t first_pfn() const { return huge() ? leaf_pfn(level, value) : x86::pte_pfn(value); }
  uint64_t pfn_of(uint64_t addr) const { return first_pfn() + offset_of(addr); }
  /// Pages from where the entry begins to addr.
  uint64_t offset_of(uint64_t addr) const { return (addr & (level_size(level) - 1)) / page_bytes; }
};

EntryAt entry_at(const Machine& machine, const AddressSpace& space, uint64_t addr);

}  // namespace hmmscope::scenario
