#pragma once
/// What a schema cannot say about a lesson: names that must exist, expressions that must parse, chains that
/// must end.

#include <optional>
#include <string>

#include "lessons/lesson.h"

namespace hmmscope::lessons {

struct Problem {
  std::string pointer;  ///< JSON pointer of the value at fault
  std::string message;
};
std::optional<Problem> find_problem(const Lesson& lesson);

}  // namespace hmmscope::lessons
