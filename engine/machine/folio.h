#pragma once
/// A folio by its words: who uses it, who holds its lock, where it is mapped. A cheap handle like Vma; all
/// state is in the folio's region. A folio that was freed keeps its words (refcount 0) and gets them back
/// when its pfn is used again, so one page's history stays in one place.
///
/// Counting (order 0): every page-table entry that refers to the folio holds one reference and counts once in
/// mapcount (device-exclusive entries before 6.15 hold the reference only); the page cache and the swap cache
/// hold one reference; FOLL_PIN holds 1024. Source: mm/rmap.c, include/linux/mm.h, 6.12. All changes go
/// through Machine::store: with a recorder a step must be open. Threads: one at a time.

#include <cassert>
#include <cstdint>

#include "engine/machine/machine.h"

namespace hmmscope {

class Folio {
 public:
  static constexpr uint64_t pin_bias = 1024;  ///< GUP_PIN_COUNTING_BIAS

  Folio() = default;
  Folio(Machine& machine, WordIndex first) : machine_(&machine), first_(first) {}
  /// The folio that holds pfn; empty when nobody keeps counters for it.
  static Folio of(Machine& machine, uint64_t pfn) { return {machine, machine.physical().folio_of(pfn)}; }

  explicit operator bool() const { return first_ != no_word; }
  bool operator==(const Folio& other) const { return first_ == other.first_; }
  WordIndex word(FolioWord w) const { return word_of(first_, w); }
  uint64_t get(FolioWord w) const { return machine_->load(word(w)); }
  void set(FolioWord w, uint64_t value) const { machine_->store(word(w), value); }

  uint64_t pfn() const { return get(FolioWord::pfn); }
  uint64_t order() const { return get(FolioWord::order); }
  uint64_t pages() const { return 1ull << order(); }
  uint64_t refcount() const { return get(FolioWord::refcount); }
  uint64_t mapcount() const { return get(FolioWord::mapcount); }
  uint64_t mapping() const { return get(FolioWord::mapping); }
  uint64_t index() const { return get(FolioWord::index); }
  bool large() const { return order() != 0; }
  bool holds(uint64_t any_pfn) const { return any_pfn >= pfn() && any_pfn - pfn() < pages(); }
  bool mapped() const { return mapcount() != 0; }
  bool locked() const { return has(folio_flag::locked); }
  bool has(uint64_t flag) const { return (get(FolioWord::flags) & flag) != 0; }
  bool zone_device() const {
    return has(folio_flag::device_private | folio_flag::device_coherent | folio_flag::device_other);
  }
  bool device_private() const { return has(folio_flag::device_private); }
  /// folio_mapping(): the file's or the swap cache's; an anonymous folio outside the swap cache has none.
  bool in_a_cache() const { return has(folio_flag::anon) ? has(folio_flag::swapcache) : mapping() != 0; }
  /// folio_maybe_dma_pinned(): exact for large folios, a guess from the refcount for small ones.
  bool maybe_dma_pinned() const { return large() ? get(FolioWord::pincount) != 0 : refcount() >= pin_bias; }

  void set_flag(uint64_t flag, bool on = true) const {
    const uint64_t old = get(FolioWord::flags);
    const uint64_t now = on ? old | flag : old & ~flag;
    if (now != old) set(FolioWord::flags, now);
  }
  void take(uint64_t references = 1) const { set(FolioWord::refcount, refcount() + references); }
  /// Drops references; the last one frees the folio (see free_folio()). True when it was freed.
  bool put(uint64_t references = 1) const;
  void add_rmap(uint64_t mappings = 1) const { set(FolioWord::mapcount, mapcount() + mappings); }
  void remove_rmap(uint64_t mappings = 1) const {
    assert(mapcount() >= mappings);
    set(FolioWord::mapcount, mapcount() - mappings);
  }
  void lock(FolioLocker owner) const {
    assert(!locked());
    set_flag(folio_flag::locked);
    set(FolioWord::lock_owner, static_cast<uint64_t>(owner));
  }
  void unlock() const {
    assert(locked());
    set_flag(folio_flag::locked, false);
    set(FolioWord::lock_owner, 0);
  }

 private:
  Machine* machine_ = nullptr;
  WordIndex first_ = no_word;
};

/// Makes (or gives back) the words of a folio: no references, no flags but the kind of its memory.
Folio make_folio(Machine& machine, uint64_t pfn, uint32_t order);
/// A folio fresh from an allocator: one reference, the caller's.
Folio make_allocated_folio(Machine& machine, uint64_t pfn, uint32_t order);

/// Where an address lies in its VMA's mapping (linear_page_index).
inline uint64_t page_index(const Vma& vma, uint64_t addr) {
  return vma.pgoff() + (addr - vma.start()) / page_bytes;
}
/// Value of FolioWord::mapping for anonymous memory, and for a file's.
inline constexpr uint64_t anon_mapping = 1;
constexpr uint64_t file_mapping(uint64_t file) { return file << 1; }

}  // namespace hmmscope
