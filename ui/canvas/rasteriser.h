#pragma once
/// Draws an ImGui draw list into memory. Used by tests, screenshots and machines without a usable OpenGL.
///
/// Coverage is decided at pixel centres with the top-left rule on positions rounded to 1/256 pixel, and
/// colours are blended in integers: the same draw list gives the same bytes every time. Triangles that share
/// an edge never draw a pixel twice and leave no gap. Fast paths: axis-aligned rectangles of one colour,
/// axis-aligned glyph quads.
///
/// Threads: none of its own; const data only.

#include <cstdint>

#include "ui/canvas/input.h"

struct ImDrawData;

namespace hmmscope::ui {

/// Coverage texture: one byte a texel (the font atlas; a solid shape samples its white texel).
struct CoverageTexture {
  const uint8_t* texels = nullptr;
  int width = 0, height = 0;
};

/// Draws over the pixels that `target` has; its size must be the draw data's DisplaySize. The alpha channel
/// of the target stays opaque.
void rasterise_draw_data(const ImDrawData& data, const CoverageTexture& texture, Image& target);

}  // namespace hmmscope::ui
