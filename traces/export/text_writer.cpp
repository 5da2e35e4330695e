#include "traces/export/text_writer.h"

#include <algorithm>

namespace hmmscope::traces {
namespace {

/// Bytes of the UTF-8 sequence that begins `text`; 0 when it is none.
size_t sequence_length(std::string_view text) {
  const auto lead = static_cast<uint8_t>(text[0]);
  const size_t length = lead < 0x80             ? 1
                        : (lead & 0xe0) == 0xc0 ? 2
                        : (lead & 0xf0) == 0xe0 ? 3
                        : (lead & 0xf8) == 0xf0 ? 4
                                                : 0;
  if (length == 0 || length > text.size()) return 0;
  uint32_t code = length == 1 ? lead : lead & (0x7fu >> length);
  for (size_t k = 1; k < length; ++k) {
    const auto byte = static_cast<uint8_t>(text[k]);
    if ((byte & 0xc0) != 0x80) return 0;
    code = code << 6 | (byte & 0x3f);
  }
  constexpr uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < least[length] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return 0;
  return length;
}

constexpr std::string_view replacement = "\xef\xbf\xbd";

}  // namespace

void TextWriter::flush() {
  sink_.write({buffer_.data(), buffer_.size()});
  buffer_.clear();
}

TextWriter& TextWriter::json(std::string_view text) {
  raw("\"");
  while (!text.empty()) {
    const char c = text[0];
    const size_t length = sequence_length(text);
    if (length == 0)
      raw(replacement);
    else if (c == '"' || c == '\\')
      print("\\{}", c);
    else if (static_cast<uint8_t>(c) < 0x20)
      print("\\u{:04x}", static_cast<unsigned>(c));
    else
      raw(text.substr(0, length));
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return raw("\"");
}

TextWriter& TextWriter::csv(std::string_view text) {
  const bool quoted = text.find_first_of(",\"\r\n") != std::string_view::npos;
  if (quoted) raw("\"");
  while (!text.empty()) {
    const size_t quote = std::min(text.find('"'), text.size());
    utf8(text.substr(0, quote));
    text.remove_prefix(quote);
    if (text.empty()) break;
    raw("\"\"");
    text.remove_prefix(1);
  }
  if (quoted) raw("\"");
  return *this;
}

void TextWriter::utf8(std::string_view text) {
  while (!text.empty()) {
    const size_t length = sequence_length(text);
    raw(length == 0 ? replacement : text.substr(0, length));
    text.remove_prefix(length == 0 ? 1 : length);
  }
}

TextWriter& TextWriter::html(std::string_view text) {
  while (!text.empty()) {
    const size_t length = sequence_length(text);
    switch (text[0]) {
      case '&':
        raw("&amp;");
        break;
      case '<':
        raw("&lt;");
        break;
      case '>':
        raw("&gt;");
        break;
      case '"':
        raw("&quot;");
        break;
      default:
        raw(length == 0 || static_cast<uint8_t>(text[0]) < 0x20 ? replacement : text.substr(0, length));
        break;
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return *this;
}

}  // namespace hmmscope::traces
