#include "engine/walk/pte_block.h"

#include <bit>

#include "engine/encoding/x86_bits.h"
#include "engine/machine/simd.h"

namespace hmmscope {
namespace {

constexpr uint32_t chunk = 32;

struct Converted {
  uint64_t value;    ///< what the slot gets, sticky bits of the old slot included
  uint64_t unusual;  ///< nonzero: the rules must decide
};

constexpr uint64_t all_if_bit(uint64_t word, uint32_t shift) { return 0 - ((word >> shift) & 1); }

/// Only shifts and logic on 64-bit lanes, so that SSE2 vectorises it too.
/// old is 0 when neither the mask nor sticky bits look at it.
HMMSCOPE_INLINE_BODY Converted convert(const PteBlock& b, uint64_t pte, uint64_t old) {
  const uint64_t request = (old & b.pfn_flags_mask) | b.default_flags;
  const uint64_t wants_page = all_if_bit(request, b.valid_shift);
  const uint64_t wants_write = all_if_bit(request, b.write_shift);
  const uint64_t present = all_if_bit(pte, x86::present.shift);
  const uint64_t writable = all_if_bit(pte, x86::rw.shift);

  Converted c;
  c.unusual = pte & ~present & ~(x86::accessed.mask() | x86::dirty.mask());   // non-present entries
  c.unusual |= pte & present & x86::special.mask();
  c.unusual |= wants_page & (~present | (wants_write & ~writable));
  const uint64_t pfn = ((pte & x86::pfn.mask()) >> x86::pfn.shift) << b.pfn_shift;
  const uint64_t flags = (1ull << b.valid_shift) | (writable & (1ull << b.write_shift));
  c.value = ((pfn | flags) & present) | (old & b.sticky);
  return c;
}

template <bool ReadsOld>
HMMSCOPE_INLINE_BODY uint32_t convert_all(const PteBlock& b, const uint64_t* __restrict ptes,
                                          uint64_t* __restrict slots, uint32_t count) {
  uint32_t done = 0;
  for (; done + chunk <= count; done += chunk) {
    uint64_t values[chunk];
    uint64_t unusual = 0;
    for (uint32_t i = 0; i < chunk; ++i) {
      const Converted c = convert(b, ptes[done + i], ReadsOld ? slots[done + i] : 0);
      values[i] = c.value;
      unusual |= c.unusual;
    }
    if (unusual != 0) break;
    for (uint32_t i = 0; i < chunk; ++i) slots[done + i] = values[i];
  }
  for (; done < count; ++done) {
    const Converted c = convert(b, ptes[done], ReadsOld ? slots[done] : 0);
    if (c.unusual != 0) break;
    slots[done] = c.value;
  }
  return done;
}

HMMSCOPE_TARGET_AVX2 uint32_t blind_avx2(const PteBlock& b, const uint64_t* p, uint64_t* s, uint32_t n) {
  return convert_all<false>(b, p, s, n);
}
HMMSCOPE_TARGET_AVX2 uint32_t reading_avx2(const PteBlock& b, const uint64_t* p, uint64_t* s, uint32_t n) {
  return convert_all<true>(b, p, s, n);
}
uint32_t blind_baseline(const PteBlock& b, const uint64_t* p, uint64_t* s, uint32_t n) {
  return convert_all<false>(b, p, s, n);
}
uint32_t reading_baseline(const PteBlock& b, const uint64_t* p, uint64_t* s, uint32_t n) {
  return convert_all<true>(b, p, s, n);
}

}  // namespace

PteBlock::PteBlock(const PfnFormat& format, uint64_t defaults, uint64_t mask)
    : default_flags(defaults), pfn_flags_mask(mask), sticky(format.sticky),
      valid_shift(static_cast<uint32_t>(std::countr_zero(format.valid))),
      write_shift(static_cast<uint32_t>(std::countr_zero(format.write))), pfn_shift(format.pfn_shift) {}

uint32_t convert_ptes(const PteBlock& block, const uint64_t* ptes, uint64_t* slots, uint32_t count) {
  const bool reads_old = (block.sticky | block.pfn_flags_mask) != 0;
  if (cpu_has_avx2()) {
    return reads_old ? reading_avx2(block, ptes, slots, count) : blind_avx2(block, ptes, slots, count);
  }
  return reads_old ? reading_baseline(block, ptes, slots, count) : blind_baseline(block, ptes, slots, count);
}

}  // namespace hmmscope
