#include "engine/walk/pte_block.h"

#include <bit>
#include <cstring>

#include "engine/encoding/x86_bits.h"
#include "engine/machine/simd.h"

namespace hmmscope {
namespace {

/// Four entries at once; the compiler lowers it to whatever the target has. GCC 12 does not vectorise these loops by
/// itself. Passed by reference, since the ABI of by-value vectors depends on the target.
using Lanes = uint64_t __attribute__((vector_size(32)));
constexpr uint32_t lanes = 4, chunk = 16 * lanes;

HMMSCOPE_INLINE_BODY void load(Lanes& v, const uint64_t* from) { std::memcpy(&v, from, sizeof v); }
HMMSCOPE_INLINE_BODY void load(uint64_t& v, const uint64_t* from) { v = *from; }
HMMSCOPE_INLINE_BODY void save(uint64_t* to, const Lanes& v) { std::memcpy(to, &v, sizeof v); }
HMMSCOPE_INLINE_BODY void save(uint64_t* to, const uint64_t& v) { *to = v; }

/// What an entry becomes when it is plain: an empty one has no pfn, no P and no RW, so it becomes 0 by itself.
template <class T>
HMMSCOPE_INLINE_BODY void plain_value(T& value, const T& pte, const PteBlock& b) {
  value = (pte & x86::pfn.mask()) >> x86::pfn.shift | (pte & x86::present.mask()) << b.valid_shift |
          ((pte & x86::rw.mask()) >> x86::rw.shift) << b.write_shift;
}
/// Bits stay in `odd` when the rules must decide: non-present entries and special ones.
template <class T>
HMMSCOPE_INLINE_BODY void add_unusual(T& odd, const T& pte) {
  constexpr uint64_t ignored = x86::accessed.mask() | x86::dirty.mask();
  const T absent = (pte & x86::present.mask()) - 1;   // all ones when P is clear
  odd |= (pte & ~ignored & absent) | (pte & x86::special.mask());
}
/// Bits stay in `odd` when the slot asks for more than the mapping gives.
template <class T>
HMMSCOPE_INLINE_BODY void add_unmet(T& odd, const T& pte, const T& old, const PteBlock& b) {
  const T request = (old & b.pfn_flags_mask) | b.default_flags;
  const T asks = -((request >> b.valid_shift) & 1), asks_write = -((request >> b.write_shift) & 1);
  const T absent = (pte & x86::present.mask()) - 1;
  const T read_only = ((pte >> x86::rw.shift) & 1) - 1;
  odd |= asks & (absent | (asks_write & read_only));
}

enum class Mode { blind_snapshot, keeping_snapshot, requests };

/// Converts entries [at, at + width of T) unless one is odd; odd collects.
/// In a snapshot a slot is written before it is known whether the rules must write it again: nothing can be asked
/// for, so they look at nothing in it but the sticky bits, and those stay.
template <Mode mode, class T>
HMMSCOPE_INLINE_BODY void convert_one(T& odd, const PteBlock& b, const uint64_t* pte_at, uint64_t* slot_at) {
  T pte, value;
  load(pte, pte_at);
  plain_value(value, pte, b);
  add_unusual(odd, pte);
  if constexpr (mode != Mode::blind_snapshot) {
    T old;
    load(old, slot_at);
    value |= old & b.sticky;
    if constexpr (mode == Mode::requests) add_unmet(odd, pte, old, b);
  }
  if constexpr (mode != Mode::requests) save(slot_at, value);
}

HMMSCOPE_INLINE_BODY void write_requested(const PteBlock& b, const uint64_t* ptes, uint64_t* slots, uint32_t count) {
  for (uint32_t i = 0; i < count; i += lanes) {
    Lanes pte, old, value;
    load(pte, ptes + i);
    load(old, slots + i);
    plain_value(value, pte, b);
    value |= old & b.sticky;
    save(slots + i, value);
  }
}

template <Mode mode>
HMMSCOPE_INLINE_BODY uint32_t convert_all(const PteBlock b, const uint64_t* ptes, uint64_t* slots, uint32_t count) {
  uint32_t done = 0;
  for (; count - done >= chunk; done += chunk) {
    Lanes odd{};
    for (uint32_t i = 0; i < chunk; i += lanes) convert_one<mode>(odd, b, ptes + done + i, slots + done + i);
    if ((odd[0] | odd[1] | odd[2] | odd[3]) != 0) break;
    if constexpr (mode == Mode::requests) write_requested(b, ptes + done, slots + done, chunk);
  }
  for (; done < count; ++done) {
    uint64_t odd = 0;
    if constexpr (mode == Mode::requests) {
      convert_one<mode>(odd, b, ptes + done, slots + done);
      if (odd != 0) break;
      uint64_t value;
      plain_value(value, ptes[done], b);
      slots[done] = (slots[done] & b.sticky) | value;
    } else {
      add_unusual(odd, ptes[done]);
      if (odd != 0) break;
      convert_one<mode>(odd, b, ptes + done, slots + done);
    }
  }
  return done;
}

HMMSCOPE_INLINE_BODY uint32_t convert_any(const PteBlock& b, const uint64_t* ptes, uint64_t* slots, uint32_t count) {
  if (b.can_ask) return convert_all<Mode::requests>(b, ptes, slots, count);
  return b.sticky != 0 ? convert_all<Mode::keeping_snapshot>(b, ptes, slots, count)
                       : convert_all<Mode::blind_snapshot>(b, ptes, slots, count);
}
HMMSCOPE_TARGET_AVX2 uint32_t convert_avx2(const PteBlock& b, const uint64_t* ptes, uint64_t* slots, uint32_t count) {
  return convert_any(b, ptes, slots, count);
}
uint32_t convert_baseline(const PteBlock& b, const uint64_t* ptes, uint64_t* slots, uint32_t count) {
  return convert_any(b, ptes, slots, count);
}

}  // namespace

PteBlock::PteBlock(const PfnFormat& format, uint64_t defaults, uint64_t mask)
    : default_flags(defaults), pfn_flags_mask(mask), sticky(format.sticky),
      valid_shift(static_cast<uint32_t>(std::countr_zero(format.valid))),
      write_shift(static_cast<uint32_t>(std::countr_zero(format.write))),
      can_ask(((defaults | mask) & format.req_fault()) != 0), applies(format.pfn_shift == 0) {}

uint32_t convert_ptes(const PteBlock& block, const uint64_t* ptes, uint64_t* slots, uint32_t count) {
  if (!block.applies) return 0;
  return cpu_has_avx2() ? convert_avx2(block, ptes, slots, count) : convert_baseline(block, ptes, slots, count);
}

}  // namespace hmmscope
