/// The software rasteriser against a plain per-pixel reference, and the properties a picture relies on.

#include "ui/canvas/rasteriser.h"

#include <gtest/gtest.h>
#include <imgui.h>

#include <array>
#include <cmath>
#include <random>
#include <vector>

#include "ui/canvas/span.h"

namespace hmmscope::ui {
namespace {

constexpr uint8_t texels[] = {255, 255, 0, 64, 128, 255};
/// A white texel at the left, then a ramp; one row high would hide vertical sampling, so the row is repeated.
struct Atlas {
  std::vector<uint8_t> data;
  CoverageTexture texture;
  Atlas() {
    for (int y = 0; y < 4; ++y) data.insert(data.end(), std::begin(texels), std::end(texels));
    texture = {data.data(), 6, 4};
  }
};
const ImVec2 white{0.5f / 6, 0.5f / 4};

class Sheet {
 public:
  Sheet(int width, int height) : list_(nullptr) {
    image.width = width;
    image.height = height;
    image.pixels.assign(static_cast<size_t>(width) * static_cast<size_t>(height), 0xff000000u);
    clip_ = {0, 0, static_cast<float>(width), static_cast<float>(height)};
  }
  void clip(float x0, float y0, float x1, float y1) { clip_ = {x0, y0, x1, y1}; }
  void triangle(ImVec2 a, ImVec2 b, ImVec2 c, uint32_t ca, uint32_t cb, uint32_t cc) {
    begin(3);
    const auto first = static_cast<ImDrawIdx>(list_.VtxBuffer.Size - command().VtxOffset);
    for (const auto& [pos, col] : {std::pair{a, ca}, {b, cb}, {c, cc}})
      list_.VtxBuffer.push_back({pos, white, col});
    for (int i = 0; i < 3; ++i) list_.IdxBuffer.push_back(static_cast<ImDrawIdx>(first + i));
  }
  void quad(ImVec2 min, ImVec2 max, ImVec2 uv_min, ImVec2 uv_max, uint32_t color) {
    begin(6);
    const auto first = static_cast<ImDrawIdx>(list_.VtxBuffer.Size - command().VtxOffset);
    list_.VtxBuffer.push_back({min, uv_min, color});
    list_.VtxBuffer.push_back({{max.x, min.y}, {uv_max.x, uv_min.y}, color});
    list_.VtxBuffer.push_back({max, uv_max, color});
    list_.VtxBuffer.push_back({{min.x, max.y}, {uv_min.x, uv_max.y}, color});
    for (const int i : {0, 1, 2, 0, 2, 3}) list_.IdxBuffer.push_back(static_cast<ImDrawIdx>(first + i));
  }
  void rect(float x0, float y0, float x1, float y1, uint32_t color) {
    quad({x0, y0}, {x1, y1}, white, white, color);
  }
  /// A new command whose vertices are counted from here, as lists of more than 65 536 vertices have.
  void new_offset() { offset_ = static_cast<unsigned>(list_.VtxBuffer.Size); }

  Image& draw() {
    ImDrawList* lists[] = {&list_};
    ImDrawData data;
    data.Valid = true;
    data.CmdListsCount = 1;
    data.CmdLists = lists;
    data.DisplayPos = {0, 0};
    data.DisplaySize = {static_cast<float>(image.width), static_cast<float>(image.height)};
    rasterise_draw_data(data, atlas_.texture, image);
    data.CmdLists = nullptr;
    return image;
  }
  uint32_t at(int x, int y) const { return image.pixels[static_cast<size_t>(y * image.width + x)]; }

  Image image;

