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

namespace hmmscope::lessons {

/// What a learner answered, one member by task kind.
struct Answer {
  std::string choice;                      ///< choice: id of the choice
  uint64_t number = 0;                     ///< number, word_bits: the value
  std::map<std::string, int> layout;       ///< layout: field name -> lowest bit ("ORDER" is the order field's shift)
  std::string sample;                      ///< go_to: sample name
  StepIndex position = 0;                  ///< go_to: cursor position
};

struct Grade {
  bool right = false;
  std::string expected;   ///< the right answer as text; empty when many answers are right (layout, go_to)
  std::string given;      ///< the learner's answer as text
  std::string reply;      ///< why it is wrong, or what is noteworthy; may be empty
};

/// Errors: the answer does not fit the task (unknown choice, unknown field, ...) or a fact cannot be computed.
Result<Grade> grade(const Task& task, const Answer& answer, Facts& facts);

/// Reads a number a person typed: decimal, 0x hex, 0b binary, with _ , ' or spaces as separators.
Result<uint64_t> parse_number(std::string_view text);
/// One answer from its JSON form (FORMAT.md, "Answers").
Result<Answer> parse_answer(const Task& task, const nlohmann::json& value);
nlohmann::json to_json(const Task& task, const Answer& answer);

}  // namespace hmmscope::lessons
