// A learner's progress as JSON text. Answers are kept, grades are not: they are computed again when it is
// read, so that a corrected lesson or engine corrects the result too.

#include <nlohmann/json.hpp>

#include "lessons/runner.h"

namespace hmmscope::lessons {
namespace {

using nlohmann::json;

constexpr int version = 1;
constexpr size_t max_bytes = size_t{1} << 20;

}  // namespace

std::string Runner::save() const {
  json tasks = json::object();
  for (size_t i = 0; i < states_.size(); ++i) {
    const TaskState& state = states_[i];
    if (!state.answer) continue;
    const Task& task = lesson().tasks[i];
    tasks[task.id] = {{"answer", to_json(task, *state.answer)},
                      {"graded", state.grade.has_value()},
                      {"tries", state.tries},
                      {"first_try_right", state.first_try_right}};
  }
  json progress = {{"version", version}, {"lesson", lesson().id}, {"tasks", tasks}};
  if (phase_ == Phase::closing)
    progress["at"] = "closing";
  else if (phase_ != Phase::introduction)
    progress["at"] = {{"task", task().id}};
  return progress.dump();
}

Result<void> Runner::load(std::string_view text) {
  if (text.size() > max_bytes) return fail("the saved progress is too large to be one");
  const json progress = json::parse(text, nullptr, false);
  if (!progress.is_object() || progress.value("version", json()) != version ||
      progress.value("lesson", json()) != lesson().id) {
    return fail("the saved progress is not one of lesson \"" + lesson().id + "\"");
  }
  const json tasks = progress.value("tasks", json::object());
  if (!tasks.is_object()) return fail("the saved progress of lesson \"" + lesson().id + "\" is damaged");
  std::vector<TaskState> states(lesson().tasks.size());
  for (size_t i = 0; i < states.size(); ++i) {
    const Task& task = lesson().tasks[i];
    const auto saved = tasks.find(task.id);
    if (saved == tasks.end() || !saved->is_object() || !saved->contains("answer")) continue;
    auto answer = parse_answer(task, saved->at("answer"));
    if (!answer) continue;  // the task has become another one
    const auto judged = grade(task, *answer, facts_);
    if (!judged) continue;
    const json tries = saved->value("tries", json(1)), first = saved->value("first_try_right", json(false));
    states[i].answer = *std::move(answer);
    if (saved->value("graded", json(true)) == true) states[i].grade = *judged;
    states[i].tries = tries.is_number_unsigned() ? tries.get<uint32_t>() : 1;
    states[i].first_try_right = first == true;
  }
  states_ = std::move(states);
  index_ = 0;
  phase_ = Phase::introduction;
  const json at = progress.value("at", json());
  if (at == "closing") phase_ = Phase::closing;
  if (!at.is_object()) return {};
  for (size_t i = 0; i < states_.size(); ++i) {
    if (at.value("task", json()) == lesson().tasks[i].id) go_to_task(i);
  }
  return {};
}

}  // namespace hmmscope::lessons
