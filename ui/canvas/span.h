#pragma once
/// Blending of 8-bit colours, exact and branch-light. Internal to the rasteriser.

#include <algorithm>
#include <cstdint>

namespace hmmscope::ui {

/// x / 255 rounded to nearest, for two 16-bit lanes at once (values up to 255 * 255 in each lane).
inline uint32_t div255_lanes(uint32_t lanes) {
  lanes += 0x00800080u;
  return ((lanes + ((lanes >> 8) & 0x00ff00ffu)) >> 8) & 0x00ff00ffu;
}

/// `color` over `under` with the colour's own alpha; the result is opaque.
inline uint32_t blend(uint32_t under, uint32_t color) {
  const uint32_t alpha = color >> 24, rest = 255 - alpha;
  const uint32_t rb = div255_lanes((color & 0x00ff00ffu) * alpha + (under & 0x00ff00ffu) * rest);
  const uint32_t g = div255_lanes(((color >> 8) & 0xffu) * alpha + ((under >> 8) & 0xffu) * rest);
  return 0xff000000u | (g << 8) | rb;
}

inline uint32_t scale_alpha(uint32_t color, uint32_t coverage) {
  if (coverage == 255) return color;
  return (color & 0x00ffffffu) | (div255_lanes((color >> 24) * coverage) << 24);
}

inline uint32_t blend(uint32_t under, uint32_t color, uint32_t coverage) {
  return blend(under, scale_alpha(color, coverage));
}

inline void fill_span(uint32_t* out, int count, uint32_t color) {
  const uint32_t alpha = color >> 24;
  if (alpha == 0) return;
  if (alpha == 255) {
    std::fill_n(out, count, color);
    return;
  }
  for (int i = 0; i < count; ++i) out[i] = blend(out[i], color);
}

}  // namespace hmmscope::ui
