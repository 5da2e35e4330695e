#pragma once
/// The hex digits that begin a text: how many, and the number they are. 16 bytes at once where there are as many.

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace hmmscope::traces {

struct HexRun {
  uint32_t digits = 0;   ///< up to 16; a seventeenth is not looked at
  uint64_t number = 0;
};

inline HexRun read_hex_run(std::string_view text) {
#if defined(__SSE2__)
  if (text.size() >= 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data()));
    const __m128i lower = _mm_or_si128(bytes, _mm_set1_epi8(0x20));
    const auto between = [](__m128i all, char first, char last) {   // bytes above 127 are below all of them
      return _mm_and_si128(_mm_cmpgt_epi8(all, _mm_set1_epi8(static_cast<char>(first - 1))),
                           _mm_cmplt_epi8(all, _mm_set1_epi8(static_cast<char>(last + 1))));
    };
    const __m128i decimal = between(bytes, '0', '9'), letter = between(lower, 'a', 'f');
    const auto valid = static_cast<uint32_t>(_mm_movemask_epi8(_mm_or_si128(decimal, letter)));
    const auto digits = static_cast<uint32_t>(std::countr_one(valid));
    if (digits == 0) return {};
    const __m128i nibbles = _mm_add_epi8(_mm_and_si128(bytes, _mm_set1_epi8(0x0f)), _mm_and_si128(letter, _mm_set1_epi8(9)));
    const __m128i pairs = _mm_and_si128(_mm_or_si128(_mm_slli_epi16(nibbles, 4), _mm_srli_epi16(nibbles, 8)), _mm_set1_epi16(0xff));
    const auto packed = static_cast<uint64_t>(_mm_cvtsi128_si64(_mm_packus_epi16(pairs, pairs)));
    return {digits, __builtin_bswap64(packed) >> (4 * (16 - digits))};
  }
#endif
  HexRun run;
  for (; run.digits < 16 && run.digits < text.size(); ++run.digits) {
    const char c = text[run.digits], lower = static_cast<char>(c | 0x20);
    if (c >= '0' && c <= '9') run.number = run.number << 4 | static_cast<uint64_t>(c - '0');
    else if (lower >= 'a' && lower <= 'f') run.number = run.number << 4 | static_cast<uint64_t>(lower - 'a' + 10);
    else break;
  }
  return run;
}

}  // namespace hmmscope::traces
