#include "engine/recording/pattern.h"

#include <algorithm>
#include <cstddef>

namespace hmmscope {

uint32_t linear_prefix(std::span<const uint64_t> values) {
  const size_t count = values.size();
  if (count < 3) return static_cast<uint32_t>(count);
  const uint64_t base = values[0];
  const uint64_t stride = values[1] - values[0];
  // Blocks without an early exit inside vectorise; the exact end is looked for only in the block that
  // differs.
  constexpr size_t block = 16;
  size_t k = 2;
  for (; k + block <= count; k += block) {
    uint64_t differing = 0;
    for (size_t i = k; i < k + block; ++i) differing |= values[i] ^ (base + i * stride);
    if (differing != 0) break;
  }
  while (k < count && values[k] == base + k * stride) ++k;
  return static_cast<uint32_t>(k);
}

Pattern find_pattern(std::span<const uint64_t> values) {
  if (values.empty()) return {true, 0, 0};
  if (linear_prefix(values) != values.size()) return {};
  return {true, values[0], values.size() > 1 ? values[1] - values[0] : 0};
}

Part first_part(std::span<const uint64_t> values) {
  // Half of what one page table holds: shorter parts are not worth a write of their own.
  constexpr uint32_t worth = 256, step = 64;
  const auto count = static_cast<uint32_t>(values.size());
  const uint32_t linear = linear_prefix(values);
  if (linear == count || linear >= worth) return {linear, find_pattern(values.first(std::min(linear, 2u)))};
  for (uint32_t at = step; at + worth <= count; at += step) {
    if (linear_prefix(values.subspan(at, worth)) == worth) return {at, find_pattern(values.first(at))};
  }
  return {count, {}};
}

void fill_linear(uint64_t* words, uint32_t count, uint64_t base, uint64_t stride) {
  if (stride == 0) {
    std::fill_n(words, count, base);
    return;
  }
  for (size_t k = 0; k < count; ++k) words[k] = base + k * stride;
}

}  // namespace hmmscope
