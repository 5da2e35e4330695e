#pragma once
/// Formatted text into a Sink, in blocks.

#include <fmt/format.h>

#include <cstdint>
#include <iterator>
#include <string_view>

#include "traces/export/sink.h"

namespace hmmscope::traces {

class TextWriter {
 public:
  explicit TextWriter(Sink& sink) : sink_(sink) {}
  ~TextWriter() { flush(); }
  TextWriter(const TextWriter&) = delete;
  TextWriter& operator=(const TextWriter&) = delete;

  template <class... Arguments>
  TextWriter& print(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    fmt::format_to(std::back_inserter(buffer_), format, std::forward<Arguments>(arguments)...);
    return full();
  }
  TextWriter& raw(std::string_view text) {
    buffer_.append(text.data(), text.data() + text.size());
    return full();
  }
  /// A JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD.
  TextWriter& json(std::string_view text);
  /// A 64-bit word as JSON: "0x1f", a string, because JSON numbers lose bits in most readers.
  TextWriter& hex(uint64_t word) { return print("\"{:#x}\"", word); }
  /// A CSV field, quoted when it has to be (RFC 4180). Bytes that are not UTF-8 become U+FFFD.
  TextWriter& csv(std::string_view text);
  /// Text of an HTML element or attribute.
  TextWriter& html(std::string_view text);
  void flush();

 private:
  void utf8(std::string_view text);
  TextWriter& full() {
    if (buffer_.size() >= block) flush();
    return *this;
  }
  static constexpr size_t block = 64u << 10;
  Sink& sink_;
  fmt::memory_buffer buffer_;
};

}  // namespace hmmscope::traces
