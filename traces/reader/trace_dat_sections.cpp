#include "traces/reader/trace_dat_sections.h"

#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace hmmscope::traces {
namespace {

using namespace std::string_view_literals;
constexpr uint16_t options_id = 0, symbols_id = 19;
constexpr uint64_t section_header = 16, option_header = 6;
constexpr int max_option_sections = 256;
constexpr uint64_t max_table = uint64_t{256} << 20;

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

std::optional<DatHeader> dat_header(std::string_view file) {
  if (!file.starts_with(dat_magic)) return std::nullopt;
  const std::string_view version = file.substr(dat_magic.size(), 2);
  if (version != "6\0"sv && version != "7\0"sv) return std::nullopt;
  uint64_t at = dat_magic.size() + version.size();
  DatHeader header;
  header.has_sections = version[0] == '7';
  header.long_size_at = at + 1;
  header.page_size_at = at + 2;
  const auto endian = load_number<uint8_t>(file, at), long_size = load_number<uint8_t>(file, header.long_size_at);
  const auto page_size = load_number<uint32_t>(file, header.page_size_at);
  if (!endian || !long_size || !page_size) return std::nullopt;
  header.big_endian = *endian != 0;
  header.long_size = *long_size;
  header.page_size = *page_size;
  if (!header.has_sections) return header;
  at += 6;
  const size_t name_end = file.find('\0', at);
  const size_t version_end = name_end == std::string_view::npos ? name_end : file.find('\0', name_end + 1);
  if (version_end == std::string_view::npos) return std::nullopt;
  const auto options = load_number<uint64_t>(file, version_end + 1);
  if (!options) return std::nullopt;
  header.compression = file.substr(at, name_end - at);
  header.options = *options;
  return header;
}

std::optional<DatSection> section_at(std::string_view file, uint64_t at) {
  if (at > file.size() || file.size() - at < section_header) return std::nullopt;
  const auto size = load_number<uint64_t>(file, at + 8);
  if (!size || *size > file.size() - at - section_header) return std::nullopt;
  return DatSection{*load_number<uint16_t>(file, at), *load_number<uint16_t>(file, at + 2), file.substr(at + section_header, *size)};
}

bool unpack_chunk(std::string_view compression, std::string_view packed, std::string& room) {
  if (compression == "zstd") return ZSTD_decompress(room.data(), room.size(), packed.data(), packed.size()) == room.size();
  uLongf size = room.size();
  return compression == "zlib" && uncompress(reinterpret_cast<Bytef*>(room.data()), &size, reinterpret_cast<const Bytef*>(packed.data()), packed.size()) == Z_OK &&
         size == room.size();
}

bool for_each_option(std::string_view file, const DatHeader& header, const std::function<bool(const DatOption&)>& each) {
  uint64_t next = header.options;
  for (int sections = 0; next != 0; ++sections) {
    const auto options = section_at(file, next);
    if (sections == max_option_sections || !options || options->id != options_id || (options->flags & section_compressed) != 0) return false;
    const uint64_t begin = next + section_header, end = begin + options->bytes.size();
    next = 0;
    for (uint64_t at = begin; at + option_header <= end;) {
      const DatOption option{*load_number<uint16_t>(file, at), at, at + option_header, *load_number<uint32_t>(file, at + 2)};
      if (option.size > end - option.value_at) return false;
      if (option.id == 0) {  // the end of this section; its value is where the next one is
        if (option.size == 8) next = *load_number<uint64_t>(file, option.value_at);
        break;
      }
      if (!each(option)) return true;
      at = option.value_at + option.size;
    }
  }
  return true;
}

std::optional<SymbolTablePlace> find_symbol_table(std::string_view file) {
  const auto header = dat_header(file);
  if (!header || !header->has_sections || header->big_endian) return std::nullopt;
  std::optional<SymbolTablePlace> found;
  for_each_option(file, *header, [&](const DatOption& option) {
    if (option.id != symbols_id || option.size != 8) return true;
    found = SymbolTablePlace{option.at, *load_number<uint64_t>(file, option.value_at)};
    return false;
  });
  return found;
}

Result<SymbolTable> symbol_table_text(std::string_view file, const SymbolTablePlace& place) {
  const auto damaged = [] { return fail("the symbol table is damaged"); };
  if (place.option == 0) {
    const auto size = load_number<uint32_t>(file, place.section);
    if (!size || *size > file.size() - place.section - 4) return damaged();
    return SymbolTable{nullptr, file.substr(place.section + 4, *size)};
  }
  const auto section = section_at(file, place.section);
  if (!section || section->id != symbols_id) return damaged();
  SymbolTable table;
  std::string_view content = section->bytes;
  if ((section->flags & section_compressed) != 0) {
    const auto packed = load_number<uint32_t>(content, 0);
    if (!packed || content.size() < 8 || *packed > content.size() - 8) return damaged();
    const std::string_view frame = content.substr(8, *packed);
    if (detect_packing(frame) != Packing::zstd)
      return fail("the symbol table is packed in a way that is not known here");
    auto text = unpack(frame, Packing::zstd, "symbol table", {}, max_table);
    if (!text) return tl::unexpected(text.error());
    table.bytes = std::move(*text);
    content = table.bytes->view();
  }
  const auto size = load_number<uint32_t>(content, 0);
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
