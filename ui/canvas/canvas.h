#pragma once
/// One ImGui context around one panel. A frame turns input and view into a draw list; the list is then drawn
/// with OpenGL by the window, or rasterised in software here (tests, screenshots, machines without a usable
/// OpenGL). ImGui is used in canvas/ only: contexts and input in canvas.cpp, shapes and text in painter.cpp,
/// fonts in fonts.cpp.
///
/// The draw list is in device pixels (DisplaySize = size * scale, FramebufferScale 1, DisplayPos 0).
///
/// Threads: all canvases live on one thread (ImGui keeps its current context in a global). Ownership: owns
/// its ImGui context and panel, shares the fonts.

#include <memory>

#include "ui/canvas/fonts.h"
#include "ui/canvas/input.h"
#include "ui/panels/panel.h"

struct ImDrawData;

namespace hmmscope::ui {

class Canvas {
 public:
  /// Canvases that share `fonts` share the font atlases; nullptr = fonts of its own.
  explicit Canvas(std::unique_ptr<Panel> panel, std::shared_ptr<FontCache> fonts = nullptr);
  ~Canvas();
  Canvas(const Canvas&) = delete;
  Canvas& operator=(const Canvas&) = delete;

  Panel& panel();
  /// One frame. The draw data stays valid until the next frame. Intents are appended.
  void frame(const CanvasSize& size, const CanvasInput& input, const ViewContext& view, Intents& intents);
  const ImDrawData* draw_data() const;
  /// True while something animates or a second frame is needed to settle (layout, hover); the shell schedules
  /// another.
  bool wants_another_frame() const;
  /// Rasterises the last frame. Byte-stable for the same input on any machine with the same fonts.
  void rasterise(Image& image) const;
  /// The font atlas as RGBA8, and a counter that changes when it was rebuilt (device pixel ratio, theme).
  void font_atlas(const uint8_t*& rgba, int& width, int& height, uint64_t& generation) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Saves as PNG; error names the path.
Result<void> save_png(const Image& image, const std::string& path);

}  // namespace hmmscope::ui
