#pragma once
/// Constants and byte-level helpers of the .hmmrec format; FORMAT.md beside this file is the specification.

#include <zlib.h>

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hmmscope::file_format {

static_assert(std::endian::native == std::endian::little, "columns are stored as they lie in memory: little-endian");

/// The high bit, the line ends and the ^Z catch transfers that treat the file as text.
inline constexpr std::array<uint8_t, 8> magic = {0x89, 'H', 'M', 'M', 'R', '\r', '\n', 0x1a};
inline constexpr uint32_t version = 1;
inline constexpr uint32_t max_sections = 256;

constexpr uint32_t tag(const char (&name)[5]) {
  uint32_t value = 0;
  for (int i = 3; i >= 0; --i) value = value << 8 | static_cast<uint8_t>(name[i]);
  return value;
}
inline std::string tag_name(uint32_t tag) {
  std::string name(4, '?');
  for (size_t i = 0; i < 4; ++i) {
    const auto c = static_cast<char>(tag >> (8 * i) & 0xff);
    if (c > ' ' && c < 0x7f) name[i] = c;
  }
  return name;
}

inline constexpr uint32_t names = tag("NAME");
inline constexpr uint32_t meta = tag("META");
inline constexpr uint32_t regions = tag("REGN");
inline constexpr uint32_t initial = tag("INIT");
inline constexpr uint32_t step_rule = tag("SRUL");
inline constexpr uint32_t step_call = tag("SCAL");
inline constexpr uint32_t step_event = tag("SEVT");
inline constexpr uint32_t step_operands = tag("SOPN");
inline constexpr uint32_t step_writes = tag("SWRN");
inline constexpr uint32_t operands = tag("OPND");
inline constexpr uint32_t write_word = tag("WWRD");
inline constexpr uint32_t write_info = tag("WINF");
inline constexpr uint32_t write_value = tag("WVAL");
inline constexpr uint32_t runs = tag("RUNS");
inline constexpr uint32_t literals = tag("LITS");
inline constexpr uint32_t calls = tag("CALL");
inline constexpr uint32_t arguments = tag("ARGS");
inline constexpr uint32_t events = tag("EVNT");
inline constexpr uint32_t event_kinds = tag("EKND");
inline constexpr uint32_t tasks = tag("TASK");
inline constexpr uint32_t checks = tag("CHCK");

/// CRC-32 of `data`, going on from `start` (0 at first).
inline uint32_t crc(uint32_t start, const void* data, size_t size) {
  return static_cast<uint32_t>(crc32_z(start, static_cast<const Bytef*>(data), size));
}

struct Header {
  std::array<uint8_t, 8> magic;
  uint32_t version;
  uint32_t sections;
  uint32_t checksum;  ///< CRC-32 of the header with this field zero, then the section table
  uint32_t reserved;  ///< zero
};
static_assert(sizeof(Header) == 24);

struct SectionEntry {
  static constexpr uint32_t zstd = 1;
  uint32_t tag;
  uint32_t flags;
  uint64_t offset;       ///< from the start of the file
  uint64_t stored_size;  ///< bytes in the file
  uint64_t size;         ///< bytes after decompression
  uint32_t checksum;     ///< CRC-32 of the stored bytes
  uint32_t reserved;     ///< zero
};
static_assert(sizeof(SectionEntry) == 40);

struct RunRow {
  static constexpr uint32_t linear = 0, literal = 1;
  uint32_t count;
  uint32_t shape;
  uint64_t base, stride;  ///< zero for literal runs
};
static_assert(sizeof(RunRow) == 24);

struct CallRow {
  uint32_t parent;
  uint16_t function;  ///< index into the function names of NAME
  uint16_t arguments;
  uint32_t first_step, end_step;
  uint32_t task;
  uint32_t returned;  ///< 0 or 1
  int64_t result;
};
static_assert(sizeof(CallRow) == 32);

struct EventRow {
  int64_t time_ns;
  uint64_t line;
  uint32_t task;
  uint16_t cpu, kind;
};
static_assert(sizeof(EventRow) == 24);

struct CheckRow {
  uint32_t call, step, word;
  uint16_t verdict;
  uint16_t rule;  ///< index into the rule names of NAME
  uint64_t kernel, engine, known;
  uint32_t words_compared, words_unknown;
};
static_assert(sizeof(CheckRow) == 48);

struct RegionRow {
  uint16_t kind;  ///< index into the kind names of NAME
  uint16_t reserved;
  uint32_t owner, count;
  uint32_t reserved2;
  uint64_t address, stride;
};
static_assert(sizeof(RegionRow) == 32);

/// Appends fixed-size values and strings.
class Bytes {
 public:
  template <class T>
  void put(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    const auto* bytes = reinterpret_cast<const uint8_t*>(&value);
    data.insert(data.end(), bytes, bytes + sizeof(T));
  }
  void put(std::string_view text) {
    put(static_cast<uint32_t>(text.size()));
    data.insert(data.end(), text.begin(), text.end());
  }
  std::vector<uint8_t> data;
};

}  // namespace hmmscope::file_format