 private:
  ImDrawCmd& command() { return list_.CmdBuffer.back(); }
  void begin(unsigned count) {
    ImDrawCmd next;
    next.ClipRect = clip_;
    next.VtxOffset = offset_;
    next.IdxOffset = static_cast<unsigned>(list_.IdxBuffer.Size);
    next.ElemCount = count;
    list_.CmdBuffer.push_back(next);
  }
  Atlas atlas_;
  ImDrawList list_;
  ImVec4 clip_;
  unsigned offset_ = 0;
};

/// One pixel at a time, straight from the definition: centre inside, top and left edges belong to the
/// triangle.
bool covered(const std::array<ImVec2, 3>& p, int x, int y) {
  std::array<std::array<int64_t, 2>, 3> v;
  for (size_t i = 0; i < 3; ++i) v[i] = {std::lround(p[i].x * 256.0), std::lround(p[i].y * 256.0)};
  const auto cross = [](const auto& a, const auto& b, int64_t px, int64_t py) {
    return (b[0] - a[0]) * (py - a[1]) - (b[1] - a[1]) * (px - a[0]);
  };
  const int64_t area = cross(v[0], v[1], v[2][0], v[2][1]);
  if (area == 0) return false;
  if (area < 0) std::swap(v[1], v[2]);
  for (size_t i = 0; i < 3; ++i) {
    const auto &a = v[i], &b = v[(i + 1) % 3];
    const int64_t side = cross(a, b, x * 256 + 128, y * 256 + 128);
    const bool top_left = (b[1] == a[1] && b[0] > a[0]) || b[1] < a[1];
    if (side < 0 || (side == 0 && !top_left)) return false;
  }
  return true;
}

TEST(Rasteriser, RectangleCoversPixelsWhoseCentresAreInside) {
  Sheet sheet(8, 8);
  sheet.rect(1, 2, 4, 5, 0xffffffff);
  sheet.rect(5.4f, 5.4f, 6.6f, 6.6f, 0xff0000ff);  // centres 5.5 and 6.5
  sheet.draw();
  for (int y = 0; y < 8; ++y) {
    for (int x = 0; x < 8; ++x) {
      const bool first = x >= 1 && x < 4 && y >= 2 && y < 5, second = x >= 5 && x <= 6 && y >= 5 && y <= 6;
      EXPECT_EQ(sheet.at(x, y), first ? 0xffffffffu : second ? 0xff0000ffu : 0xff000000u) << x << ',' << y;
    }
  }
}

TEST(Rasteriser, ClipRectangleCutsShapesAndOutsideIsUntouched) {
  Sheet sheet(10, 10);
  sheet.clip(3, 3, 6, 7);
  sheet.rect(-50, -50, 50, 50, 0xff00ff00);
  sheet.triangle({-20, -20}, {60, -20}, {-20, 60}, 0xff00ff00, 0xff00ff00, 0xff00ff00);
  sheet.clip(8, 8, 8, 9);
  sheet.rect(-50, -50, 50, 50, 0xffffffff);
  sheet.draw();
  for (int y = 0; y < 10; ++y) {
    for (int x = 0; x < 10; ++x)
      EXPECT_EQ(sheet.at(x, y), x >= 3 && x < 6 && y >= 3 && y < 7 ? 0xff00ff00u : 0xff000000u);
  }
}

TEST(Rasteriser, AlphaBlendsExactly) {
  for (uint32_t alpha = 0; alpha < 256; ++alpha) {
    for (const uint32_t under : {0u, 1u, 77u, 200u, 255u}) {
      for (const uint32_t over : {0u, 3u, 128u, 255u}) {
        const auto expected =
            static_cast<uint32_t>(std::lround((over * alpha + under * (255.0 - alpha)) / 255.0));
        const uint32_t got = blend(0xff000000u | under | (under << 8) | (under << 16),
                                   (alpha << 24) | over | (over << 8) | (over << 16));
        ASSERT_EQ(got, 0xff000000u | expected | (expected << 8) | (expected << 16))
            << alpha << ' ' << under << ' ' << over;
      }
    }
  }
}

TEST(Rasteriser, TrianglesMatchTheReference) {
  std::mt19937 random(7);
  std::uniform_real_distribution<float> coordinate(-6, 38);
  for (int round = 0; round < 600; ++round) {
    std::array<ImVec2, 3> p;
    for (ImVec2& v : p) v = {coordinate(random), coordinate(random)};
    if (round % 3 == 0) p[1].y = p[0].y;                     // a level edge
    if (round % 4 == 0) p[2].x = std::round(p[2].x) + 0.5f;  // through pixel centres
    if (round % 5 == 0) p[1].x = p[0].x + 0.75f;             // a sliver
    Sheet sheet(32, 32);
    sheet.triangle(p[0], p[1], p[2], 0xffffffff, 0xffffffff, 0xffffffff);
    sheet.draw();
    for (int y = 0; y < 32; ++y) {
      for (int x = 0; x < 32; ++x)
        ASSERT_EQ(sheet.at(x, y) == 0xffffffffu, covered(p, x, y))
            << "round " << round << " at " << x << ',' << y;
    }
  }
}

TEST(Rasteriser, SharedEdgesAreDrawnOnceAndLeaveNoGap) {
  std::mt19937 random(11);
  std::uniform_real_distribution<float> coordinate(2, 38);
  for (int round = 0; round < 100; ++round) {
    Sheet sheet(40, 40);
    const ImVec2 centre{coordinate(random), coordinate(random)};
    const ImVec2 corners[] = {{0, 0}, {40, 0}, {40, 40}, {0, 40}};
    for (int i = 0; i < 4; ++i)
      sheet.triangle(centre, corners[i], corners[(i + 1) % 4], 0x80ffffff, 0x80ffffff, 0x80ffffff);
    sheet.draw();
    for (const uint32_t pixel : sheet.image.pixels) ASSERT_EQ(pixel, 0xff808080u) << "round " << round;
  }
}

TEST(Rasteriser, VertexColoursRunLinearly) {
  Sheet sheet(64, 8);
  // A quad as two triangles, red from 0 at the left edge to 255 at the right.
  sheet.triangle({0, 0}, {64, 0}, {64, 8}, 0xff000000, 0xff0000ff, 0xff0000ff);
  sheet.triangle({0, 0}, {64, 8}, {0, 8}, 0xff000000, 0xff0000ff, 0xff000000);
  sheet.draw();
  for (int y = 0; y < 8; ++y) {
    for (int x = 0; x < 64; ++x)
      EXPECT_NEAR(static_cast<double>(sheet.at(x, y) & 255), (x + 0.5) / 64 * 255, 1.0) << x << ',' << y;
  }
}

TEST(Rasteriser, GlyphQuadsCopyCoverageOneToOne) {
  Sheet sheet(8, 6);
  sheet.quad({1, 1}, {7, 5}, {0, 0}, {1, 1}, 0xffffffff);
  sheet.draw();
  for (int y = 1; y < 5; ++y) {
    for (int x = 0; x < 6; ++x) EXPECT_EQ(sheet.at(x + 1, y) & 255, texels[x]) << x << ',' << y;
  }
  EXPECT_EQ(sheet.at(0, 2), 0xff000000u);
  EXPECT_EQ(sheet.at(7, 2), 0xff000000u);
}

TEST(Rasteriser, HalfATexelMixesNeighbours) {
  Sheet sheet(8, 6);
  sheet.quad({0, 0}, {5, 4}, {0.5f / 6, 0}, {5.5f / 6, 1}, 0xffffffff);
  sheet.draw();
  for (int x = 0; x < 5; ++x)
    EXPECT_NEAR(static_cast<double>(sheet.at(x, 2) & 255), (texels[x] + texels[x + 1]) / 2.0, 1.0) << x;
}

TEST(Rasteriser, VertexOffsetsAreHonoured) {
  Sheet sheet(8, 8);
  sheet.rect(0, 0, 2, 2, 0xff0000ff);
  sheet.new_offset();
  sheet.rect(4, 4, 6, 6, 0xff00ff00);
  sheet.draw();
  EXPECT_EQ(sheet.at(1, 1), 0xff0000ffu);
  EXPECT_EQ(sheet.at(5, 5), 0xff00ff00u);
}

TEST(Rasteriser, HugeAndDegenerateShapesAreHarmless) {
  Sheet sheet(16, 16);
  sheet.triangle({-1e6f, -1e6f}, {1e6f, -1e6f}, {0, 1e6f}, 0xff0000ff, 0xff00ff00, 0xffff0000);
  sheet.triangle({3, 3}, {3, 3}, {3, 3}, 0xffffffff, 0xffffffff, 0xffffffff);
  sheet.rect(5, 5, 5, 9, 0xffffffff);
  sheet.rect(9, 9, 4, 4, 0xffffffff);
  sheet.draw();
  for (const uint32_t pixel : sheet.image.pixels) EXPECT_EQ(pixel >> 24, 255u);
}

}  // namespace
}  // namespace hmmscope::ui
