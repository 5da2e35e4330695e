#include "traces/reader/trace_dat_sections.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace hmmscope::traces {
namespace {

using namespace std::string_view_literals;
constexpr std::string_view version_7 = "\x17\x08\x44tracing7\0"sv;
constexpr uint16_t options_id = 0, symbols_id = 19;
constexpr uint16_t compressed = 1;
constexpr uint64_t section_header = 16, option_header = 6;
constexpr int max_option_sections = 256;
constexpr uint64_t max_table = uint64_t{256} << 20;

template <class T>
std::optional<T> load(std::string_view file, uint64_t at) {
  if (at > file.size() || file.size() - at < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, file.data() + at, sizeof value);
  return value;
}

/// The header ends with the offset of the first options.
std::optional<uint64_t> first_options(std::string_view file) {
  if (!file.starts_with(version_7)) return std::nullopt;
  uint64_t at = version_7.size();
  if (load<uint8_t>(file, at) != uint8_t{0}) return std::nullopt;  // big-endian
  at += 1 + 1 + 4;                                                 // endianness, size of long, page size
  for (int text = 0; text < 2; ++text) {                           // name and version of the compression
    const size_t end = file.find('\0', at);
    if (end == std::string_view::npos) return std::nullopt;
    at = end + 1;
  }
  return load<uint64_t>(file, at);
}

struct Section {
  uint16_t id = 0, flags = 0;
  std::string_view bytes;
};

std::optional<Section> section_at(std::string_view file, uint64_t at) {
  const auto id = load<uint16_t>(file, at);
  const auto flags = load<uint16_t>(file, at + 2);
  const auto size = load<uint64_t>(file, at + 8);
  if (!id || !flags || !size || at + section_header > file.size() ||
      *size > file.size() - at - section_header)
    return std::nullopt;
  return Section{*id, *flags, file.substr(at + section_header, *size)};
}

struct Symbol {
  uint64_t address;
  uint32_t name_at, name_size;
};

/// "ffffffff81000000 T _stext" or "ffffffffa0000000 t name\t[module]"
bool parse_symbol(std::string_view line, uint64_t offset, Symbol& out) {
  const auto number = std::from_chars(line.data(), line.data() + line.size(), out.address, 16);
  const auto blank = static_cast<size_t>(number.ptr - line.data());
  if (number.ec != std::errc() || line.size() < blank + 4 || line[blank] != ' ' || line[blank + 2] != ' ')
    return false;
  const char kind = line[blank + 1];
  if (kind == 'A' || kind == 'a' || line[blank + 3] == '$') return false;
  const size_t begin = blank + 3, end = std::min(line.find_first_of("\t ", begin), line.size());
  out.name_at = static_cast<uint32_t>(offset + begin);
  out.name_size = static_cast<uint32_t>(end - begin);
  return true;
}

}  // namespace

std::optional<SymbolTablePlace> find_symbol_table(std::string_view file) {
  std::optional<uint64_t> next = first_options(file);
  for (int sections = 0; next && *next != 0 && sections < max_option_sections; ++sections) {
    const auto options = section_at(file, *next);
    if (!options || options->id != options_id || (options->flags & compressed) != 0) return std::nullopt;
    const uint64_t begin = *next + section_header, end = begin + options->bytes.size();
    next.reset();
    for (uint64_t at = begin; at + option_header <= end;) {
      const auto id = load<uint16_t>(file, at);
      const auto size = load<uint32_t>(file, at + 2);
      if (!id || !size || *size > end - at - option_header) return std::nullopt;
      const auto value = *size == 8 ? load<uint64_t>(file, at + option_header) : std::nullopt;
      if (*id == 0) {  // the end of this section; its value is where the next one is
        next = value;
        break;
      }
      if (*id == symbols_id && value) return SymbolTablePlace{at, *value};
      at += option_header + *size;
    }
  }
  return std::nullopt;
}

Result<SymbolTable> symbol_table_text(std::string_view file, const SymbolTablePlace& place) {
  const auto damaged = [] { return fail("the symbol table is damaged"); };
  const auto section = section_at(file, place.section);
  if (!section || section->id != symbols_id) return damaged();
  SymbolTable table;
  std::string_view content = section->bytes;
  if ((section->flags & compressed) != 0) {
    const auto packed = load<uint32_t>(content, 0);
    if (!packed || content.size() < 8 || *packed > content.size() - 8) return damaged();
    const std::string_view frame = content.substr(8, *packed);
    if (detect_packing(frame) != Packing::zstd)
      return fail("the symbol table is packed in a way that is not known here");
    auto text = unpack(frame, Packing::zstd, "symbol table", {}, max_table);
    if (!text) return tl::unexpected(text.error());
    table.bytes = std::move(*text);
    content = table.bytes->view();
  }
  const auto size = load<uint32_t>(content, 0);
  if (!size || *size > content.size() - 4) return damaged();
  table.text = content.substr(4, *size);
  return table;
}

std::vector<std::string> symbols_at(std::string_view kallsyms, std::span<const uint64_t> addresses) {
  // For each address the last symbol that is not above it and above the address before, until all are known.
  std::vector<Symbol> nearest(addresses.size(), Symbol{0, 0, 0});
  uint64_t highest = 0;
  for (uint64_t at = 0; at < kallsyms.size() && at < UINT32_MAX;) {
    const size_t end = std::min(kallsyms.find('\n', at), kallsyms.size());
    Symbol symbol;
    if (parse_symbol(kallsyms.substr(at, end - at), at, symbol) && symbol.name_size != 0) {
      highest = std::max(highest, symbol.address);
      const auto place = std::lower_bound(addresses.begin(), addresses.end(), symbol.address) - addresses.begin();
      if (static_cast<size_t>(place) < nearest.size()) {
        Symbol& best = nearest[static_cast<size_t>(place)];
        if (best.name_size == 0 || symbol.address >= best.address) best = symbol;
      }
    }
    at = end + 1;
  }
  std::vector<std::string> names;
  names.reserve(addresses.size());
  for (size_t i = 0; i < addresses.size(); ++i) {
    if (nearest[i].name_size == 0 && i > 0) nearest[i] = nearest[i - 1];
    const Symbol& symbol = nearest[i];
    // Nothing lies behind the last symbol: nobody knows where it ends.
    if (symbol.name_size == 0 || (symbol.address == highest && addresses[i] != highest)) names.emplace_back();
    else names.push_back(fmt::format("{}+{:#x}", kallsyms.substr(symbol.name_at, symbol.name_size), addresses[i] - symbol.address));
  }
  return names;
}

}  // namespace hmmscope::traces
