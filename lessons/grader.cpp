#include "lessons/grader.h"

#include <algorithm>

#include "engine/encoding/layout.h"
#include "lessons/design.h"

namespace hmmscope::lessons {
namespace {

constexpr size_t most_faults_shown = 6;

Result<Grade> grade_choice(const Task& task, const Answer& answer, Facts& facts) {
  Grade grade;
  const Choice* chosen = nullptr;
  for (const Choice& choice : task.choices) {
    const auto when = facts.truth(choice.when);
    if (!when) return fail(when.error());
    auto text = facts.fill(choice.text);
    if (!text) return fail(text.error());
    if (*when) grade.expected = *text;
    if (choice.id != answer.choice) continue;
    chosen = &choice;
    grade.given = *text;
    grade.right = *when;
  }
  if (chosen == nullptr) return fail("\"" + task.id + "\" has no choice \"" + answer.choice + "\"");
  if (grade.right) return grade;
  auto reply = facts.fill(chosen->reply);
  if (!reply) return fail(reply.error());
  grade.reply = *std::move(reply);
  return grade;
}

/// The reply of the misconception behind a wrong number; empty when it is nobody's.
Result<std::string> misconception(const Task& task, uint64_t given, uint64_t mask, Facts& facts) {
  for (const Misconception& wrong : task.misconceptions) {
    const auto number = facts.number(wrong.answer);
    if (!number) return fail(number.error());
    if ((*number & mask) == (given & mask)) return facts.fill(wrong.reply);
  }
  return std::string{};
}

Result<Grade> grade_number(const Task& task, const Answer& answer, Facts& facts) {
  const auto right = facts.number(task.answer);
  if (!right) return fail(right.error());
  Grade grade{answer.number == *right, grouped(answer.number), grouped(*right), {}};
  if (grade.right) return grade;
  auto reply = misconception(task, answer.number, ~uint64_t{0}, facts);
  if (!reply) return fail(reply.error());
  grade.reply = *std::move(reply);
  return grade;
}

/// "order is 11 and should be 9; ..." for the fields of `layout` in which the two words differ.
std::string differing_fields(const Layout& layout, uint64_t given, uint64_t right, uint64_t mask) {
  std::string text;
  for (const Field& field : layout.fields) {
    if (((given ^ right) & field.mask() & mask) == 0) continue;
    const auto value = [&](uint64_t word) {
      return field.width > 8 ? hex(field.get(word), 1) : std::to_string(field.get(word));
    };
    text += (text.empty() ? "" : "; ") + std::string(field.name) + " is " + value(given) + " and should be " +
            value(right);
  }
  return text;
}

Result<Grade> grade_word(const Task& task, const Answer& answer, Facts& facts) {
  const auto right = facts.number(task.answer);
  if (!right) return fail(right.error());
  const auto mask = task.mask.empty() ? Result<uint64_t>(~uint64_t{0}) : facts.number(task.mask);
  if (!mask) return fail(mask.error());
  const auto layout = layout_or_error(task.layout);
  if (!layout) return fail(layout.error());
  Grade grade{((answer.number ^ *right) & *mask) == 0, hex(answer.number), hex(*right), {}};
  if (grade.right) return grade;
  auto reply = misconception(task, answer.number, *mask, facts);
  if (!reply) return fail(reply.error());
  grade.reply = reply->empty() ? differing_fields(**layout, answer.number, *right, *mask) : *std::move(reply);
  return grade;
}

Result<Grade> grade_layout(const Task& task, const Answer& answer) {
  const auto start = layout_or_error(task.design.start);
  if (!start) return fail(start.error());
  const auto design = Design::make(**start, answer.layout);
  if (!design) return fail(design.error());
  const auto found = faults(task.design, **design);
  if (!found) return fail(found.error());
  Grade grade;
  grade.right = found->empty();
  for (const auto& [field, bit] : answer.layout)
    grade.given += (grade.given.empty() ? "" : ", ") + field + " at " + std::to_string(bit);
  const size_t shown = std::min(found->size(), most_faults_shown);
  for (size_t i = 0; i < shown; ++i) grade.reply += (i == 0 ? "" : "; ") + (*found)[i];
  if (found->size() > shown) grade.reply += "; and " + std::to_string(found->size() - shown) + " more";
  return grade;
}

Result<Grade> grade_position(const Task& task, const Answer& answer, Facts& facts) {
  const auto moment = facts.moment(task.answer);
  if (!moment) return fail(moment.error());
  Grade grade;
  grade.given = "position " + std::to_string(answer.position);
  if (!answer.sample.empty() && answer.sample != moment->sample) {
    if (!facts.lesson().samples.contains(answer.sample))
      return fail("there is no sample \"" + answer.sample + "\"");
    grade.reply = "that is another recording than the one asked about";
    return grade;
  }
  const auto matches = facts.matches(task.answer, answer.position);
  if (!matches) return fail(matches.error());
  grade.right = *matches;
  if (grade.right) return grade;
  const StepIndex sought = moment->step + 1;
  grade.reply = answer.position < sought ? "it happens later than this" : "it happened before this";
  return grade;
}

}  // namespace

Result<Grade> grade(const Task& task, const Answer& answer, Facts& facts) {
  switch (task.kind) {
    case TaskKind::choice:
      return grade_choice(task, answer, facts);
    case TaskKind::number:
      return grade_number(task, answer, facts);
    case TaskKind::word_bits:
      return grade_word(task, answer, facts);
    case TaskKind::layout:
      return grade_layout(task, answer);
    case TaskKind::go_to:
      return grade_position(task, answer, facts);
  }
  return fail("unreachable kind of task");
}

}  // namespace hmmscope::lessons
