#pragma once
/// Results that can fail. Every fallible call in hmmscope returns Result<T>; the Error carries a message a
/// person can act on and, when a file was at fault, where in it.

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace hmmscope {

struct Error {
  std::string message;   ///< what is wrong and what to do, one line, no trailing full stop needed
  std::string file;      ///< empty when no file is involved
  uint64_t line = 0;     ///< 1-based; 0 = not known
  uint64_t offset = 0;   ///< byte offset; used when line is 0 and has_offset is set
  bool has_offset = false;

  static Error at_line(std::string_view file, uint64_t line, std::string message) {
    return {std::move(message), std::string(file), line, 0, false};
  }
  static Error at_offset(std::string_view file, uint64_t offset, std::string message) {
    return {std::move(message), std::string(file), 0, offset, true};
  }

  /// "file:12: message", "file: at byte 88: message" or "message".
  std::string to_string() const {
    std::string where = file;
    if (line != 0) where += ":" + std::to_string(line);
    if (line == 0 && has_offset) where += (where.empty() ? "at byte " : ": at byte ") + std::to_string(offset);
    return where.empty() ? message : where + ": " + message;
  }
};

template <class T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(std::string message) {
  return tl::unexpected<Error>(Error{std::move(message), {}, 0, 0, false});
}
inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }

}  // namespace hmmscope
