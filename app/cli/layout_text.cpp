#include "app/cli/layout_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>

namespace hmmscope::app {

Result<uint64_t> parse_word(std::string_view text) {
  std::string digits(text);
  std::erase_if(digits, [](char c) { return c == '_' || c == '\''; });
  std::string_view rest = digits;
  int base = 10;
  if (rest.starts_with("0x") || rest.starts_with("0X")) base = 16;
  if (rest.starts_with("0b") || rest.starts_with("0B")) base = 2;
  if (base != 10) rest.remove_prefix(2);
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value, base);
  if (error == std::errc::result_out_of_range) return fail(fmt::format("'{}' has more than 64 bits", text));
  if (error != std::errc{} || end != rest.data() + rest.size())
    return fail(fmt::format(
        "'{}' is not a number; write 0x for hexadecimal, 0b for binary, or decimal digits", text));
  return value;
}

Result<Family> parse_family(std::string_view name) {
  std::string known;
  for (auto i = static_cast<int>(Family::hmm_pfn); i < static_cast<int>(Family::plain); ++i) {
    const auto family = static_cast<Family>(i);
    if (family_name(family) == name) return family;
    known += (known.empty() ? "" : ", ") + std::string(family_name(family));
  }
  return fail(fmt::format("no family is called '{}'; families: {}", name, known));
}

std::string hex_word(uint64_t word, uint8_t word_bits) {
  return word_bits == 32 && word >> 32 == 0 ? fmt::format("{:#010x}", word) : fmt::format("{:#018x}", word);
}

std::string bit_range(const Field& field) {
  if (field.width == 1) return fmt::format("{}", field.shift);
  return fmt::format("{}..{}", field.shift + field.width - 1, field.shift);
}

std::string bit_range_from_top(const Layout& layout, const Field& field) {
  if (layout.family != Family::hmm_pfn || field.shift == 0) return "";
  const int top = field.shift + field.width - 1 - layout.word_bits;
  if (field.width == 1) return fmt::format("{}", top);
  return fmt::format("{}..{}", top, field.shift - layout.word_bits);
}

uint64_t unnamed_bits(const Layout& layout) {
  uint64_t owned = 0;
  for (const Field& f : layout.fields) owned |= f.mask();
  const uint64_t word = layout.word_bits >= 64 ? ~0ull : (1ull << layout.word_bits) - 1;
  return word & ~owned;
}

std::vector<std::string> overlap_lines(const Layout& layout) {
  std::vector<std::string> lines;
  for (const Overlap& o : overlaps(layout)) {
    const int low = std::countr_zero(o.mask);
    const int high = 63 - std::countl_zero(o.mask);
    const std::string where =
        low == high ? fmt::format("bit {}", low) : fmt::format("bits {}..{}", high, low);
    lines.push_back(fmt::format("{} has two owners: {} and {}", where, o.a->name, o.b->name));
  }
  return lines;
}

nlohmann::ordered_json field_json(const Layout& layout, const Field& field) {
  nlohmann::ordered_json j = {
      {"name", field.name}, {"symbol", field.symbol}, {"shift", field.shift}, {"width", field.width}};
  if (const std::string top = bit_range_from_top(layout, field); !top.empty()) j["from_top"] = top;
  if (field.sticky) j["sticky"] = true;
  if (field.input) j["input"] = true;
  if (field.inverted) j["inverted"] = true;
  if (field.unit != 0) j["unit"] = field.unit;
  j["mask"] = hex_word(field.mask(), layout.word_bits);
  j["meaning"] = field.meaning;
  return j;
}

nlohmann::ordered_json overlaps_json(const Layout& layout) {
  auto list = nlohmann::ordered_json::array();
  for (const Overlap& o : overlaps(layout))
    list.push_back({{"a", o.a->name}, {"b", o.b->name}, {"mask", hex_word(o.mask, layout.word_bits)}});
  return list;
}

nlohmann::ordered_json layout_json(const Layout& layout) {
  return {{"id", layout.id},
          {"title", layout.title},
          {"family", std::string(family_name(layout.family))},
          {"status", std::string(status_name(layout.status))},
          {"versions", layout.versions},
          {"word_bits", layout.word_bits},
          {"page_shift", layout.default_page_shift},
          {"source", layout.source},
          {"note", layout.note}};
}

}  // namespace hmmscope::app
