#pragma once
/// How text and numbers are written in the window: decimals grouped by thin spaces, hex in full.

#include <QString>
#include <cstdint>
#include <optional>
#include <string_view>

namespace hmmscope::app {

/// The engine's UTF-8 as Qt keeps text.
inline QString text_of(std::string_view text) {
  return QString::fromUtf8(text.data(), static_cast<qsizetype>(text.size()));
}
/// 1184 -> "1 184" with U+2009, the thin space: grouped, and copied as digits and spaces.
QString grouped(uint64_t value);
/// 16 digits: "0xd20000000014a21b".
QString hex_word(uint64_t value);
/// Reads "1 184", "1,184", "1_184"; nothing when it is not a number.
std::optional<uint64_t> parse_grouped(const QString& text);
/// Reads "0x1f", "1f" only with `bare`; digits may be grouped by '_'.
std::optional<uint64_t> parse_hex(const QString& text, bool bare = false);
/// Nanoseconds as seconds with six decimals, as traces print them.
QString seconds(int64_t nanoseconds);

}  // namespace hmmscope::app
