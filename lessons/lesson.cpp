#include "lessons/lesson.h"

namespace hmmscope::lessons {

std::string_view task_kind_name(TaskKind kind) {
  switch (kind) {
    case TaskKind::choice:
      return "choice";
    case TaskKind::number:
      return "number";
    case TaskKind::word_bits:
      return "word-bits";
    case TaskKind::layout:
      return "layout";
    case TaskKind::go_to:
      return "go-to";
  }
  return "";
}

const Task* Lesson::task(std::string_view wanted) const {
  for (const Task& candidate : tasks) {
    if (candidate.id == wanted) return &candidate;
  }
  return nullptr;
}

}  // namespace hmmscope::lessons
