#pragma once
/// The page tables of one address space. Every entry is a word of a table region (kinds pgd, p4d, pud, pmd, pte);
/// which region is below an entry follows from the virtual address alone, so a table keeps its identity when the
/// kernel frees and reallocates it: the region's words simply become zero again.
///
/// Ownership: refers to the Machine, owns only the index of regions. Writes go through Machine::store, so with a
/// recorder a step must be open. Threads: one writer at a time.

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/machine/entry_format.h"
#include "engine/recording/memory.h"

namespace hmmscope {

class Machine;

class PageTables {
 public:
  PageTables(Machine& machine, uint32_t owner);

  uint32_t levels() const { return levels_; }        ///< 4 or 5
  Level top() const { return levels_ == 5 ? Level::pgd : Level::p4d; }
  /// One past the highest address the tables can map (1 << 48 or 1 << 57).
  uint64_t limit() const { return 1ull << (level_shift(top()) + 9); }

  /// The word of the entry that covers addr at `level`; no_word when its table does not exist (some entry above is
  /// none or a leaf). Reads the words above, so it always agrees with them.
  WordIndex find_entry(Level level, uint64_t addr) const;
  /// As find_entry, but creates missing tables and writes the entries above (make_table with a fresh table pfn). An
  /// entry above that is a leaf or not present is replaced: split or zap it first if that matters.
  WordIndex ensure_entry(Level level, uint64_t addr);
  /// The word a table has for addr whether or not the entries above point to it; no_word when the table never
  /// existed. For replays and views.
  WordIndex entry_word(Level level, uint64_t addr) const;
  /// As entry_word, creating the table's region without writing any entry above.
  WordIndex ensure_word(Level level, uint64_t addr);

  /// Sets the table below the entry of `level` that covers addr to zero (a freed table). The entry itself is left.
  void clear_table_below(Level level, uint64_t addr);

  uint32_t table_count() const { return static_cast<uint32_t>(tables_.size()); }

 private:
  static constexpr uint32_t no_table = ~0u;
  struct Table {
    WordIndex first;
    Level level;
    std::unique_ptr<std::array<uint32_t, entries_per_table>> children;  ///< null for pte tables
  };

  uint32_t table_for(Level level, uint64_t addr) const;   ///< by address only; no_table if it never existed
  uint32_t ensure_table(Level level, uint64_t addr);
  uint32_t add_table(Level level, uint64_t addr);

  Machine* machine_;
  uint32_t owner_;
  uint32_t levels_;
  std::vector<Table> tables_;  ///< [0] is the top table
};

}  // namespace hmmscope
