#pragma once
/// The brush of the panels: logical pixels in, snapped to device pixels, so that lines and text are crisp at
/// every scale. Hides ImGui from the panels. Lives for one draw() call; a tooltip asked for is drawn last.

#include <string>
#include <string_view>
#include <vector>

#include "ui/canvas/fonts.h"
#include "ui/canvas/input.h"
#include "ui/theme/theme.h"

struct ImDrawList;
struct ImVec2;

namespace hmmscope::ui {

struct FrameState;

struct Rect {
  float x = 0, y = 0, w = 0, h = 0;
  float right() const { return x + w; }
  float bottom() const { return y + h; }
  float mid_x() const { return x + w / 2; }
  float mid_y() const { return y + h / 2; }
  bool contains(float px, float py) const { return px >= x && px < right() && py >= y && py < bottom(); }
  Rect inset(float by) const { return {x + by, y + by, w - 2 * by, h - 2 * by}; }
  /// Cuts `height` off the top and returns it.
  Rect take_top(float height);
};

enum class Align : uint8_t { left, center, right };

class Painter {
 public:
  explicit Painter(ThemeKind kind);
  ~Painter();
  Painter(const Painter&) = delete;
  Painter& operator=(const Painter&) = delete;

  const Theme& theme() const { return theme_; }
  Rect area() const;       ///< the whole canvas
  float hairline() const;  ///< one device pixel, in logical pixels

  // Shapes
  void fill(const Rect& rect, Color color, float radius = 0);
  void outline(const Rect& rect, Color color, float radius = 0, float thickness = 1);
  void hatch(const Rect& rect, Color color);  ///< diagonal lines: inferred, not seen
  void horizontal(float x0, float x1, float y, Color color, float thickness = 1);
  void vertical(float x, float y0, float y1, Color color, float thickness = 1);
  void curve(float x0, float y0, float x1, float y1, Color color,
             float thickness = 2);  ///< leaves and arrives level
  void disc(float x, float y, float radius, Color color);
  void ring(float x, float y, float radius, Color color, float thickness = 1);
  void wedge_down(float x, float y, float size, Color color);  ///< a small triangle pointing down at (x, y)
  void push_clip(const Rect& rect);
  void pop_clip();

  // Text: y is the top of the line. Returns the width drawn.
  float text(float x, float y, std::string_view text, Font font, Color color);
  /// In a box, vertically centred, cut with an ellipsis when it does not fit.
  float text_in(const Rect& rect, std::string_view text, Font font, Color color, Align align = Align::left);
  float width(std::string_view text, Font font) const;
  float line_height(Font font) const;
  /// Lines no wider than `width`; views into `text`.
  std::vector<std::string_view> wrap(std::string_view text, Font font, float width) const;

  // Input
  const CanvasInput& input() const;
  bool inside() const { return input().mouse_x >= 0; }
  bool hovered(const Rect& rect) const;
  bool clicked(const Rect& rect) const;  ///< pressed and released in it without dragging
  bool dragging() const;                 ///< left button down and moved
  float press_x() const;
  float drag_dx() const;  ///< since the previous frame
  bool press_started(const Rect& rect) const;
  bool key(Key key) const;
  /// A push button with the window's look; true when clicked.
  bool button(const Rect& rect, std::string_view label, bool enabled = true, bool on = false);
  void tooltip(std::vector<std::string> lines) {
    tooltip_ = std::move(lines);
  }  ///< first line is the heading
  void request_frame();

  /// The text a panel shows when it has nothing to draw.
  void empty(std::string_view heading, std::string_view advice);

 private:
  float snap(float logical) const;
  void draw_tooltip();

  const Theme& theme_;
  FrameState& state_;
  ImDrawList& list_;
  float scale_;
  std::vector<std::string> tooltip_;
};

}  // namespace hmmscope::ui
