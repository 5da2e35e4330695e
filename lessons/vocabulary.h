#pragma once
/// The functions of lesson expressions that need no recording: arithmetic, the layout tables, the machines.
/// What each one means is listed in FORMAT.md.

#include <span>
#include <string_view>

#include "engine/base/result.h"
#include "lessons/expression.h"

namespace hmmscope::lessons {

struct Word {
  std::string_view name;
  uint8_t least, most;  ///< number of arguments
  Result<Value> (*apply)(std::span<const Value> arguments);
};

/// nullptr when there is no such function.
const Word* find_word(std::string_view name);
/// All of them, sorted by name.
std::span<const Word> vocabulary();

/// Arguments as the type a function needs; the error names what was expected.
Result<uint64_t> as_number(const Value& value);
Result<std::string> as_text(const Value& value);
Result<bool> as_truth(const Value& value);

}  // namespace hmmscope::lessons
