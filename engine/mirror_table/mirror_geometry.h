#pragma once
/// Levels of the 2015 mirror page table (hmm_pt): everything follows from the last address, the page size and the size
/// of an entry. Level 0 is the root, which may be smaller than a directory; llevel is the leaf level.
///
/// Source: hmm_pt_init of the 2015 HMM series and its review. A value; any thread.

#include <array>
#include <cstdint>

#include "engine/base/result.h"

namespace hmmscope {

/// HMM_PT_MAX_LEVEL
inline constexpr uint32_t mirror_max_levels = 6;

/// What hmm_pt_init makes of `last`: the reviewed version clears the bits inside the page, a later one sets them.
enum class LastRounding : uint8_t { clear, set };

struct MirrorGeometry {
  uint64_t last = 0;                 ///< inclusive
  uint32_t page_shift = 12;
  uint32_t directory_shift = 9;
  uint64_t directory_mask = 511;
  uint32_t llevel = 0;
  std::array<uint32_t, mirror_max_levels> shift{};
  std::array<uint64_t, mirror_max_levels> mask{};
  uint64_t root_entries = 0;

  /// Error when `last` lies inside the first page (the kernel asks for the highest bit of 0), when more than six levels
  /// would be needed, or when page or entry size are not powers of two that make sense.
  static Result<MirrorGeometry> of(uint64_t last, uint32_t page_shift = 12, uint32_t entry_bytes = 8,
                                   LastRounding rounding = LastRounding::clear);

  uint32_t index(uint32_t level, uint64_t addr) const {
    return static_cast<uint32_t>((addr >> shift[level]) & directory_mask);
  }
  uint64_t entries(uint32_t level) const { return level == 0 ? root_entries : directory_mask + 1; }
  /// First address of the directory of that level that covers addr.
  uint64_t level_start(uint32_t level, uint64_t addr) const { return level == 0 ? 0 : addr & mask[level - 1]; }
  /// Its last address, inclusive.
  uint64_t level_end(uint32_t level, uint64_t addr) const { return level == 0 ? last : addr | ~mask[level - 1]; }
};

}  // namespace hmmscope
