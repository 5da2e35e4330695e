#pragma once
/// An address space (the kernel's mm): VMAs, page tables and the interval-notifier subscriptions. A VMA is a region
/// of words; the sorted index only holds where those words are, so that words stay the one copy of state.
///
/// Ownership: owned by its Machine, never moves. Threads: one at a time. All mutators write through Machine::store:
/// with a recorder a step must be open.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/machine/page_tables.h"
#include "engine/machine/words.h"
#include "engine/mirror/interval_notifier.h"
#include "engine/recording/memory.h"

namespace hmmscope {

class Machine;

/// A VMA by its first word; a cheap handle. Valid for the life of the Machine (an unmapped VMA reads start = end = 0).
class Vma {
 public:
  Vma() = default;
  Vma(const Memory* memory, WordIndex first) : memory_(memory), first_(first) {}

  explicit operator bool() const { return first_ != no_word; }
  bool operator==(const Vma& other) const { return first_ == other.first_; }
  WordIndex first() const { return first_; }
  WordIndex word(VmaWord w) const { return word_of(first_, w); }

  uint64_t start() const { return get(VmaWord::start); }
  uint64_t end() const { return get(VmaWord::end); }            ///< exclusive
  uint64_t flags() const { return get(VmaWord::flags); }        ///< vm:: bits (the kernel's VM_*)
  uint64_t pgoff() const { return get(VmaWord::pgoff); }
  VmaKind kind() const { return static_cast<VmaKind>(get(VmaWord::kind)); }
  uint64_t file() const { return get(VmaWord::file); }          ///< 0 = none
  bool is_shadow_stack() const { return (flags() & vm::shadow_stack) != 0; }
  /// pte_mkdirty and pte_mkwrite: what makes an entry of this VMA one that may be written. A shadow stack's has no RW.
  uint64_t write_bits() const { return is_shadow_stack() ? x86::dirty.mask() : x86::rw.mask() | x86::dirty.mask(); }
  bool is_hugetlb() const { return (flags() & vm::hugetlb) != 0; }
  /// log2 of the hstate's page size (21 or 30) of a hugetlb VMA, else 12.
  uint32_t huge_shift() const { return static_cast<uint32_t>(get(VmaWord::page_shift)); }

 private:
  uint64_t get(VmaWord w) const { return memory_->load(word(w)); }
  const Memory* memory_ = nullptr;
  WordIndex first_ = no_word;
};

struct VmaSpec {
  uint64_t start = 0, end = 0;   ///< page aligned, start < end
  uint64_t flags = vm::read | vm::write;
  uint64_t pgoff = 0;
  VmaKind kind = VmaKind::anonymous;
  uint64_t file = 0;
  uint32_t page_shift = 12;      ///< 21 or 30 with vm::hugetlb (start and end aligned to it), else 12
  std::string name;
};

class AddressSpace {
 public:
  AddressSpace(Machine& machine, uint32_t id, std::string name);
  AddressSpace(const AddressSpace&) = delete;
  AddressSpace& operator=(const AddressSpace&) = delete;

  uint32_t id() const { return id_; }                     ///< Region::owner of everything that belongs to it
  const std::string& name() const { return name_; }
  Machine& machine() { return *machine_; }
  WordIndex word(MmWord w) const { return word_of(mm_, w); }

  /// The OOM reaper has been at it: what is mapped may go at any moment, nobody may add to it.
  bool unstable() const;

  // VMAs
  /// Error when the spec is misaligned, empty, beyond the tables' limit, or overlaps an existing VMA.
  Result<Vma> add_vma(const VmaSpec& spec);
  /// Takes the VMA out of the index and sets start = end = 0. Page tables are not touched.
  void remove_vma(Vma vma);
  /// Cuts vma at addr (inside it, page aligned) and returns the upper part.
  Result<Vma> split_vma(Vma vma, uint64_t addr);
  /// What another VMA like this one is made from.
  VmaSpec spec_of(const Vma& vma) const;
  /// Moves the ends; the caller keeps VMAs disjoint.
  void resize_vma(Vma vma, uint64_t start, uint64_t end);
  /// The kernel's find_vma: the first VMA whose end is above addr (it may start above addr too); empty when none.
  Vma find_vma(uint64_t addr) const;
  /// The VMA that contains addr; empty when none.
  Vma vma_at(uint64_t addr) const;
  std::span<const WordIndex> vmas() const { return vmas_; }   ///< first words, by address
  /// Where in vmas() the first VMA is whose end is above addr; its size when there is none.
  size_t first_above(uint64_t addr) const;
  Vma vma(WordIndex first) const;

  // entries
  PageTables& tables() { return tables_; }
  const PageTables& tables() const { return tables_; }
  WordIndex find_entry(Level level, uint64_t addr) const { return tables_.find_entry(level, addr); }
  WordIndex ensure_entry(Level level, uint64_t addr) { return tables_.ensure_entry(level, addr); }
  /// ensure_entry + store.
  void set_entry(Level level, uint64_t addr, uint64_t value);
  /// The level of a hugetlb VMA's entries (pmd for 2M, pud for 1G).
  static Level hugetlb_level(Vma vma) { return vma.huge_shift() >= 30 ? Level::pud : Level::pmd; }

  NotifierSubscriptions& notifiers() { return notifiers_; }
  const NotifierSubscriptions& notifiers() const { return notifiers_; }

 private:
  Machine* machine_;
  uint32_t id_;
  std::string name_;
  WordIndex mm_;
  PageTables tables_;
  std::vector<WordIndex> vmas_;
  NotifierSubscriptions notifiers_;
};

}  // namespace hmmscope
