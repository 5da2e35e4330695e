#pragma once
/// What a replay knows of each page-table entry between the events that show it. The word itself stands in
/// the machine's tables; here stands which parts of it events have told. Two kinds of memory:
///  - per word: the facts of entries that some event was about;
///  - per address space: ranges in which no page is mapped but where such a word says otherwise (fresh
///    mappings, what MADV_DONTNEED or munmap left).
/// Everything else is unknown. Threads: one.

#include <cstdint>
#include <map>
#include <unordered_map>
#include <vector>

#include "engine/recording/memory.h"

namespace hmmscope::traces {

/// Facts of an entry, as bits.
namespace pte_fact {
inline constexpr uint8_t kind = 1;   ///< none, mapped, zero page, device entry and so on
inline constexpr uint8_t write = 2;  ///< the permission
inline constexpr uint8_t pfn = 4;
inline constexpr uint8_t all = kind | write | pfn;
inline constexpr uint8_t seen = 8;  ///< the word counts, not the empty ranges
/// The accessed and dirty bits of an entry that no CPU changes any more (a migration entry).
inline constexpr uint8_t accessed_dirty = 16;
}  // namespace pte_fact

class PageFacts {
 public:
  uint8_t of(WordIndex word) const { return word < facts_.size() ? facts_[word] : uint8_t{0}; }
  /// `facts` 0 forgets the words, which then are as their range is.
  void set(WordIndex first, uint32_t count, uint8_t facts);

  /// [start, end) holds no pages.
  void add_empty(uint32_t space, uint64_t start, uint64_t end);
  /// Nothing is known of [start, end).
  void remove_empty(uint32_t space, uint64_t start, uint64_t end);
  bool is_empty(uint32_t space, uint64_t addr) const;
  /// Some page of [start, end) is.
  bool any_empty(uint32_t space, uint64_t start, uint64_t end) const;
  /// A fork: what is empty in `from` is empty in `to`.
  void copy_empty(uint32_t from, uint32_t to);
  void forget_space(uint32_t space) { empty_.erase(space); }

 private:
  using Ranges = std::map<uint64_t, uint64_t>;  ///< start to end, disjoint and not adjacent
  std::vector<uint8_t> facts_;
  std::unordered_map<uint32_t, Ranges> empty_;
};

}  // namespace hmmscope::traces
