#pragma once
/// Judges an answer. The right answer is always computed when it is needed; nothing is stored in the lesson.

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "engine/base/result.h"
#include "lessons/facts.h"
#include "lessons/lesson.h"
#include "lessons/number.h"

namespace hmmscope::lessons {

/// What a learner answered, one member by task kind.
struct Answer {
  std::string choice;   ///< choice: id of the choice
  uint64_t number = 0;  ///< number, word_bits: the value
  std::map<std::string, int>
      layout;              ///< layout: field name -> its lowest bit; the pfn takes the bits below all of them
  std::string sample;      ///< go_to: sample name; empty = the sample the task is about
  StepIndex position = 0;  ///< go_to: cursor position
};

struct Grade {
  bool right = false;
  std::string given;     ///< the learner's answer as text
  std::string expected;  ///< the right answer as text; empty when many answers are right (layout, go_to)
  std::string reply;     ///< what is wrong about it; empty when it is right
};

/// Errors: the answer does not fit the task (unknown choice, unknown field, ...) or a fact cannot be
/// computed.
Result<Grade> grade(const Task& task, const Answer& answer, Facts& facts);

/// Answers in their JSON form (FORMAT.md, "Answers").
Result<Answer> parse_answer(const Task& task, const nlohmann::json& value);
nlohmann::json to_json(const Task& task, const Answer& answer);

}  // namespace hmmscope::lessons
