#pragma once
/// Physical memory: which pfns are in use, the folios whose counters are shown, device memory and who owns it, swap
/// slots. Allocation is deterministic: the same calls give the same pfns.

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/machine/words.h"
#include "engine/recording/memory.h"

namespace hmmscope {

class DeviceDriver;   // engine/migrate/device_migration.h
class Machine;

/// Stand in an AccessLog for the allocators, whose state is in no word.
inline constexpr WordIndex system_allocator_word = no_word - 1, device_allocator_word = no_word - 2;

/// A range of pfns that belongs to a device (ZONE_DEVICE). `owner` is what range.dev_private_owner is compared with.
struct DeviceMemory {
  uint64_t first_pfn = 0;
  uint64_t pages = 0;
  uint64_t owner = 0;
  bool coherent = false;   ///< device-coherent: mapped by ordinary present entries
  std::string name;
  DeviceDriver* driver = nullptr;   ///< told when its pages go home on a CPU fault; not owned
  bool other = false;      ///< neither private nor coherent (MEMORY_DEVICE_PCI_P2PDMA): no process can have such pages
};

class PhysicalMemory {
 public:
  explicit PhysicalMemory(Machine& machine);

  // special pages; a replay sets them from its trace
  uint64_t zero_pfn() const { return zero_pfn_; }
  void set_zero_pfn(uint64_t pfn) { zero_pfn_ = pfn; }
  bool is_zero_pfn(uint64_t pfn) const { return pfn == zero_pfn_; }
  uint64_t huge_zero_pfn() const { return huge_zero_pfn_; }   ///< first of 512
  void set_huge_zero_pfn(uint64_t pfn) { huge_zero_pfn_ = pfn; }

  // system memory
  /// A fresh naturally aligned block of 1 << order pages (order <= 18). Freed blocks of the same order are reused,
  /// last freed first.
  /// 0 when memory is full (pfn 0 is never handed out).
  uint64_t allocate(uint32_t order);
  void free(uint64_t pfn, uint32_t order);
  /// At most so many pages may be in use through allocate(); unlimited at first.
  void set_limit(uint64_t pages) { limit_ = pages; }
  uint64_t used_pages() const { return used_; }
  /// From now on pages that lose their last reference are handed out again, the lowest (of a device: the highest) free
  /// one first: what comes next then depends on which pages are in use alone, not on how that came about. At first
  /// system pages are not, so that a pfn means one page throughout a recording. Call before anything is allocated.
  void reuse_freed_pages() { reuses_ = true; }
  /// A page of allocate() that lost its last reference.
  void release(uint64_t pfn, uint32_t order);
  uint64_t allocate_table();   ///< pfn for a page table; counted apart so that data pfns do not depend on tables

  // folios: regions of FolioWord words, for folios somebody looks at
  /// Makes the folio's words; pfn and order are written (a step must be open when recording), refcount starts at 0.
  WordIndex add_folio(uint64_t pfn, uint32_t order, std::string name = "folio");
  /// First word of the folio that holds pfn; no_word when there is none.
  WordIndex folio_of(uint64_t pfn) const;
  /// Forgets the pfn range (its words stay, as history). For a folio that is freed or split.
  void forget_folio(uint64_t pfn);
  /// Some of the pages belong to a folio with references. Allocations step over such pages.
  bool in_use(uint64_t first_pfn, uint64_t pages) const;

  // device memory
  void add_device(DeviceMemory device);   ///< later ranges win where they overlap
  const DeviceMemory* device_of(uint64_t pfn) const;   ///< nullptr: not device memory
  /// The page's pgmap owner; nothing when the pfn is not device memory.
  std::optional<uint64_t> owner_of(uint64_t pfn) const;
  /// A page, or with order 9 an aligned block of 512, from the top downwards; freed ones of the same order first. 0 when
  /// there is none; when only freed blocks are left, one of them is taken apart for single pages.
  uint64_t allocate_device_page(const DeviceMemory& device, uint32_t order = 0);
  void free_device_page(uint64_t pfn, uint32_t order = 0);   ///< order as it was allocated, or 0 after a split
  /// How many of the device's top pages were ever handed out; the free ones among them included.
  uint64_t device_pages_handed_out(const DeviceMemory& device) const;
  const std::vector<DeviceMemory>& devices() const { return devices_; }

  // swap
  /// A free slot of a swap file: the offset, never 0.
  uint64_t allocate_swap_slot();
  void free_swap_slot(uint64_t offset);
  /// The slot a page in the swap cache was read from (or last written to), 0 when none is known. Only asked for folios
  /// that have the swapcache flag; what was said of a page that has left the cache since is overwritten, not removed.
  uint64_t swap_cache_slot(uint64_t pfn) const;
  void set_swap_cache_slot(uint64_t pfn, uint64_t offset) { swap_cache_[pfn] = offset; }

 private:
  Machine* machine_;
  uint64_t zero_pfn_, huge_zero_pfn_;
  uint64_t next_pfn_, next_table_pfn_;
  uint64_t limit_ = ~0ull, used_ = 0;
  std::array<std::vector<uint64_t>, 19> free_;   ///< by order
  bool reuses_ = false;
  std::map<uint64_t, uint32_t> handed_out_;      ///< pfn -> order; kept when reuses_
  std::map<uint64_t, std::pair<uint64_t, WordIndex>> folios_;   ///< first pfn -> (one past last, words)
  std::vector<DeviceMemory> devices_;
  std::vector<uint64_t> device_next_;            ///< by device: pages handed out from the top
  struct FreeDevicePages {
    std::vector<uint64_t> single, block;
  };
  std::vector<FreeDevicePages> device_free_;     ///< by device
  size_t index_of(const DeviceMemory& device) const;
  uint64_t take_free_block(size_t device);
  uint64_t next_swap_ = 1;
  std::vector<uint64_t> free_swap_;
  std::map<uint64_t, uint64_t> swap_cache_;   ///< pfn -> offset
};

}  // namespace hmmscope
