#pragma once
/// Which page of which file is in memory. Pfns come from the machine on first use, so the same accesses always give
/// the same pfns. Threads: one at a time.

#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "engine/machine/physical_memory.h"

namespace hmmscope {

class PageCache {
 public:
  static constexpr uint64_t unlimited = ~0ull;

  /// Size of a file in pages; faults at or past it are SIGBUS. Files never declared are unlimited.
  void set_size(uint64_t file, uint64_t pages) { sizes_[file] = pages; }
  uint64_t size(uint64_t file) const {
    const auto found = sizes_.find(file);
    return found == sizes_.end() ? unlimited : found->second;
  }
  std::optional<uint64_t> find(uint64_t file, uint64_t index) const {
    const auto found = pages_.find({file, index});
    return found == pages_.end() ? std::nullopt : std::optional<uint64_t>(found->second);
  }
  /// The page, read in when it is not there yet; 0 when there is no memory for it.
  uint64_t get(PhysicalMemory& physical, uint64_t file, uint64_t index) {
    if (const auto found = pages_.find({file, index}); found != pages_.end()) return found->second;
    const uint64_t pfn = physical.allocate(0);
    if (pfn != 0) pages_[{file, index}] = pfn;
    return pfn;
  }
  void put(uint64_t file, uint64_t index, uint64_t pfn) { pages_[{file, index}] = pfn; }
  /// The page is no longer in memory. False: it was not this one that was.
  bool drop(uint64_t file, uint64_t index, uint64_t pfn) {
    const auto found = pages_.find({file, index});
    if (found == pages_.end() || found->second != pfn) return false;
    pages_.erase(found);
    return true;
  }

 private:
  std::map<std::pair<uint64_t, uint64_t>, uint64_t> pages_;
  std::map<uint64_t, uint64_t> sizes_;
};

}  // namespace hmmscope
