#pragma once
/// How scenario JSON writes numbers, sizes, addresses and flags. The schema has checked the texts.

#include <charconv>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "engine/scenario/scenario.h"

namespace hmmscope::scenario {

using nlohmann::json;

inline uint64_t digits(std::string_view text) {
  const bool hex = text.starts_with("0x");
  if (hex) text.remove_prefix(2);
  uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, hex ? 16 : 10);
  return value;
}
inline uint64_t number(const json& value) {
  return value.is_string() ? digits(value.get<std::string>()) : value.get<uint64_t>();
}

inline uint64_t byte_size(const json& value) {
  if (!value.is_string()) return value.get<uint64_t>();
  std::string text = value.get<std::string>();
  uint32_t shift = 0;
  switch (text.back()) {
    case 'K':
      shift = 10;
      break;
    case 'M':
      shift = 20;
      break;
    case 'G':
      shift = 30;
      break;
    default:
      break;
  }
  if (shift != 0) text.pop_back();
  return digits(text) << shift;
}

inline Address address(const json& value) {
  const std::string text = value.get<std::string>();
  if (text.starts_with("0x")) return {"", digits(text)};
  const size_t plus = text.find('+');
  return {text.substr(0, plus),
          plus == std::string::npos ? 0 : digits(std::string_view(text).substr(plus + 1))};
}

inline std::string text(const json& object, const char* key) { return object.value(key, std::string()); }

/// Nothing when the key is not there.
template <class T>
std::optional<T> maybe(const json& object, const char* key) {
  return object.contains(key) ? std::optional<T>(object.at(key).get<T>()) : std::nullopt;
}

inline FlagText flag_text(const json& value) {
  return {value.is_string() ? value.get<std::string>() : std::to_string(value.get<uint64_t>())};
}
inline FlagText flag_text(const json& object, const char* key) {
  return object.contains(key) ? flag_text(object.at(key)) : FlagText{};
}

inline uint64_t protection(std::string_view prot) {
  uint64_t flags = 0;
  if (prot == "none") return 0;
  for (const char c : prot) flags |= c == 'r' ? vm::read : c == 'w' ? vm::write : vm::exec;
  return flags;
}

}  // namespace hmmscope::scenario
