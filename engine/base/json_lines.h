#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "engine/base/result.h"

namespace hmmscope {

/// JSON pointer -> 1-based line of every value of a valid JSON text. Fails on nesting deeper than `max_depth`
/// and on an object that has one key twice.
Result<std::unordered_map<std::string, uint64_t>> json_lines(std::string_view text, std::string_view name,
                                                             size_t max_depth);

/// `key` as one part of a JSON pointer.
std::string escape_pointer_part(std::string_view key);

}  // namespace hmmscope
