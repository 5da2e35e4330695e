#pragma once
/// Filling runs of words at the speed of memory.

#include <cstdint>

namespace hmmscope {

/// dst[k] = (dst[k] & keep) | (base + k * stride) for k in [0, count).
void fill_run(uint64_t* dst, uint32_t count, uint64_t base, uint64_t stride, uint64_t keep);

}  // namespace hmmscope
