// Answers as JSON: what `lesson grade --answers` reads and what progress is kept as.

#include <nlohmann/json.hpp>

#include "lessons/grader.h"

namespace hmmscope::lessons {
namespace {

using nlohmann::json;

/// The text of an exception would speak of the JSON library; a learner needs the form that is expected.
tl::unexpected<Error> expected(const Task& task, const char* form) {
  return fail("the answer to \"" + task.id + "\" must be " + form);
}

Result<uint64_t> read_number(const Task& task, const json& value) {
  if (value.is_number_unsigned()) return value.get<uint64_t>();
  if (!value.is_string()) return expected(task, "a number, or a string such as \"0x1f\"");
  auto number = parse_number(value.get_ref<const std::string&>());
  if (!number) return fail("the answer to \"" + task.id + "\": " + number.error().message);
  return number;
}

Result<Answer> read_layout(const Task& task, const json& value) {
  constexpr const char* form = "an object of field names and bit numbers, such as {\"VALID\": 1}";
  if (!value.is_object() || value.empty() || value.size() > 64) return expected(task, form);
  Answer answer;
  for (const auto& [field, bit] : value.items()) {
    if (!bit.is_number_integer() || bit < -1000 || bit > 1000) return expected(task, form);
    answer.layout[field] = bit.get<int>();
  }
  return answer;
}

Result<Answer> read_position(const Task& task, const json& value) {
  constexpr const char* form = "a cursor position, or {\"sample\": NAME, \"position\": NUMBER}";
  const json& position = value.is_object() && value.contains("position") ? value.at("position") : value;
  if (!position.is_number_unsigned() || position.get<uint64_t>() >= no_step) return expected(task, form);
  Answer answer;
  answer.position = position.get<StepIndex>();
  if (value.is_object() && value.contains("sample")) {
    if (!value.at("sample").is_string()) return expected(task, form);
    answer.sample = value.at("sample").get<std::string>();
  }
  return answer;
}

}  // namespace

Result<Answer> parse_answer(const Task& task, const json& value) {
  Answer answer;
  switch (task.kind) {
    case TaskKind::choice:
      if (!value.is_string()) return expected(task, "the id of a choice");
      answer.choice = value.get<std::string>();
      return answer;
    case TaskKind::number:
    case TaskKind::word_bits: {
      const auto number = read_number(task, value);
      if (!number) return fail(number.error());
      answer.number = *number;
      return answer;
    }
    case TaskKind::layout:
      return read_layout(task, value);
    case TaskKind::go_to:
      return read_position(task, value);
  }
  return fail("unreachable kind of task");
}

json to_json(const Task& task, const Answer& answer) {
  switch (task.kind) {
    case TaskKind::choice:
      return answer.choice;
    case TaskKind::number:
      return answer.number;
    case TaskKind::word_bits:
      return hex(answer.number);
    case TaskKind::layout:
      return answer.layout;
    case TaskKind::go_to:
      return answer.sample.empty() ? json(answer.position)
                                   : json{{"sample", answer.sample}, {"position", answer.position}};
  }
  return nullptr;
}

}  // namespace hmmscope::lessons
