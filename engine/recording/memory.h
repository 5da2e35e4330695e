#pragma once
/// The words. All state that hmmscope shows lives here as 64-bit words: page-table entries, hmm_pfns slots, folio
/// counters, notifier sequences, VMA fields. Words are allocated in regions (a page table, an array, a folio); a
/// region gives its words their identity. There is no second copy of state anywhere.
///
/// Ownership: a Memory owns its words. Threads: none of its own; one writer at a time.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/encoding/layout.h"
#include "engine/recording/column.h"

namespace hmmscope {

using WordIndex = uint32_t;
using RegionId = uint32_t;
inline constexpr WordIndex no_word = ~WordIndex{0};
inline constexpr RegionId no_region = ~RegionId{0};

enum class RegionKind : uint8_t {
  pgd, p4d, pud, pmd, pte,      ///< page tables, 512 words each
  hugetlb,                      ///< one entry of a hugetlb mapping that is not kept in the tables above
  hmm_pfns,                     ///< one array handed to hmm_range_fault
  migrate_src, migrate_dst,
  vma,                          ///< named words, see word_names()
  folio,
  notifier,                     ///< an interval notifier subscription
  mm,                           ///< an address space: sequence, lock, counters
  range,                        ///< struct hmm_range
  device_table,                 ///< a device's own page table: the hmm_pfns words it committed, one a page
  mirror_table,                 ///< 2015 hmm_pt directory of directories
  counters,
  mirror_pte, mirror_pte_device, mirror_pte_select,   ///< 2015 leaf directories, by the generation of their flags
  mirror_directory,             ///< what the kernel knows of a 2015 directory besides its entries
  mirror_iterator,              ///< struct hmm_pt_iter
  mirror_counters,
  count_
};

struct Region {
  RegionKind kind = RegionKind::counters;
  uint32_t owner = 0;       ///< which address space (tables, vma, arrays) or device the region belongs to
  WordIndex first = 0;      ///< set by Memory
  uint32_t count = 0;       ///< number of words
  uint64_t address = 0;     ///< tables and arrays: virtual address of word 0; folio: first pfn; else 0
  uint64_t stride = 0;      ///< tables and arrays: bytes of virtual address a word covers; else 0
  std::string name;         ///< "pte table", "hmm_pfns", "vma heap"; for people, not unique
};

/// Names of the words of kinds that are structs rather than arrays (vma, folio, notifier, mm, range); empty span for
/// arrays.
std::span<const std::string_view> word_names(RegionKind kind);
std::string_view region_kind_name(RegionKind kind);
/// The kind with that name; false when there is none.
bool region_kind_named(std::string_view name, RegionKind& kind);
/// Which family of layouts reads words of this kind (hmm_pfns -> hmm_pfn, pte -> x86_pte, ...).
Family family_of(RegionKind kind);

/// The region of `regions` (ascending, disjoint) that holds `word`; no_region if none. O(log regions).
RegionId find_region(std::span<const Region> regions, WordIndex word);

/// Words that were read and written, in order, repeats included.
struct AccessLog {
  std::vector<WordIndex> reads, writes;
};

class Memory {
 public:
  /// Words start as zero. Region ids and word indices only ever grow; nothing is freed, so an index stays an
  /// identity for the life of a recording.
  /// Throws TooLarge beyond the limits, leaving everything as it was.
  RegionId add_region(Region region);
  /// Most words and regions; without it as many as 32 bits number.
  void limit(WordIndex words, RegionId regions) { max_words_ = words, max_regions_ = regions; }

  uint64_t load(WordIndex word) const {
    if (log_ != nullptr) [[unlikely]] log_->reads.push_back(word);
    return words_[word];
  }
  void store(WordIndex word, uint64_t value) {
    if (log_ != nullptr) [[unlikely]] log_->writes.push_back(word);
    words_[word] = value;
  }
  /// For runs of words: unlogged (see log_run). Invalidated by add_region.
  uint64_t* data() { return words_.data(); }
  /// From now on loads and stores are logged; nullptr: no longer. Not owned. Returns who logged before.
  AccessLog* log_accesses(AccessLog* log) { return std::exchange(log_, log); }
  /// A run that is read and written through data().
  void log_run(WordIndex first, uint32_t count) {
    for (uint32_t k = 0; log_ != nullptr && k < count; ++k) log_->writes.push_back(first + k);
  }
  std::span<const uint64_t> words() const { return words_.span(); }
  std::span<const Region> regions() const { return regions_; }
  const Region& region(RegionId id) const { return regions_[id]; }
  /// The region that holds `word`; no_region if none. O(log regions).
  RegionId region_of(WordIndex word) const;

 private:
  Column<uint64_t> words_;
  std::vector<Region> regions_;
  AccessLog* log_ = nullptr;
  WordIndex max_words_ = no_word - 1;
  RegionId max_regions_ = no_region - 1;
};

}  // namespace hmmscope
