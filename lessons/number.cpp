#include "lessons/number.h"

#include <fmt/format.h>

#include <charconv>

namespace hmmscope::lessons {

Result<uint64_t> parse_number(std::string_view text) {
  std::string digits;
  for (const char c : text) {
    if (c != ' ' && c != '_' && c != ',' && c != '\'' && c != '\t' && c != '\n' && c != '\r') digits += c;
  }
  const bool prefixed = digits.size() > 2 && digits[0] == '0';
  const bool is_hex = prefixed && (digits[1] == 'x' || digits[1] == 'X');
  const bool is_binary = prefixed && (digits[1] == 'b' || digits[1] == 'B');
  const char* begin = digits.data() + (is_hex || is_binary ? 2 : 0);
  const char* end = digits.data() + digits.size();
  uint64_t value = 0;
  const auto [stop, error] = std::from_chars(begin, end, value, is_hex ? 16 : is_binary ? 2 : 10);
  if (error == std::errc::result_out_of_range)
    return fail("\"" + std::string(text) + "\" does not fit 64 bits");
  if (error != std::errc{} || stop != end)
    return fail("\"" + std::string(text) + "\" is not a number (decimal, 0x hex or 0b binary)");
  return value;
}

std::string grouped(uint64_t number) {
  std::string digits = std::to_string(number);
  if (digits.size() < 5) return digits;
  std::string result;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i != 0 && (digits.size() - i) % 3 == 0) result += "\u202f";
    result += digits[i];
  }
  return result;
}

std::string hex(uint64_t number, int digits) { return fmt::format("0x{:0{}x}", number, digits); }

}  // namespace hmmscope::lessons
