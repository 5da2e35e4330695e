#pragma once
/// The fields of one printed payload, found as they are asked for and no further: several look-ups of an event share one
/// pass. The payloads of one kind of event name the same fields in the same order: where the names of the payload before
/// stand in this one too, values of digits between them are read as numbers in the same pass; anything else goes the way
/// of FieldScan, and what is found is the same.
///
/// Threads: one. No allocation.

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "traces/reader/text_fields.h"

namespace hmmscope::traces {

class FieldSplit {
 public:
  /// The payload is the first line of `text` (without its end, '\n' or "\r\n"), which must live as long as what is found in
  /// it. Where the line ends is looked for only when it is asked. What was found before is forgotten but for its names.
  void split(std::string_view text);
  /// As find_field(payload, name).
  std::optional<std::string_view> find(std::string_view name);
  /// The value as parse_number(value, bare_hex) reads it; one that begins with 0x is hex in any case. False when there is
  /// none, or it is no number.
  bool number(std::string_view name, bool bare_hex, uint64_t& number);

 private:
  /// A name, for comparing: with its size all of one of up to 16 bytes.
  struct Key {
    uint64_t first = 0, last = 0;
    static Key of(std::string_view name);
    bool operator==(const Key&) const = default;
  };
  struct Name {
    Key key;
    size_t size = 0;
    std::string_view text;              ///< of this payload; only of a name of more than 16 bytes
    uint64_t bytes[2] = {}, mask[2] = {};   ///< as it is printed, with its '='; the mask is 0 when it is too long

    bool is(std::string_view name, const Key& key_of_name) const {
      return key.first == key_of_name.first && key.last == key_of_name.last && size == name.size() && (size <= 16 || text == name);
    }
    void learn(std::string_view name);
    bool stands_at(const char* at, const char* end_of_text) const;
  };
  enum class Digits : uint8_t {
    unknown,    ///< whether the value is a number was not looked at
    prefixed,   ///< 0x and up to 16 digits
    bare        ///< up to 16 hex digits
  };
  struct Value {
    std::string_view text;
    uint64_t number = 0;   ///< what `digits` are in hex
    Digits digits = Digits::unknown;
  };

  const Value* look_up(std::string_view name);
  bool next();
  bool next_as_before();
  const char* first_value() const;
  bool ends_at(const char* at) const;
  std::string_view payload() const;
  void take_slowly();

  static constexpr size_t most = 24;   ///< fields beyond are looked for one by one
  std::array<Name, most + 1> names_{};   ///< of this payload up to count_, then of those before
  std::array<Value, most> values_{};
  size_t count_ = 0;
  std::string_view text_;
  const char* next_value_ = nullptr;    ///< behind names_[count_] and its '=', where that is known to be the next field
  FieldScan scan_;                      ///< else stands behind the last of values_
  Value beyond_;                        ///< the one that was found beyond them last
};

}  // namespace hmmscope::traces
