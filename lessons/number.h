#pragma once
/// Numbers as people type and read them.

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/base/result.h"

namespace hmmscope::lessons {

/// Decimal, 0x hex or 0b binary, with _ , ' or spaces between digits. Errors say what is wrong with it.
Result<uint64_t> parse_number(std::string_view text);
/// 262144 -> "262 144" with narrow no-break spaces; numbers below ten thousand stay as they are.
std::string grouped(uint64_t number);
/// "0xd200000000140000": at least `digits` hex digits.
std::string hex(uint64_t number, int digits = 16);

}  // namespace hmmscope::lessons
