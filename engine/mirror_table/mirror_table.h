#pragma once
/// The 2015 mirror page table: directories of words with reference counts, the policy that frees them, its counters.
/// Iterators (mirror_iterator.h) do the work; this is what they share. All state is words: directories are mirror_table
/// regions (leaves mirror_pte*), what the kernel keeps in struct page is a mirror_directory region.
///
/// Source: mm/hmm_pt.c of the 2015 HMM series, version 2 of the patch, and its review.
/// Ownership: refers to the Machine. Threads: one. Writes go through the Machine: with a recorder a step must be open.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/machine/machine.h"
#include "engine/mirror_table/mirror_geometry.h"

namespace hmmscope {

enum class MirrorDirectoryState : uint64_t {
  freed,
  fresh,     ///< allocated, not yet published
  live,
  dying,     ///< the count reached 0; the entry above may still name it
  unlinked,  ///< no entry names it any more; it still counts on the directory above
  dead,      ///< on an iterator's list, waiting for the grace period
};

/// Which flags the leaf entries have.
enum class MirrorGeneration : uint8_t { first, device, select };

struct MirrorOptions {
  MirrorGeometry geometry;
  MirrorGeneration generation = MirrorGeneration::first;
  bool keep_until_unmap = false;   ///< the reviewer's proposal against thrashing
  bool compare_before_clear = true;
  bool grace_period = true;
};

/// What check() and the iterators find broken.
enum class MirrorViolation : uint64_t { none, lost_directory = 1, wrong_count = 2, dangling_entry = 3, use_after_free = 4 };

class MirrorTable {
 public:
  using PageId = uint32_t;
  static constexpr PageId no_page = ~PageId{0};
  static constexpr uint64_t first_pfn = 0x12345;

  /// Makes the root and the counters; opens a step of its own.
  MirrorTable(Machine& machine, MirrorOptions options, std::string name);
  MirrorTable(const MirrorTable&) = delete;
  MirrorTable& operator=(const MirrorTable&) = delete;

  Machine& machine() { return *machine_; }
  const MirrorOptions& options() const { return options_; }
  const MirrorGeometry& geometry() const { return options_.geometry; }
  const std::string& name() const { return name_; }

  // directories
  /// The lowest freed page of the kind, or a new one; words are zero. A step must be open.
  PageId allocate(uint32_t level, uint64_t addr);
  void free(PageId page);
  uint64_t pfn(PageId page) const { return first_pfn + page; }
  /// The directory an entry names; no_page when it is not valid.
  PageId page_of(uint64_t entry) const;
  uint64_t pde(PageId page) const;
  /// The entry for addr in the directory of `level` (root: page is ignored when level is 0).
  WordIndex entry_word(uint32_t level, PageId page, uint64_t addr) const;
  uint64_t get(PageId page, MirrorDirectoryWord word) const;
  void set(PageId page, MirrorDirectoryWord word, uint64_t value);
  uint64_t count(PageId page) const { return get(page, MirrorDirectoryWord::count); }
  void set_count(PageId page, uint64_t value) { set(page, MirrorDirectoryWord::count, value); }
  MirrorDirectoryState state(PageId page) const {
    return static_cast<MirrorDirectoryState>(get(page, MirrorDirectoryWord::state));
  }
  void set_state(PageId page, MirrorDirectoryState value) {
    set(page, MirrorDirectoryWord::state, static_cast<uint64_t>(value));
  }
  /// Which life of the page this is: a pointer taken in an earlier one is stale.
  uint64_t life(PageId page) const { return pages_[page].life; }
  size_t page_count() const { return pages_.size(); }

  // leaf entries
  const Layout& pte_layout() const { return *pte_layout_; }
  /// VALID_PFN, VALID_DMA or, from the device patch on, VALID_DEV.
  bool pte_valid(uint64_t pte) const { return (pte & pte_valid_mask_) != 0; }

  /// The leaf entry for addr as a walk of the tables finds it, whatever the counts; 0 when a directory is missing.
  uint64_t pte(uint64_t addr) const;

  // counters
  uint64_t counter(MirrorCounterWord word) const { return machine_->load(word_of(counters_, word)); }
  void count_up(MirrorCounterWord word, int64_t by = 1);

  /// hmm_pt_fini: frees what the table itself kept. Opens steps of its own.
  void fini();

  // violations
  void report(MirrorViolation what, uint64_t pfn, uint64_t expected = 0, uint64_t found = 0);
  MirrorViolation violation() const { return violation_; }   ///< the first one
  /// Looks at everything: counts against what they count, entries against pages, live directories against the entries
  /// that should name them. `protectors` holds, per page, how many iterators protect it. O(words of all directories).
  MirrorViolation check(const std::vector<uint32_t>& protectors) const;

 private:
  struct Page {
    WordIndex words, state;
    bool leaf;
    uint64_t life = 0;
  };
  uint64_t references(PageId page, const std::vector<uint32_t>& protectors) const;

  Machine* machine_;
  MirrorOptions options_;
  std::string name_;
  WordIndex root_ = no_word, counters_ = no_word;
  const Layout* pte_layout_;
  uint64_t pte_valid_mask_;
  std::vector<Page> pages_;
  MirrorViolation violation_ = MirrorViolation::none;
};

}  // namespace hmmscope
