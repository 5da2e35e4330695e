#pragma once
/// The sections of a trace.dat file of version 7, as far as reading needs them without libtracecmd: where the
/// options are, and the symbol table. The library reads and sorts the whole symbol table when it opens a file
/// (tens of megabytes, and it crashes when it does not get them); a trace mentions a few of its symbols. So the library
/// gets a copy without the table, and the symbols are looked up in the table's own text afterwards.
///
/// Layout (trace-cmd's trace-cmd.dat.v7.5): header; options in chained sections, each option a 2-byte id, a
/// 4-byte size and its value; a section is a 2-byte id, 2-byte flags (1: compressed), a 4-byte name, an
/// 8-byte size and its bytes, which when compressed are two 4-byte sizes and a zstd frame. Little-endian
/// here: the reader refuses others.

#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"
#include "traces/reader/bytes.h"

namespace hmmscope::traces {

inline constexpr std::string_view dat_magic = "\x17\x08\x44" "tracing";

/// The front of a file of version 6 or 7.
struct DatHeader {
  bool has_sections = false;          ///< version 7
  bool big_endian = false;
  uint8_t long_size = 0;              ///< of the machine that recorded, bytes
  uint32_t page_size = 0;
  uint64_t long_size_at = 0, page_size_at = 0;   ///< where the file says so
  std::string_view compression;       ///< version 7: "zstd", "zlib" or "none"
  uint64_t options = 0;               ///< version 7: offset of the first section of options
};
/// Nothing when it is cut off, or of another version.
std::optional<DatHeader> dat_header(std::string_view file);

/// Version 7.
struct DatSection {
  uint16_t id = 0, flags = 0;
  std::string_view bytes;
};
inline constexpr uint16_t section_compressed = 1;   ///< of the flags
/// Nothing when it does not lie in the file.
std::optional<DatSection> section_at(std::string_view file, uint64_t at);

/// Version 7.
struct DatOption {
  uint16_t id = 0;
  uint64_t at = 0, value_at = 0;      ///< offsets in the file
  uint32_t size = 0;                  ///< of the value
};
inline constexpr uint16_t buffer_option = 3;
/// All options in their order, until `each` returns false. False when they are damaged (`each` has seen those in front).
bool for_each_option(std::string_view file, const DatHeader& header, const std::function<bool(const DatOption&)>& each);

/// Unpacks a chunk of a file whose header names this compression into `room`, whose size is what the chunk must have.
bool unpack_chunk(std::string_view compression, std::string_view packed, std::string& room);

/// A little-endian number; nothing when it does not lie in the bytes.
template <class T>
std::optional<T> load_number(std::string_view bytes, uint64_t at) {
  if (at > bytes.size() || bytes.size() - at < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

/// Where the symbol table of a file is.
struct SymbolTablePlace {
  uint64_t option = 0;   ///< version 7: offset of the id of the option that names it; 0: version 6
  uint64_t section = 0;  ///< offset of the section; in version 6 of the table's size, behind which it follows
};
/// Nothing when the file has another version than 7, no table, or is not understood.
std::optional<SymbolTablePlace> find_symbol_table(std::string_view file);

/// The option id that no version of trace-cmd uses: readers skip it.
inline constexpr uint16_t unused_option = 0x7ffe;

/// The text of the table, as /proc/kallsyms prints it: in `bytes`, or in the file when they are empty.
struct SymbolTable {
  std::shared_ptr<const Bytes> bytes;
  std::string_view text;
};
/// Error when it is damaged.
Result<SymbolTable> symbol_table_text(std::string_view file, const SymbolTablePlace& place);

/// For each address (ascending) the symbol it lies in, "name+0x10", empty when none does. Absolute symbols
/// and the compiler's marks ("$x") are none, as in libtraceevent.
std::vector<std::string> symbols_at(std::string_view kallsyms, std::span<const uint64_t> addresses);

}  // namespace hmmscope::traces
