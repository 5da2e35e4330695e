#pragma once
/// The hash of the states and histories in this folder.

#include <cstdint>
#include <string_view>

namespace hmmscope::schedule {

constexpr uint64_t mix(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15ull;
  return hash ^ (hash >> 29);
}
constexpr uint64_t mix(uint64_t hash, std::string_view text) {
  for (const char c : text) hash = mix(hash, static_cast<unsigned char>(c) + 1u);
  return mix(hash, text.size());
}

}  // namespace hmmscope::schedule
