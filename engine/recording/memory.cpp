#include "engine/recording/memory.h"

#include <algorithm>

#include "engine/base/too_large.h"

namespace hmmscope {

RegionId find_region(std::span<const Region> regions, WordIndex word) {
  const auto after = std::upper_bound(regions.begin(), regions.end(), word,
                                      [](WordIndex w, const Region& region) { return w < region.first; });
  if (after == regions.begin()) return no_region;
  const auto region = after - 1;
  if (word - region->first >= region->count) return no_region;
  return static_cast<RegionId>(region - regions.begin());
}

RegionId Memory::add_region(Region region) {
  if (region.count > max_words_ || words_.size() > max_words_ - region.count || regions_.size() >= max_regions_)
    throw TooLarge("the machine would need more memory than a run may use");
  region.first = static_cast<WordIndex>(words_.size());
  const uint32_t count = region.count;
  regions_.push_back(std::move(region));
  try {
    words_.append_zeros(count);
  } catch (...) {
    regions_.pop_back();
    throw;
  }
  return static_cast<RegionId>(regions_.size() - 1);
}

RegionId Memory::region_of(WordIndex word) const { return find_region(regions_, word); }

}  // namespace hmmscope
