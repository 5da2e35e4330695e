#pragma once
/// struct hmm_pt_iter: walks the mirror page table, protects the directories on its path, frees those that die under it.
/// Its operations are programs of atomic actions (turns.h): between any two another iterator may run.
///
/// An action is what the kernel does under one lock or with one atomic operation: read an entry inside RCU, increment a
/// count if it is not zero, decrement and test, compare and clear under the lock of the directory above.
/// Ownership: refers to its table and to the other iterators' RCU sections through `everybody`. Threads: one.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/mirror_table/mirror_table.h"
#include "engine/mirror_table/turns.h"

namespace hmmscope {

struct MirrorAction {
  enum class Kind : uint8_t { lookup, populate, map_pfn, map_dma, map_dev, unmap, dirty, select, release, fini };
  Kind kind = Kind::lookup;
  uint64_t addr = 0;
  uint64_t value = 0;   ///< pfn of the page or of the DMA address
  bool write = false;

  /// The flag that the action sets in a leaf entry, besides WRITE; nothing when it sets none. A generation that lacks
  /// the flag cannot perform the action.
  std::optional<Role> role() const;
};

class MirrorIterator {
 public:
  using Everybody = std::vector<std::unique_ptr<MirrorIterator>>;

  MirrorIterator(MirrorTable& table, const Everybody& everybody, std::string name);
  MirrorIterator(const MirrorIterator&) = delete;
  MirrorIterator& operator=(const MirrorIterator&) = delete;

  const std::string& name() const { return name_; }
  /// Starts a program; the one before must be done.
  void begin(std::vector<MirrorAction> actions);
  bool done() const { return !program_ || program_->done(); }
  /// One action. Precondition: !done().
  void turn();
  /// Waits in synchronize_rcu for somebody who is still inside.
  bool blocked() const;
  /// Adds one for each directory it protects.
  void add_protected(std::vector<uint32_t>& protectors) const;
  /// The recorder's task of this iterator.
  uint32_t task = 0;

 private:
  using PageId = MirrorTable::PageId;
  struct Inside {
    const MirrorIterator* iterator;
    uint64_t section;
  };

  Program<void> run(std::vector<MirrorAction> actions);
  Program<void> perform(MirrorAction action);
  Program<void> move_to(uint64_t addr);
  Program<bool> protect(uint32_t level);
  Program<bool> lookup(uint64_t addr);
  Program<void> populate(uint64_t addr);
  Program<void> make_directory(uint32_t level);
  Program<void> unprotect(uint32_t level);
  Program<void> release();
  Program<void> fini();
  Program<void> free_dead();
  bool install(uint32_t level, PageId fresh);
  void set_pte(const MirrorAction& action);
  void clear_pte(uint64_t addr);
  void mark_pte(const MirrorAction& action);
  void unlink(PageId page);
  void bury(PageId page);
  void free_page(PageId page, RuleId rule);

  uint64_t cur() const { return get(MirrorIteratorWord::cur); }
  uint64_t get(MirrorIteratorWord word) const { return machine_.load(word_of(words_, word)); }
  void set(MirrorIteratorWord word, uint64_t value) { machine_.store(word_of(words_, word), value); }
  static MirrorIteratorWord ptd_word(uint32_t level) {
    return static_cast<MirrorIteratorWord>(static_cast<uint32_t>(MirrorIteratorWord::ptd1) + level - 1);
  }
  PageId ptd(uint32_t level) const;
  void set_ptd(uint32_t level, PageId page);
  /// The directory above `level` on the path: no_page for the root.
  PageId above(uint32_t level) const { return level <= 1 ? MirrorTable::no_page : ptd(level - 1); }
  PageId leaf() const { return table_.geometry().llevel == 0 ? MirrorTable::no_page : ptd(table_.geometry().llevel); }
  bool leaf_protected() const { return table_.geometry().llevel == 0 || leaf() != MirrorTable::no_page; }
  WordIndex pte_word(uint64_t addr) const { return table_.entry_word(table_.geometry().llevel, leaf(), addr); }
  void enter_rcu();
  void leave_rcu() { set(MirrorIteratorWord::rcu, 0); }

  MirrorTable& table_;
  Machine& machine_;
  const Everybody& everybody_;
  std::string name_;
  WordIndex words_;
  uint64_t section_ = 0;             ///< counts the RCU sections entered
  PageId spare_ = MirrorTable::no_page;
  std::vector<PageId> dead_;
  std::vector<Inside> waits_for_;
  Turns turns_;
  std::optional<Program<void>> program_;
};

}  // namespace hmmscope
