#include "ui/canvas/painter.h"

#include <imgui.h>

#include <algorithm>
#include <cmath>

#include "ui/canvas/frame_state.h"

namespace hmmscope::ui {
namespace {

constexpr std::string_view ellipsis = "\xE2\x80\xA6";

const char* end_of(std::string_view text) { return text.data() + text.size(); }

}  // namespace

Rect Rect::take_top(float height) {
  const Rect top{x, y, w, height};
  y += height;
  h -= height;
  return top;
}

Painter::Painter(ThemeKind kind)
    : theme_(ui::theme(kind)),
      state_(*static_cast<FrameState*>(ImGui::GetIO().UserData)),
      list_(*ImGui::GetWindowDrawList()),
      scale_(state_.size.scale) {}

Painter::~Painter() {
  if (!tooltip_.empty()) draw_tooltip();
}

Rect Painter::area() const {
  return {0, 0, static_cast<float>(state_.size.width), static_cast<float>(state_.size.height)};
}

float Painter::hairline() const { return 1.0f / scale_; }
float Painter::snap(float logical) const { return std::floor(logical * scale_ + 0.5f); }

void Painter::fill(const Rect& rect, Color color, float radius) {
  if (rect.w <= 0 || rect.h <= 0) return;
  list_.AddRectFilled({snap(rect.x), snap(rect.y)}, {snap(rect.right()), snap(rect.bottom())}, color,
                      radius * scale_);
}

void Painter::outline(const Rect& rect, Color color, float radius, float thickness) {
  const float x0 = snap(rect.x), y0 = snap(rect.y), x1 = snap(rect.right()), y1 = snap(rect.bottom());
  const float t = std::max(1.0f, std::round(thickness * scale_));
  if (radius <= 0) {
    list_.AddRectFilled({x0, y0}, {x1, y0 + t}, color);
    list_.AddRectFilled({x0, y1 - t}, {x1, y1}, color);
    list_.AddRectFilled({x0, y0 + t}, {x0 + t, y1 - t}, color);
    list_.AddRectFilled({x1 - t, y0 + t}, {x1, y1 - t}, color);
    return;
  }
  const float inset = (t - 1) / 2;
  list_.AddRect({x0 + inset, y0 + inset}, {x1 - inset, y1 - inset}, color,
                std::max(0.0f, radius * scale_ - inset), 0, t);
}

void Painter::hatch(const Rect& rect, Color color) {
  const float x0 = snap(rect.x), y0 = snap(rect.y), x1 = snap(rect.right()), y1 = snap(rect.bottom());
  const float pitch = std::max(3.0f, std::round(4 * scale_)), height = y1 - y0;
  if (x1 <= x0 || height <= 0) return;
  list_.PushClipRect({x0, y0}, {x1, y1}, true);
  // Lines start at multiples of the pitch on the canvas, so that neighbouring boxes continue each other.
  for (float x = std::floor((x0 - height) / pitch) * pitch; x < x1; x += pitch) {
    list_.AddLine({x, y1}, {x + height, y0}, color, std::max(1.0f, scale_));
  }
  list_.PopClipRect();
}

void Painter::horizontal(float x0, float x1, float y, Color color, float thickness) {
  const float top = snap(y), t = std::max(1.0f, std::round(thickness * scale_));
  list_.AddRectFilled({snap(x0), top}, {snap(x1), top + t}, color);
}

void Painter::vertical(float x, float y0, float y1, Color color, float thickness) {
  const float left = snap(x), t = std::max(1.0f, std::round(thickness * scale_));
  list_.AddRectFilled({left, snap(y0)}, {left + t, snap(y1)}, color);
}

void Painter::curve(float x0, float y0, float x1, float y1, Color color, float thickness) {
  const float bend = std::max(12.0f, std::abs(x1 - x0) * 0.5f) * scale_;
  const ImVec2 from{x0 * scale_, y0 * scale_}, to{x1 * scale_, y1 * scale_};
  list_.AddBezierCubic(from, {from.x + bend, from.y}, {to.x - bend, to.y}, to, color, thickness * scale_, 24);
}

void Painter::disc(float x, float y, float radius, Color color) {
  list_.AddCircleFilled({x * scale_, y * scale_}, radius * scale_, color);
}

void Painter::ring(float x, float y, float radius, Color color, float thickness) {
  list_.AddCircle({x * scale_, y * scale_}, radius * scale_, color, 0, thickness * scale_);
}

void Painter::wedge_down(float x, float y, float size, Color color) {
  list_.AddTriangleFilled({(x - size) * scale_, (y - size) * scale_},
                          {(x + size) * scale_, (y - size) * scale_}, {x * scale_, y * scale_}, color);
}

void Painter::push_clip(const Rect& rect) {
  list_.PushClipRect({snap(rect.x), snap(rect.y)}, {snap(rect.right()), snap(rect.bottom())}, true);
}
void Painter::pop_clip() { list_.PopClipRect(); }

float Painter::width(std::string_view text, Font font) const {
  const ImFont* face = state_.fonts->font(font);
  return face->CalcTextSizeA(face->FontSize, 1e9f, 0, text.data(), end_of(text)).x / scale_;
}

float Painter::line_height(Font font) const { return state_.fonts->font(font)->FontSize / scale_; }

float Painter::text(float x, float y, std::string_view text, Font font, Color color) {
  if (text.empty()) return 0;
  const ImFont* face = state_.fonts->font(font);
  list_.AddText(face, face->FontSize, {snap(x), snap(y)}, color, text.data(), end_of(text));
  return width(text, font);
}

float Painter::text_in(const Rect& rect, std::string_view text, Font font, Color color, Align align) {
  if (text.empty() || rect.w <= 0) return 0;
  const float y = rect.mid_y() - line_height(font) / 2;
  const float full = width(text, font);
  if (full > rect.w + 0.5f) {
    const ImFont* face = state_.fonts->font(font);
    const float room = rect.w - width(ellipsis, font);
    const char* rest = text.data();
    if (room > 0) face->CalcTextSizeA(face->FontSize, room * scale_, 0, text.data(), end_of(text), &rest);
    std::string shown(text.data(), rest);
    while (!shown.empty() && shown.back() == ' ') shown.pop_back();
    shown += ellipsis;
    return room > 0 ? this->text(rect.x, y, shown, font, color) : 0;
  }
  float x = rect.x;
  if (align == Align::center) x += (rect.w - full) / 2;
  if (align == Align::right) x += rect.w - full;
  return this->text(x, y, text, font, color);
}

std::vector<std::string_view> Painter::wrap(std::string_view text, Font font, float width) const {
  const ImFont* face = state_.fonts->font(font);
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const char* stop =
        face->CalcWordWrapPositionA(1.0f, text.data(), end_of(text), std::max(1.0f, width) * scale_);
    if (stop == text.data()) ++stop;
    while (stop < end_of(text) && (static_cast<unsigned char>(*stop) & 0xc0) == 0x80) ++stop;
    lines.push_back(text.substr(0, static_cast<size_t>(stop - text.data())));
    text.remove_prefix(static_cast<size_t>(stop - text.data()));
    while (!text.empty() && (text.front() == ' ' || text.front() == '\n')) text.remove_prefix(1);
  }
  return lines;
}

