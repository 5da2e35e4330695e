#pragma once
/// What pages hold: one word a page, standing for the page's bytes (tests use its first value). A machine keeps none
/// unless somebody asks for it (Machine::keep_page_data); then faults clear new pages and copy written ones, and
/// drivers copy what they migrate, so that a test can ask whether the right bytes arrived.
///
/// Words live in regions of 512 pages, made when a page first holds something other than zero; a page without a
/// region holds zero. Ownership: by the Machine. Threads: one at a time.

#include <cstdint>
#include <map>
#include <string_view>
#include <utility>

#include "engine/recording/memory.h"

namespace hmmscope {

class Machine;

class PageData {
 public:
  explicit PageData(Machine& machine) : machine_(&machine) {}

  uint64_t load(uint64_t pfn) const;
  /// When recording, a step must be open.
  void store(uint64_t pfn, uint64_t value);
  void copy(uint64_t from, uint64_t to, uint64_t pages = 1);
  void clear(uint64_t pfn, uint64_t pages = 1);

  /// What a slot of the swap file holds follows the page that is written to it and comes back with a swap-in.
  void write_swap(uint64_t offset, uint64_t pfn);
  void read_swap(uint64_t offset, uint64_t pfn);

  /// What the disk holds of a page of a file: zeros until something is written, as in a file with holes.
  uint64_t load_file(uint64_t file, uint64_t index) const;
  void write_file(uint64_t file, uint64_t index, uint64_t value);
  void read_file(uint64_t file, uint64_t index, uint64_t pfn) { store(pfn, load_file(file, index)); }

 private:
  WordIndex find(uint64_t pfn) const;
  /// The word of `key` becomes `value`; one that never held anything but zero has no region.
  template <class Key>
  void keep(std::map<Key, WordIndex>& words, const Key& key, uint64_t value, uint64_t address, std::string_view name);

  Machine* machine_;
  std::map<std::pair<uint64_t, uint64_t>, WordIndex> files_;   ///< (file, page) -> its word on the disk
  std::map<uint64_t, WordIndex> chunks_;   ///< pfn / 512 -> first word
  std::map<uint64_t, WordIndex> slots_;    ///< offset of a swap slot -> its word, once it held something
};

}  // namespace hmmscope
