#pragma once
/// Fields in the printed payload of an event, found and decoded in place.
///
///   (hmm_range_fault+0x4/0x80) range=0xff.. ret=-16 name="a b" ops=sym+0x0/0x60 [mod] pfns={0x1,0x2}
///   addr: 0, len: 118            system call arguments, printed in hex without 0x
///   pfns=ARRAY[00, 01, ...]      trace-cmd report -R: the bytes of the array
///
/// A printed number without 0x is decimal, except where the event is known to print hex: system call arguments and
/// the migration-entry tracepoints (addr, pte).

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace hmmscope::traces {

/// The printed value of `name` in "name=value ..." text: without quotes and braces, without a trailing comma.
/// A value ends where the next " name=" begins, so that spaces inside it are kept.
std::optional<std::string_view> find_field(std::string_view payload, std::string_view name);

/// The fields of a payload in their order, each '=' looked at once. A field begins with a name behind a space, a
/// '(' or nothing; any other '=' belongs to a value.
class FieldScan {
 public:
  FieldScan() = default;
  /// `payload` must live as long as what is found in it.
  explicit FieldScan(std::string_view payload) : payload_(payload) {}
  /// Where a name and its '=' stand.
  struct Place {
    size_t begin = 0, equals = 0;
  };
  /// The next field is this one.
  FieldScan(std::string_view payload, Place next)
      : payload_(payload), at_(next.equals + 1), pending_(true), begin_(next.begin), equals_(next.equals) {}

  /// The next field; false when there is none, or when the delimiter of a value is missing.
  bool next(std::string_view& name, std::string_view& value);

  /// The place of the next field, when looking for the end of the one before has told it.
  std::optional<Place> known_next() const {
    if (!pending_ || begin_ == equals_) return std::nullopt;
    return Place{begin_, equals_};
  }

 private:
  /// The next '=': at equals_, the name before it at begin_, which is equals_ when there is none.
  bool find_equals();
  /// The end of an undelimited value: the next " name=", which is kept for the next field, or the end.
  size_t open_end();

  std::string_view payload_;
  size_t at_ = 0;            ///< up to where the payload has been looked at
  bool pending_ = false;     ///< begin_ and equals_ are the next field's
  size_t begin_ = 0, equals_ = 0;
};

/// As find_field for "name: value, name: value)".
std::optional<std::string_view> find_argument(std::string_view payload, std::string_view name);
/// The symbols in front of a probe event: "(ret_ip <- func)" or "(ip)".
struct ProbeSymbols {
  std::string_view ip;      ///< entry probes
  std::string_view func;    ///< return probes
  std::string_view ret_ip;
};
std::optional<ProbeSymbols> probe_symbols(std::string_view payload);

/// "0x12ab", "-16", "123"; `bare_hex`: digits without 0x are hex.
std::optional<uint64_t> parse_number(std::string_view text, bool bare_hex);
/// "0x1,0x2,..." (braces already taken off) or "ARRAY[00, 01, ...]" (8 bytes an element, little-endian).
std::optional<uint32_t> parse_array(std::string_view text, std::span<uint64_t> out);

}  // namespace hmmscope::traces