const CanvasInput& Painter::input() const { return state_.input; }
bool Painter::hovered(const Rect& rect) const {
  return rect.contains(state_.input.mouse_x, state_.input.mouse_y);
}
bool Painter::clicked(const Rect& rect) const {
  return state_.released && !state_.dragged && hovered(rect) && rect.contains(state_.press_x, state_.press_y);
}
bool Painter::dragging() const { return state_.was_down && state_.dragged; }
float Painter::press_x() const { return state_.press_x; }
float Painter::drag_dx() const { return state_.was_down ? state_.input.mouse_x - state_.last_x : 0; }
bool Painter::press_started(const Rect& rect) const { return rect.contains(state_.press_x, state_.press_y); }
bool Painter::key(Key key) const {
  return std::find(state_.input.keys.begin(), state_.input.keys.end(), key) != state_.input.keys.end();
}
void Painter::request_frame() { state_.another_frame = true; }

bool Painter::button(const Rect& rect, std::string_view label, bool enabled, bool on) {
  const bool hot = enabled && hovered(rect);
  const Color face = on    ? theme_.accent_fill
                     : hot ? mix(theme_.raised, theme_.accent_fill, 128)
                           : theme_.raised;
  fill(rect, face, measure::radius);
  outline(rect, on || hot ? theme_.accent : theme_.border, measure::radius);
  const Color ink = !enabled ? theme_.text_faint : on ? theme_.on_accent_fill : theme_.text;
  text_in({rect.x + 8, rect.y, rect.w - 16, rect.h}, label, Font::text, ink, Align::center);
  return enabled && clicked(rect);
}

void Painter::empty(std::string_view heading, std::string_view advice) {
  const Rect all = area();
  fill(all, theme_.surface);
  const auto lines = wrap(advice, Font::text, std::min(360.0f, all.w - 32));
  float y = all.mid_y() - (26 + 18 * static_cast<float>(lines.size())) / 2;
  text_in({16, y, all.w - 32, 22}, heading, Font::title, theme_.text_muted, Align::center);
  y += 28;
  for (const std::string_view line : lines) {
    text_in({16, y, all.w - 32, 18}, line, Font::text, theme_.text_faint, Align::center);
    y += 18;
  }
}

void Painter::draw_tooltip() {
  const Rect all = area();
  const float limit = std::min(380.0f, all.w - 24);
  std::vector<std::pair<std::string_view, Font>> lines;
  float widest = 0;
  for (size_t i = 0; i < tooltip_.size(); ++i) {
    const Font font = i == 0 ? Font::strong : Font::small;
    for (const std::string_view line : wrap(tooltip_[i], font, limit)) {
      lines.emplace_back(line, font);
      widest = std::max(widest, width(line, font));
    }
  }
  const float row = 18, w = widest + 20, h = row * static_cast<float>(lines.size()) + 12;
  float x = state_.input.mouse_x + 14, y = state_.input.mouse_y + 18;
  if (y + h > all.h - 4) y = state_.input.mouse_y - h - 8;
  x = std::clamp(x, 4.0f, std::max(4.0f, all.w - w - 4));
  y = std::clamp(y, 4.0f, std::max(4.0f, all.h - h - 4));
  const Rect box{x, y, w, h};
  fill(box, theme_.raised, measure::radius);
  outline(box, theme_.border_strong, measure::radius);
  float line_y = y + 6;
  for (const auto& [line, font] : lines) {
    text_in({x + 10, line_y, widest + 1, row}, line, font,
            font == Font::strong ? theme_.text : theme_.text_muted);
    line_y += row;
  }
}

}  // namespace hmmscope::ui
