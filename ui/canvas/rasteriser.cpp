#include "ui/canvas/rasteriser.h"

#include <imgui.h>

#include <algorithm>
#include <cmath>

#include "ui/canvas/span.h"

namespace hmmscope::ui {
namespace {

constexpr int subpixel_bits = 8;
constexpr int64_t one = 1 << subpixel_bits;
constexpr int64_t half = one / 2;

struct Box {
  int x0, y0, x1, y1;
};

struct Point {
  int64_t x, y;  ///< 1/256 pixel
};

int64_t to_fixed(float value) { return std::lround(static_cast<double>(value) * static_cast<double>(one)); }
/// First pixel whose centre is at or right of `edge`.
int first_pixel(int64_t edge) { return static_cast<int>((edge - half + one - 1) >> subpixel_bits); }

int64_t floor_div(int64_t a, int64_t b) {
  const int64_t q = a / b;
  return (a % b != 0 && ((a < 0) != (b < 0))) ? q - 1 : q;
}

class Rasteriser {
 public:
  Rasteriser(const CoverageTexture& texture, Image& target) : texture_(texture), target_(target) {}

  void set_clip(const ImVec4& rect, const ImVec2& origin) {
    clip_.x0 = std::clamp(static_cast<int>(std::floor(rect.x - origin.x)), 0, target_.width);
    clip_.y0 = std::clamp(static_cast<int>(std::floor(rect.y - origin.y)), 0, target_.height);
    clip_.x1 = std::clamp(static_cast<int>(std::ceil(rect.z - origin.x)), 0, target_.width);
    clip_.y1 = std::clamp(static_cast<int>(std::ceil(rect.w - origin.y)), 0, target_.height);
  }
  bool clip_empty() const { return clip_.x0 >= clip_.x1 || clip_.y0 >= clip_.y1; }

  void set_origin(const ImVec2& origin) { origin_ = origin; }
  /// True when the two triangles of `index` are one axis-aligned quad, which is then drawn.
  bool quad(const ImDrawVert* vertices, const ImDrawIdx* index);
  void triangle(const ImDrawVert& a, const ImDrawVert& b, const ImDrawVert& c);

 private:
  Point point(const ImVec2& position) const {
    return {to_fixed(position.x - origin_.x), to_fixed(position.y - origin_.y)};
  }
  uint32_t* row(int y) {
    return target_.pixels.data() + static_cast<size_t>(y) * static_cast<size_t>(target_.width);
  }
  void solid(const Box& box, uint32_t color);
  void glyph(const ImDrawVert& min, const ImDrawVert& max, const Box& box, uint32_t color);
  uint32_t nearest(const ImVec2& uv) const;

