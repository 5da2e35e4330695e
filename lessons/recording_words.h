#pragma once
/// The functions of lesson expressions that look into a recording. Their first argument is the name of a
/// moment. FORMAT.md lists them.

#include <span>
#include <string_view>

#include "engine/base/result.h"
#include "engine/recording/cursor.h"
#include "lessons/expression.h"
#include "lessons/moment.h"

namespace hmmscope::lessons {

struct RecordingWord {
  std::string_view name;
  uint8_t least, most;  ///< number of arguments, the moment included
  /// `arguments` without the moment. The cursor may be moved.
  Result<Value> (*apply)(const Moment& moment, Cursor& cursor, std::span<const Value> arguments);
};

/// nullptr when there is no such function.
const RecordingWord* find_recording_word(std::string_view name);
std::span<const RecordingWord> recording_vocabulary();

}  // namespace hmmscope::lessons
