#pragma once
/// Input and output of one canvas, free of Qt and of ImGui, so that the window, `hmmscope screenshot` and
/// tests drive the same panels.

#include <cstdint>
#include <string>
#include <vector>

namespace hmmscope::ui {

struct CanvasSize {
  int width = 0;  ///< logical pixels
  int height = 0;
  float scale = 1.0f;  ///< device pixels a logical pixel (1, 1.25, 1.5, 2, ...)
  bool operator==(const CanvasSize&) const = default;
};

enum class Key : uint8_t {
  left,
  right,
  up,
  down,
  home,
  end,
  page_up,
  page_down,
  enter,
  space,
  plus,
  minus
};

struct CanvasInput {
  float mouse_x = -1, mouse_y = -1;  ///< logical pixels; negative = outside
  bool button[3] = {false, false, false};
  float wheel_x = 0, wheel_y = 0;  ///< notches, positive = away from the user
  bool ctrl = false, shift = false, alt = false;
  bool focused = false;   ///< keyboard focus: a focus ring is drawn
  std::vector<Key> keys;  ///< pressed since the last frame
};

/// RGBA8, rows top to bottom, no padding. Device pixels.
struct Image {
  int width = 0, height = 0;
  std::vector<uint32_t> pixels;  ///< 0xAABBGGRR (R in the lowest byte)
};

}  // namespace hmmscope::ui
