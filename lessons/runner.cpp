#include "lessons/runner.h"

#include <algorithm>

namespace hmmscope::lessons {

Runner::Runner(Facts& facts) : facts_(facts), states_(facts.lesson().tasks.size()) {}

size_t Runner::right_count() const {
  return static_cast<size_t>(std::count_if(states_.begin(), states_.end(), [](const TaskState& state) {
    return state.grade && state.grade->right;
  }));
}

Result<std::vector<std::string>> Runner::paragraphs() const {
  switch (phase_) {
    case Phase::introduction:
      return facts_.fill(lesson().introduction);
    case Phase::closing:
      return facts_.fill(lesson().closing);
    default:
      return facts_.fill(task().text);
  }
}

Result<TaskView> Runner::view() const {
  TaskView view;
  view.task = &task();
  auto title = facts_.fill(task().title);
  auto text = facts_.fill(task().text);
  auto prompt = facts_.fill(task().prompt);
  if (!title) return fail(title.error());
  if (!text) return fail(text.error());
  if (!prompt) return fail(prompt.error());
  view.title = *std::move(title);
  view.text = *std::move(text);
  view.prompt = *std::move(prompt);
  for (const Choice& choice : task().choices) {
    auto filled = facts_.fill(choice.text);
    if (!filled) return fail(filled.error());
    view.choices.push_back(*std::move(filled));
  }
  const std::string& layout = task().kind == TaskKind::layout ? task().design.start : task().layout;
  if (!layout.empty()) view.layout = find_layout(layout);
  if (!task().word.empty()) {
    const auto word = facts_.number(task().word);
    if (!word) return fail(word.error());
    view.word = *word;
  }
  if (phase_ != Phase::graded) return view;
  auto explanation = facts_.fill(task().explanation);
  if (!explanation) return fail(explanation.error());
  view.explanation = *std::move(explanation);
  return view;
}

Result<std::optional<Target>> Runner::target() const {
  if (phase_ == Phase::introduction || phase_ == Phase::closing) return std::nullopt;
  const bool after_answer = phase_ != Phase::asking && !task().watch.empty();
  const std::string& name = after_answer ? task().watch : task().start;
  if (name.empty()) return std::nullopt;
  const auto moment = facts_.moment(name);
  if (!moment) return fail(moment.error());
  Target target{moment->document, moment->position, moment->word, task().layout};
  if (after_answer && task().watch_slot >= 0) {
    const Region& region = moment->document->recording->regions()[moment->region];
    const auto slot = static_cast<WordIndex>(task().watch_slot);
    if (slot >= region.count)
      return fail("task \"" + task().id + "\": the array has only " + std::to_string(region.count) +
                  " slots");
    target.word = region.first + slot;
  }
  return target;
}

Result<Grade> Runner::answer(const Answer& answer) {
  if (phase_ != Phase::asking) return fail("no question is open");
  auto judged = grade(task(), answer, facts_);
  if (!judged) return judged;
  TaskState& state = states_[index_];
  state.answer = answer;
  state.grade = *judged;
  if (++state.tries == 1) state.first_try_right = judged->right;
  phase_ = task().watch.empty() ? Phase::graded : Phase::watching;
  return judged;
}

void Runner::show_result() {
  if (phase_ == Phase::watching) phase_ = Phase::graded;
}

void Runner::retry() {
  if (phase_ != Phase::graded || states_[index_].grade->right) return;
  states_[index_].grade.reset();
  phase_ = Phase::asking;
}

void Runner::next() {
  if (phase_ == Phase::introduction) return go_to_task(0);
  if (phase_ != Phase::graded) return;
  if (index_ + 1 < states_.size()) return go_to_task(index_ + 1);
  phase_ = Phase::closing;
}

void Runner::go_to_task(size_t index) {
  if (index >= states_.size()) return;
  index_ = index;
  phase_ = states_[index].grade ? Phase::graded : Phase::asking;
}

void Runner::restart() {
  states_.assign(states_.size(), {});
  index_ = 0;
  phase_ = Phase::introduction;
}

}  // namespace hmmscope::lessons
