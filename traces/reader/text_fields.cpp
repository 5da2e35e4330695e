#include "traces/reader/text_fields.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "traces/reader/byte_mask.h"
#include "traces/reader/hex_run.h"

namespace hmmscope::traces {
namespace {

constexpr std::string_view raw_array = "ARRAY[";

constexpr std::array<bool, 256> make_identifier_chars() {
  std::array<bool, 256> chars{};
  for (unsigned c = 0; c < 26; ++c) chars['a' + c] = chars['A' + c] = true;
  for (unsigned c = '0'; c <= '9'; ++c) chars[c] = true;
  chars['_'] = true;
  return chars;
}
constexpr std::array<bool, 256> identifier_chars = make_identifier_chars();
constexpr bool is_identifier(char c) { return identifier_chars[static_cast<uint8_t>(c)]; }

constexpr std::array<uint8_t, 256> make_hex_values() {
  std::array<uint8_t, 256> values{};
  for (auto& v : values) v = 0xff;
  for (unsigned c = '0'; c <= '9'; ++c) values[c] = static_cast<uint8_t>(c - '0');
  for (unsigned c = 0; c < 6; ++c) values['a' + c] = values['A' + c] = static_cast<uint8_t>(10 + c);
  return values;
}
constexpr std::array<uint8_t, 256> hex_values = make_hex_values();
constexpr uint8_t hex_value(char c) { return hex_values[static_cast<uint8_t>(c)]; }

/// One past the value that begins at `at`, its delimiters included; npos = the delimiter is missing.
size_t delimited_end(std::string_view payload, size_t at) {
  if (at >= payload.size()) return at;
  size_t close = std::string_view::npos;
  if (payload[at] == '{') {
    close = payload.find('}', at + 1);
  } else if (payload[at] == '"') {
    close = payload.find('"', at + 1);
  } else if (payload[at] == raw_array.front() && payload.substr(at).starts_with(raw_array)) {
    close = payload.find(']', at);
  } else {
    return at;
  }
  return close == std::string_view::npos ? close : close + 1;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.back() == ' ' || text.back() == ',' || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

}  // namespace

bool FieldScan::next(std::string_view& name, std::string_view& value) {
  while (pending_ || find_equals()) {
    pending_ = false;
    const size_t begin = begin_, equals = equals_, first = equals + 1, end = delimited_end(payload_, first);
    if (end == std::string_view::npos) break;
    at_ = end;
    if (begin == equals) continue;
    name = payload_.substr(begin, equals - begin);
    if (end == first) {
      value = trimmed(payload_.substr(first, open_end() - first));
    } else {
      value = payload_[first] == 'A' ? payload_.substr(first, end - first) : payload_.substr(first + 1, end - first - 2);
    }
    return true;
  }
  at_ = payload_.size();
  return false;
}

bool FieldScan::find_equals() {
  equals_ = find_near(payload_, '=', at_);
  if (equals_ == std::string_view::npos) return false;
  begin_ = equals_;
  while (begin_ > 0 && is_identifier(payload_[begin_ - 1])) --begin_;
  if (begin_ > 0 && payload_[begin_ - 1] != ' ' && payload_[begin_ - 1] != '(') begin_ = equals_;
  at_ = equals_ + 1;
  return true;
}

size_t FieldScan::open_end() {
  while (find_equals()) {
    if (begin_ == equals_) continue;
    pending_ = true;
    return begin_ - 1;
  }
  return payload_.size();
}

std::optional<std::string_view> find_field(std::string_view payload, std::string_view name) {
  FieldScan fields(payload);
  for (std::string_view found, value; fields.next(found, value);) {
    if (found == name) return value;
  }
  return std::nullopt;
}

std::optional<std::string_view> find_argument(std::string_view payload, std::string_view name) {
  size_t at = 0;
  while (at < payload.size()) {
    while (at < payload.size() && (payload[at] == ' ' || payload[at] == ',')) ++at;
    const size_t colon = payload.find(": ", at);
    if (colon == std::string_view::npos) return std::nullopt;
    const size_t value = colon + 2;
    size_t end = value;
    for (bool quoted = false; end < payload.size(); ++end) {
      if (payload[end] == '"') quoted = !quoted;
      if (!quoted && (payload[end] == ',' || payload[end] == ')')) break;
    }
    if (payload.substr(at, colon - at) == name) return trimmed(payload.substr(value, end - value));
    at = end + 1;
  }
  return std::nullopt;
}

std::optional<ProbeSymbols> probe_symbols(std::string_view payload) {
  if (!payload.starts_with('(')) return std::nullopt;
  const size_t close = payload.find(')');
  if (close == std::string_view::npos) return std::nullopt;
  const std::string_view inside = payload.substr(1, close - 1);
  const size_t arrow = inside.find(" <- ");
  if (arrow == std::string_view::npos) return ProbeSymbols{inside, {}, {}};
  const std::string_view left = inside.substr(0, arrow), right = inside.substr(arrow + 4);
  // The kernel prints "(return address <- function)"; trace-cmd prints the two numbers the other way round.
  if (parse_number(left, true) && parse_number(right, true)) return ProbeSymbols{{}, left, right};
  return ProbeSymbols{{}, right, left};
}

std::optional<uint64_t> parse_number(std::string_view text, bool bare_hex) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const bool prefixed = text.starts_with("0x");
  if (prefixed) text.remove_prefix(2);
  if (text.empty()) return std::nullopt;
  uint64_t value = 0;
  if (prefixed || bare_hex) {
    const HexRun run = read_hex_run(text);
    if (run.digits != text.size()) return std::nullopt;
    value = run.number;
  } else {
    for (const char c : text) {
      if (c < '0' || c > '9') return std::nullopt;
      const auto digit = static_cast<uint64_t>(c - '0');
      if (value > (~uint64_t{0} - digit) / 10) return std::nullopt;
      value = value * 10 + digit;
    }
  }
  return negative ? 0 - value : value;
}

namespace {

std::optional<uint32_t> parse_raw_array(std::string_view text, std::span<uint64_t> out) {
  text.remove_prefix(raw_array.size());
  if (!text.ends_with(']')) return std::nullopt;
  text.remove_suffix(1);
  uint64_t element = 0;
  uint32_t bytes = 0;
  for (size_t at = 0; at < text.size(); at += 4) {  // "00, " each
    if (at + 2 > text.size()) return std::nullopt;
    const uint8_t high = hex_value(text[at]), low = hex_value(text[at + 1]);
    if (high > 15 || low > 15) return std::nullopt;
    if (at + 2 < text.size() && text.substr(at + 2, 2) != ", ") return std::nullopt;
    element |= static_cast<uint64_t>(high << 4 | low) << (8 * (bytes % 8));
    if (++bytes % 8 == 0) {
      if (bytes / 8 <= out.size()) out[bytes / 8 - 1] = element;
      element = 0;
    }
  }
  if (bytes % 8 != 0) return std::nullopt;
  return bytes / 8;
}

}  // namespace

std::optional<uint32_t> parse_array(std::string_view text, std::span<uint64_t> out) {
  if (text.starts_with(raw_array)) return parse_raw_array(text, out);
  uint32_t count = 0;
  while (!text.empty()) {
    size_t comma = 2;
    uint64_t element = 0;
    if (text.starts_with("0x")) {
      const HexRun run = read_hex_run(text.substr(2));
      element = run.number;
      comma += run.digits;
    }
    const bool plain = comma > 2 && (comma == text.size() || text[comma] == ',');
    if (!plain) {
      comma = std::min(text.find(','), text.size());
      const auto value = parse_number(text.substr(0, comma), false);
      if (!value) return std::nullopt;
      element = *value;
    }
    if (count < out.size()) out[count] = element;
    ++count;
    if (comma == text.size()) break;
    text.remove_prefix(comma + 1);
    if (text.empty()) return std::nullopt;
  }
  return count;
}

}  // namespace hmmscope::traces
