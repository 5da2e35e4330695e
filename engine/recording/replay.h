#pragma once
/// One write of a recording applied to, or undone on, a window of the state.

#include <algorithm>
#include <cstring>
#include <span>

#include "engine/recording/pattern.h"
#include "engine/recording/recording.h"

namespace hmmscope {

/// The values of a run: literal[k], or base + k * stride without a literal.
struct RunValues {
  const uint64_t* literal = nullptr;
  uint64_t base = 0, stride = 0;
};

inline RunValues new_values(const WriteView& write) { return {write.new_literal, write.new_base, write.new_stride}; }
inline RunValues old_values(const WriteView& write) { return {write.old_literal, write.old_base, write.old_stride}; }

/// The part of `write` that lies in the window; `window` holds the words from `first` on and meets the write.
inline void put(const WriteView& write, const RunValues& values, WordIndex first, std::span<uint64_t> window) {
  const uint64_t begin = std::max(write.first, first);
  const uint64_t end = std::min(uint64_t{write.first} + write.count, first + uint64_t{window.size()});
  const uint64_t k = begin - write.first;
  uint64_t* const to = window.data() + (begin - first);
  const auto count = static_cast<uint32_t>(end - begin);
  if (values.literal != nullptr) {
    std::memcpy(to, values.literal + k, count * sizeof(uint64_t));
  } else {
    fill_linear(to, count, values.base + k * values.stride, values.stride);
  }
}

}  // namespace hmmscope
