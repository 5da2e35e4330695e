#pragma once
/// Recognises the values of consecutive words as base + k * stride, the shape in which runs of words are stored
/// without their values.

#include <cstdint>
#include <span>

namespace hmmscope {

struct Pattern {
  bool linear = false;
  uint64_t base = 0;
  uint64_t stride = 0;  ///< wraps modulo 2^64, so a descending run is a stride too
};

/// Empty spans are linear with base 0; one word is linear with stride 0.
Pattern find_pattern(std::span<const uint64_t> values);
/// How many of the first values continue first + k * stride.
uint32_t linear_prefix(std::span<const uint64_t> values);
/// The first part of many values that is worth a description of its own.
struct Part {
  uint32_t count = 0;   ///< of its values: all that follow a pattern, or up to where a long part follows one
  Pattern pattern;
};
Part first_part(std::span<const uint64_t> values);
void fill_linear(uint64_t* words, uint32_t count, uint64_t base, uint64_t stride);

}  // namespace hmmscope
