#pragma once
/// What the lines of a trace have in common: its tasks, CPUs, seconds and event names come again and again. The scanner
/// remembers them as the bytes they were printed with, so that a line is mostly compared, not parsed. A line that is not
/// known byte for byte is left to the parser, so nothing here knows the grammar beyond where a time ends.

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>

#include "traces/reader/byte_mask.h"
#include "traces/reader/text_line.h"
#include "traces/reader/trace.h"

namespace hmmscope::traces {

inline uint64_t load_8(const char* p) {
  uint64_t word;
  std::memcpy(&word, p, sizeof word);
  return word;
}

/// The number of `digits` (1 to 8) decimal digits at p; nothing when one is none. Reads 8 bytes. Little-endian machines.
inline std::optional<uint32_t> read_digits(const char* p, unsigned digits) {
  const uint64_t digit_bytes = ~uint64_t{0} >> (64 - 8 * digits);
  uint64_t value = (load_8(p) ^ 0x3030303030303030u) & digit_bytes;
  if (((value | (value + (0x0606060606060606u & digit_bytes))) & 0xf0f0f0f0f0f0f0f0u) != 0) return std::nullopt;
  value <<= 64 - 8 * digits;   // zeros in front
  value = value * 2561 >> 8 & 0x00ff00ff00ff00ffu;
  value = value * 6553601 >> 16 & 0x0000ffff0000ffffu;
  return static_cast<uint32_t>(value * 42949672960001u >> 32);
}

/// Where the time of a line ends, when it is printed as "SECONDS.FRACTION: " in its usual columns.
struct TimePlace {
  size_t point = 0, colon = 0;
  unsigned digits = 0;       ///< between them: 6 or 9
  static constexpr size_t first_column = 32, end_column = 64;

  /// Looks at 64 bytes.
  static std::optional<TimePlace> find(const char* line) {
    const uint32_t colons = equal_mask(line + first_column, ':') | equal_mask(line + first_column + 16, ':') << 16;
    if (colons == 0) return std::nullopt;
    const size_t colon = first_column + static_cast<size_t>(std::countr_zero(colons));
    if (line[colon - 7] == '.') return TimePlace{colon - 7, colon, 6};
    if (line[colon - 10] == '.') return TimePlace{colon - 10, colon, 9};
    return std::nullopt;
  }
  /// The fraction in nanoseconds.
  std::optional<int64_t> fraction(const char* line) const {
    const auto first = read_digits(line + point + 1, digits == 6 ? 6 : 8);
    if (!first) return std::nullopt;
    if (digits == 6) return int64_t{*first} * 1000;
    const char last = line[colon - 1];
    if (last < '0' || last > '9') return std::nullopt;
    return int64_t{*first} * 10 + (last - '0');
  }
};

/// Everything in front of the point of the time: task, CPU, flags, seconds.
class FrontMemo {
 public:
  struct Front {
    int64_t seconds_ns = 0;
    uint32_t task = 0;
    uint16_t cpu = 0;
  };
  static constexpr size_t least = 24, most = TimePlace::end_column;   ///< bytes of a front

  const Front* find(const char* line, size_t size) const {
    const Entry& entry = entries_[slot(line, size)];
    if (entry.size != size || entry.age != age_ || std::memcmp(line, entry.bytes, 16) != 0 ||
        std::memcmp(line + size - 16, entry.bytes + size - 16, 16) != 0)
      return nullptr;
    if (size > 32 && std::memcmp(line + 16, entry.bytes + 16, 16) != 0) return nullptr;
    if (size > 48 && std::memcmp(line + 32, entry.bytes + 32, 16) != 0) return nullptr;
    return &entry.front;
  }
  void add(const char* line, size_t size, const Front& front) {
    Entry& entry = entries_[slot(line, size)];
    std::memcpy(entry.bytes, line, size);
    entry.size = static_cast<uint32_t>(size);
    entry.age = age_;
    entry.front = front;
  }
  void forget() { ++age_; }

 private:
  struct Entry {
    char bytes[most];
    uint32_t size = 0;
    uint32_t age = 0;
    Front front;
  };
  static size_t slot(const char* line, size_t size) {
    const uint64_t h = (load_8(line + 8) ^ std::rotl(load_8(line + 16), 24)) * 0x9e3779b97f4a7c15u + load_8(line + size - 8);
    return static_cast<size_t>(h * 0xff51afd7ed558ccdu >> 55);
  }

  std::array<Entry, 512> entries_ = {};
  uint32_t age_ = 1;
};

/// Names of events as printed, in front of ": ".
class NameMemo {
 public:
  struct Name {
    KindId kind = no_kind;
    PayloadForm form = PayloadForm::fields;
  };
  static constexpr size_t most = 31;   ///< bytes of a name

  /// Looks at 32 bytes; 32 when there is no colon in them.
  static size_t size_of(const char* name) {
    return static_cast<size_t>(std::countr_zero(equal_mask(name, ':') | equal_mask(name + 16, ':') << 16));
  }
  const Name* find(const char* name, size_t size) const {
    const Key key = key_of(name, size);
    const Entry& entry = entries_[slot(key)];
    return entry.key == key ? &entry.name : nullptr;
  }
  void add(const char* name, size_t size, const Name& what) {
    const Key key = key_of(name, size);
    entries_[slot(key)] = {key, what};
  }

 private:
  /// Overlapping words that hold all of the name.
  struct Key {
    uint64_t first = 0, last = 0, second = 0, before_last = 0, size = 0;
    bool operator==(const Key&) const = default;
  };
  struct Entry {
    Key key;
    Name name;
  };
  static Key key_of(const char* name, size_t size) {
    Key key;
    key.size = size;
    key.first = load_8(name);
    if (size < 8) {
      key.first &= ~uint64_t{0} >> (64 - 8 * size);
      return key;
    }
    key.last = load_8(name + size - 8);
    if (size > 16) key.second = load_8(name + 8), key.before_last = load_8(name + size - 16);
    return key;
  }
  static size_t slot(const Key& key) {
    const uint64_t h = key.first ^ std::rotl(key.last, 27) ^ std::rotl(key.second, 47) ^ key.size;
    return static_cast<size_t>(h * 0x9e3779b97f4a7c15u >> 54);
  }

  std::array<Entry, 1024> entries_ = {};
};

}  // namespace hmmscope::traces
