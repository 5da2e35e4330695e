#include "ui/panels/bit_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "ui/words.h"

namespace hmmscope::ui {

BitGrid BitGrid::fit(float x, float width, int bits) {
  BitGrid grid;
  grid.x = x;
  grid.bits = bits;
  grid.byte_gap = width >= 700 ? 4 : 2;
  grid.pitch = (width - grid.byte_gap * static_cast<float>(bits / 8 - 1)) / static_cast<float>(bits);
  return grid;
}

int BitGrid::bit_at(float px) const {
  for (int bit = 0; bit < bits; ++bit) {
    if (px >= left(bit) && px < right(bit)) return bit;
  }
  return -1;
}

std::string initials(std::string_view name) {
  std::string result;
  bool start = true;
  for (const char c : name) {
    if (c == '_' || c == ' ' || c == '-')
      start = true;
    else if (start) {
      result += c;
      start = false;
    }
  }
  return result;
}

std::string field_value(const Field& field, uint64_t value) {
  switch (field.role) {
    case Role::pfn:
    case Role::table_address:
    case Role::swap_offset:
      return hex(value);
    default:
      return field.width <= 8 ? std::to_string(value) : hex(value);
  }
}

std::vector<Bracket> place_brackets(const Painter& p, const BitGrid& grid, const Layout& layout, uint64_t word,
                                    uint64_t unseen) {
  std::vector<const Field*> fields;
  for (const Field& field : layout.fields) {
    if (field.shift + field.width <= grid.bits) fields.push_back(&field);
  }
  std::sort(fields.begin(), fields.end(), [](const Field* a, const Field* b) {
    return a->shift + a->width != b->shift + b->width ? a->shift + a->width > b->shift + b->width
                                                      : a->width > b->width;
  });
  std::vector<Bracket> brackets;
  std::array<uint64_t, 2> used{};
  for (const Field* field : fields) {
    const int lane = (used[0] & field->mask()) != 0 ? 1 : 0;
    used[static_cast<size_t>(lane)] |= field->mask();
    const float x0 = grid.left(field->shift + field->width - 1) + 1.5f, x1 = grid.right(field->shift) - 1.5f;
    brackets.push_back({field, lane, x0, x1, {}, 0, 0});
  }
  for (int lane = 0; lane < 2; ++lane) {
    // Labels may spread to the right where nothing is labelled.
    std::vector<Bracket*> row;
    for (Bracket& bracket : brackets) {
      if (bracket.lane == lane) row.push_back(&bracket);
    }
    float taken = grid.x - 4;
    for (size_t i = 0; i < row.size(); ++i) {
      Bracket& b = *row[i];
      const float next = i + 1 < row.size() ? row[i + 1]->x0 : grid.right(0) + 8;
      const float from = std::max(taken + 4, b.x0 - grid.pitch / 2), room = next - 5 - from;
      const bool seen = (b.field->mask() & unseen) == 0;
      const std::string value = seen ? field_value(*b.field, b.field->get(word)) : "?", name = b.field->name;
      const bool flag = b.field->width == 1;
      const std::string candidates[] = {flag ? name : name + " = " + value, name,
                                        flag ? initials(name) : initials(name) + "=" + value, initials(name),
                                        initials(name).substr(0, 1)};
      for (const std::string& candidate : candidates) {
        const float w = p.width(candidate, Font::mono_tiny);
        if (w > std::max(room, b.x1 - b.x0 + 2) && &candidate != &candidates[4]) continue;
        b.label = candidate;
        b.label_width = w;
        b.label_x = std::max({(b.x0 + b.x1) / 2 - w / 2, std::min(from, b.x0)});
        if (b.label_x + w > next - 3) b.label_x = std::max(std::min(from, b.x0), next - 3 - w);
        break;
      }
      taken = b.label_x + b.label_width;
    }
  }
  return brackets;
}

std::string overlap_text(const Overlap& overlap) {
  const auto part = [&](const Field& field) {
    if (field.width == 1) return std::string(field.name);
    const int low = std::countr_zero(overlap.mask) - field.shift,
              high = 63 - std::countl_zero(overlap.mask) - field.shift;
    return low == high ? fmt::format("{}[{}]", field.name, low)
                       : fmt::format("{}[{}:{}]", field.name, high, low);
  };
  const int low = std::countr_zero(overlap.mask), high = 63 - std::countl_zero(overlap.mask);
  const std::string where = low == high ? fmt::format("bit {}", low) : fmt::format("bits {}-{}", high, low);
  return fmt::format("{}: {} and {} share {}", where, part(*overlap.a), part(*overlap.b),
                     low == high ? "it" : "them");
}

}  // namespace hmmscope::ui
