#pragma once
/// Looks for a byte in 16 at a time, without a call: for distances too short for memchr to pay.

#include <bit>
#include <cstdint>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace hmmscope::traces {

/// Bit i: p[i] == c, for 16 bytes.
inline uint32_t equal_mask(const char* p, char c) {
#if defined(__SSE2__)
  const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  return static_cast<uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(c))));
#else
  uint32_t mask = 0;
  for (unsigned i = 0; i < 16; ++i) mask |= static_cast<uint32_t>(p[i] == c) << i;
  return mask;
#endif
}

/// payload.find(c, at).
inline size_t find_near(std::string_view payload, char c, size_t at) {
  for (; at + 16 <= payload.size(); at += 16) {
    if (const uint32_t found = equal_mask(payload.data() + at, c); found != 0) return at + static_cast<size_t>(std::countr_zero(found));
  }
  for (; at < payload.size(); ++at) {
    if (payload[at] == c) return at;
  }
  return std::string_view::npos;
}

/// payload.find(c, at), unless `stop` comes first.
inline size_t find_near(std::string_view payload, char c, char stop, size_t at) {
  for (; at + 16 <= payload.size(); at += 16) {
    const uint32_t found = equal_mask(payload.data() + at, c), stops = equal_mask(payload.data() + at, stop);
    if ((found | stops) == 0) continue;
    const auto first = static_cast<size_t>(std::countr_zero(found | stops));
    return (found >> first & 1) != 0 ? at + first : std::string_view::npos;
  }
  for (; at < payload.size(); ++at) {
    if (payload[at] == c) return at;
    if (payload[at] == stop) break;
  }
  return std::string_view::npos;
}

}  // namespace hmmscope::traces
