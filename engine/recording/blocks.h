#pragma once
/// Splitting a run of consecutive things into aligned blocks, so that a long run is listed a few times instead of once
/// a thing: whoever looks for the runs over one thing asks the one block a level that contains it.

#include <algorithm>
#include <bit>
#include <cstdint>

namespace hmmscope {

/// Calls visit(level, block) for blocks of 2^level things, aligned to their size (block b starts at b << level), that
/// together are [first, first + count): at most 2 log2(count) of them.
template <class Visit>
void for_each_block(uint32_t first, uint32_t count, Visit visit) {
  while (count > 0) {
    const auto by_size = static_cast<uint32_t>(std::bit_width(count) - 1);
    const uint32_t level =
        first == 0 ? by_size : std::min<uint32_t>(by_size, static_cast<uint32_t>(std::countr_zero(first)));
    visit(level, first >> level);
    first += 1u << level;
    count -= 1u << level;
  }
}

}  // namespace hmmscope
