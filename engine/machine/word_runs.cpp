#include "engine/machine/word_runs.h"

#include "engine/machine/simd.h"

namespace hmmscope {
namespace {

HMMSCOPE_INLINE_BODY void fill_body(uint64_t* __restrict dst, uint32_t count, uint64_t base, uint64_t stride,
                                    uint64_t keep) {
  uint64_t value = base;
  if (keep == 0) {
    for (uint32_t k = 0; k < count; ++k, value += stride) dst[k] = value;
  } else {
    for (uint32_t k = 0; k < count; ++k, value += stride) dst[k] = (dst[k] & keep) | value;
  }
}

HMMSCOPE_TARGET_AVX2 void fill_avx2(uint64_t* dst, uint32_t count, uint64_t base, uint64_t stride, uint64_t keep) {
  fill_body(dst, count, base, stride, keep);
}
void fill_baseline(uint64_t* dst, uint32_t count, uint64_t base, uint64_t stride, uint64_t keep) {
  fill_body(dst, count, base, stride, keep);
}

}  // namespace

void fill_run(uint64_t* dst, uint32_t count, uint64_t base, uint64_t stride, uint64_t keep) {
  if (cpu_has_avx2()) fill_avx2(dst, count, base, stride, keep);
  else fill_baseline(dst, count, base, stride, keep);
}

}  // namespace hmmscope
