#pragma once
/// Geometry and names of a row of bit cells, most significant bit on the left.

#include <string>
#include <vector>

#include "ui/canvas/painter.h"

namespace hmmscope::ui {

/// Where the bits of a word stand: 64 (or 32) cells with a little more air between bytes.
struct BitGrid {
  float x = 0, pitch = 0, byte_gap = 0;
  int bits = 64;

  static BitGrid fit(float x, float width, int bits);
  float left(int bit) const {
    return x + static_cast<float>(bits - 1 - bit) * pitch +
           static_cast<float>((bits - 1 - bit) / 8) * byte_gap;
  }
  float right(int bit) const { return left(bit) + pitch; }
  Rect cell(int bit, float y, float height) const { return {left(bit) + 0.5f, y, pitch - 1.5f, height}; }
  /// The bit under a point of the row; -1 outside.
  int bit_at(float px) const;
};

/// One bracket under the cells.
struct Bracket {
  const Field* field;
  int lane;  ///< 0, or 1 for a field that shares bits with one already placed
  float x0, x1;
  std::string label;  ///< the longest form of name and value that fits
  float label_x, label_width;
};

/// "DMA_MAPPED" -> "DM", "VALID" -> "V".
std::string initials(std::string_view name);
/// A field's value for people: flags 0/1, pfns and addresses hex, small numbers decimal.
std::string field_value(const Field& field, uint64_t value);
/// Brackets for the fields of a layout with the values in `word`, "?" where it has `unseen` bits; wide gaps are used for
/// longer labels.
std::vector<Bracket> place_brackets(const Painter& p, const BitGrid& grid, const Layout& layout, uint64_t word,
                                    uint64_t unseen);
/// "bit 57: DMA_MAPPED and ORDER[1] share it"
std::string overlap_text(const Overlap& overlap);

}  // namespace hmmscope::ui