  const CoverageTexture& texture_;
  Image& target_;
  Box clip_{0, 0, 0, 0};
  ImVec2 origin_{0, 0};
};

uint32_t Rasteriser::nearest(const ImVec2& uv) const {
  const int x =
      std::clamp(static_cast<int>(uv.x * static_cast<float>(texture_.width)), 0, texture_.width - 1);
  const int y =
      std::clamp(static_cast<int>(uv.y * static_cast<float>(texture_.height)), 0, texture_.height - 1);
  return texture_.texels[y * texture_.width + x];
}

void Rasteriser::solid(const Box& box, uint32_t color) {
  for (int y = box.y0; y < box.y1; ++y) fill_span(row(y) + box.x0, box.x1 - box.x0, color);
}

/// Samples the atlas with 8-bit linear weights, as a GPU would; when rows line up with texels (they do for
/// text at whole pixels) only the horizontal neighbours are read.
void Rasteriser::glyph(const ImDrawVert& min, const ImDrawVert& max, const Box& box, uint32_t color) {
  constexpr int bits = 16;
  constexpr double unit = 1 << bits;
  const double du =
      static_cast<double>(max.uv.x - min.uv.x) * texture_.width / static_cast<double>(max.pos.x - min.pos.x);
  const double dv =
      static_cast<double>(max.uv.y - min.uv.y) * texture_.height / static_cast<double>(max.pos.y - min.pos.y);
  const double u0 = static_cast<double>(min.uv.x) * texture_.width +
                    (box.x0 + 0.5 - static_cast<double>(min.pos.x - origin_.x)) * du - 0.5;
  const double v0 = static_cast<double>(min.uv.y) * texture_.height +
                    (box.y0 + 0.5 - static_cast<double>(min.pos.y - origin_.y)) * dv - 0.5;
  const auto step_u = std::llround(du * unit), step_v = std::llround(dv * unit);
  const auto start_u = std::llround(u0 * unit);
  int64_t v = std::llround(v0 * unit);
  const auto texel_row = [&](int64_t y) {
    return texture_.texels + std::clamp<int64_t>(y, 0, texture_.height - 1) * texture_.width;
  };
  const int64_t last = texture_.width - 1;
  for (int y = box.y0; y < box.y1; ++y, v += step_v) {
    // A weight of less than 1/64 of a texel is rounding of the float positions, not position.
    const int64_t vy = (v + unit / 128) >= 0 ? (v + (1 << (bits - 7))) >> bits : -1;
    const auto wy = static_cast<uint32_t>(std::max<int64_t>(v - vy * (1 << bits), 0) >> 8);
    const uint8_t* top = texel_row(vy);
    const uint8_t* bottom = texel_row(vy + 1);
    uint32_t* out = row(y) + box.x0;
    int64_t u = start_u;
    for (int x = box.x0; x < box.x1; ++x, u += step_u, ++out) {
      const int64_t ux = u >> bits;
      const auto wx = static_cast<uint32_t>((u >> 8) & 255);
      const int64_t left = std::clamp<int64_t>(ux, 0, last), right = std::clamp<int64_t>(ux + 1, 0, last);
      uint32_t coverage = top[left] * (256 - wx) + top[right] * wx;
      if (wy >= 4) {
        const uint32_t below = bottom[left] * (256 - wx) + bottom[right] * wx;
        coverage = (coverage * (256 - wy) + below * wy) >> 8;
      }
      coverage = (coverage + 128) >> 8;
      if (coverage != 0) *out = blend(*out, color, coverage);
    }
  }
}

bool Rasteriser::quad(const ImDrawVert* vertices, const ImDrawIdx* index) {
  if (index[3] != index[0] || index[4] != index[2]) return false;
  const ImDrawVert &a = vertices[index[0]], &b = vertices[index[1]], &c = vertices[index[2]],
                   &d = vertices[index[5]];
  if (a.pos.y != b.pos.y || b.pos.x != c.pos.x || c.pos.y != d.pos.y || d.pos.x != a.pos.x) return false;
  if (a.pos.x > c.pos.x || a.pos.y > c.pos.y) return false;
  if (a.col != b.col || a.col != c.col || a.col != d.col) return false;
  const bool flat = a.uv.x == c.uv.x && a.uv.y == c.uv.y && a.uv.x == b.uv.x && a.uv.y == b.uv.y;
  const bool mapped = a.uv.y == b.uv.y && b.uv.x == c.uv.x && c.uv.y == d.uv.y && d.uv.x == a.uv.x;
  if (!flat && !mapped) return false;
  const Point min = point(a.pos), max = point(c.pos);
  const Box box{std::max(first_pixel(min.x), clip_.x0), std::max(first_pixel(min.y), clip_.y0),
                std::min(first_pixel(max.x), clip_.x1), std::min(first_pixel(max.y), clip_.y1)};
  if (box.x0 >= box.x1 || box.y0 >= box.y1) return true;
  if (flat)
    solid(box, scale_alpha(a.col, nearest(a.uv)));
  else
    glyph(a, c, box, a.col);
  return true;
}

struct Edge {
  int64_t dx, dy;  ///< edge vector
  int64_t value;   ///< >= 0 inside, at the centre of the box's first pixel; the top-left rule is folded in
  void set(const Point& from, const Point& to, int px, int py) {
    dx = to.x - from.x;
    dy = to.y - from.y;
    const int64_t cx = px * one + half, cy = py * one + half;
    value = dx * (cy - from.y) - dy * (cx - from.x);
    const bool top_left = (dy == 0 && dx > 0) || dy < 0;
    if (!top_left) value -= 1;
  }
  int64_t step_x() const { return -dy * one; }
  int64_t step_y() const { return dx * one; }
  /// Narrows [x0, x1) (relative to the box) to where the edge is >= 0.
  void narrow(int64_t at_row, int64_t& x0, int64_t& x1) const {
    const int64_t step = step_x();
    if (step == 0) {
      if (at_row < 0) x1 = x0;
    } else if (step > 0) {
      x0 = std::max(x0, -floor_div(at_row, step));
    } else {
      x1 = std::min(x1, floor_div(at_row, -step) + 1);
    }
  }
};

/// A vertex colour that changes over the triangle, as planes in 1/65536 of a channel step. The planes are set
/// up in doubles (only + - * /, so every machine rounds alike) and evaluated in integers.
struct Gradient {
  int64_t base[4], step_x[4], step_y[4];
  void set(const Point& a, const Point& b, const Point& c, const uint32_t colors[3], int px, int py) {
    const double abx = static_cast<double>(b.x - a.x), aby = static_cast<double>(b.y - a.y);
    const double acx = static_cast<double>(c.x - a.x), acy = static_cast<double>(c.y - a.y);
    const double per_area = 65536.0 / (abx * acy - aby * acx);
    const auto ox = static_cast<double>(px * one + half - a.x),
               oy = static_cast<double>(py * one + half - a.y);
    for (int i = 0; i < 4; ++i) {
      const auto channel = [&](int k) { return static_cast<double>((colors[k] >> (8 * i)) & 255); };
      const double d1 = channel(1) - channel(0), d2 = channel(2) - channel(0);
      const double gx = (d1 * acy - d2 * aby) * per_area, gy = (d2 * abx - d1 * acx) * per_area;
      step_x[i] = std::llround(gx * static_cast<double>(one));
      step_y[i] = std::llround(gy * static_cast<double>(one));
      base[i] = std::llround(channel(0) * 65536.0 + gx * ox + gy * oy) + 32768;
    }
  }
  uint32_t at(int64_t x, int64_t y) const {
    uint32_t color = 0;
    for (int i = 0; i < 4; ++i) {
      const int64_t value = (base[i] + step_x[i] * x + step_y[i] * y) >> 16;
      color |= static_cast<uint32_t>(std::clamp<int64_t>(value, 0, 255)) << (8 * i);
    }
    return color;
  }
};

void Rasteriser::triangle(const ImDrawVert& va, const ImDrawVert& vb, const ImDrawVert& vc) {
  const ImDrawVert *first = &va, *second = &vb, *third = &vc;
  Point a = point(va.pos), b = point(vb.pos), c = point(vc.pos);
  const int64_t area = (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
  if (area == 0) return;
  if (area < 0) {
    std::swap(b, c);
    std::swap(second, third);
  }
  const Box box{std::max(first_pixel(std::min({a.x, b.x, c.x})), clip_.x0),
                std::max(first_pixel(std::min({a.y, b.y, c.y})), clip_.y0),
                std::min(first_pixel(std::max({a.x, b.x, c.x})), clip_.x1),
                std::min(first_pixel(std::max({a.y, b.y, c.y})), clip_.y1)};
  if (box.x0 >= box.x1 || box.y0 >= box.y1) return;
  Edge edges[3];
  edges[0].set(a, b, box.x0, box.y0);
  edges[1].set(b, c, box.x0, box.y0);
  edges[2].set(c, a, box.x0, box.y0);
  const uint32_t colors[3] = {first->col, second->col, third->col};
  const uint32_t coverage = nearest(first->uv);
  const bool flat = colors[0] == colors[1] && colors[0] == colors[2];
  Gradient gradient;
  if (!flat) gradient.set(a, b, c, colors, box.x0, box.y0);
  const uint32_t color = scale_alpha(colors[0], coverage);
  for (int y = box.y0; y < box.y1; ++y) {
    int64_t x0 = 0, x1 = box.x1 - box.x0;
    if (x1 <= 4) {
      while (x0 < x1 &&
             std::min({edges[0].value + edges[0].step_x() * x0, edges[1].value + edges[1].step_x() * x0,
                       edges[2].value + edges[2].step_x() * x0}) < 0)
        ++x0;
      while (x1 > x0 && std::min({edges[0].value + edges[0].step_x() * (x1 - 1),
                                  edges[1].value + edges[1].step_x() * (x1 - 1),
                                  edges[2].value + edges[2].step_x() * (x1 - 1)}) < 0)
        --x1;
    } else {
      for (const Edge& edge : edges) edge.narrow(edge.value, x0, x1);
    }
    if (x0 < x1) {
      uint32_t* out = row(y) + box.x0 + x0;
      if (flat) {
        fill_span(out, static_cast<int>(x1 - x0), color);
      } else {
        for (int64_t x = x0; x < x1; ++x, ++out) *out = blend(*out, gradient.at(x, y - box.y0), coverage);
      }
    }
    for (Edge& edge : edges) edge.value += edge.step_y();
  }
}

}  // namespace

void rasterise_draw_data(const ImDrawData& data, const CoverageTexture& texture, Image& target) {
  Rasteriser raster(texture, target);
  raster.set_origin(data.DisplayPos);
  for (int n = 0; n < data.CmdListsCount; ++n) {
    const ImDrawList& list = *data.CmdLists[n];
    for (const ImDrawCmd& command : list.CmdBuffer) {
      if (command.UserCallback != nullptr || command.ElemCount == 0) continue;
      raster.set_clip(command.ClipRect, data.DisplayPos);
      if (raster.clip_empty()) continue;
      const ImDrawVert* vertices = list.VtxBuffer.Data + command.VtxOffset;
      const ImDrawIdx* index = list.IdxBuffer.Data + command.IdxOffset;
      const ImDrawIdx* end = index + command.ElemCount;
      while (index + 3 <= end) {
        if (index + 6 <= end && raster.quad(vertices, index)) {
          index += 6;
          continue;
        }
        raster.triangle(vertices[index[0]], vertices[index[1]], vertices[index[2]]);
        index += 3;
      }
    }
  }
}

}  // namespace hmmscope::ui
