// No lesson types a number that could be computed: whatever a learner reads comes from the layout tables, the
// engine or a capture. Names that contain digits (page sizes, kernel versions, dates) are the exceptions,
// listed here.

#include <gtest/gtest.h>

#include <filesystem>
#include <regex>

#include "lessons/expression.h"
#include "lessons/lesson.h"

namespace hmmscope::lessons {
namespace {

const std::filesystem::path lesson_files = std::filesystem::path(HMMSCOPE_SOURCE_DIR) / "lessons";

std::string without_placeholders(std::string text) {
  const auto found = placeholders(text);
  if (!found) return text;
  for (auto hole = found->rbegin(); hole != found->rend(); ++hole) text.erase(hole->begin, hole->length);
  return text;
}

std::string without_names(const std::string& text) {
  static const std::regex names(
      R"(\b(4|16|64) KiB\b|\b(2|32) MiB\b|\b1 GiB\b|\b64-bit\b|\bx86-64\b|\barm64\b|\bs390\b|\b(April|May|June) 20[0-9]{2}\b|)"
      R"(\b[4-7]\.[0-9]{1,2}\b|\bv[0-9]+\b|\bpatch [0-9]+/[0-9]+\b|\bhmm-[a-z0-9.-]+)");
  return std::regex_replace(text, names, "");
}

/// The first typed number of a text; empty when there is none.
std::string typed_number(const std::string& text) {
  static const std::regex number(R"((\b0x[0-9a-fA-F]+)|[0-9]+)");
  const std::string rest = without_names(without_placeholders(text));
  std::smatch found;
  return std::regex_search(rest, found, number) ? found.str() : "";
}

TEST(TypedNumbers, TheScanFindsThem) {
  EXPECT_EQ(typed_number("bit 57 is set"), "57");
  EXPECT_EQ(typed_number("the word 0xd2 is odd"), "0xd2");
  EXPECT_EQ(typed_number("order {{order}} of a 1 GiB page, {{pages}} words"), "");
  EXPECT_EQ(typed_number("all 262144 words"), "262144");
}

TEST(TypedNumbers, NoLessonHasOneInItsText) {
  const auto list = list_lessons(lesson_files);
  ASSERT_TRUE(list);
  for (const LessonInfo& info : *list) {
    const auto lesson = load_lesson(info.file);
    ASSERT_TRUE(lesson);
    const auto scan = [&](const std::string& text) {
      EXPECT_EQ(typed_number(text), "") << info.id << ": " << text;
    };
    for (const auto* list_of_text : {&lesson->introduction, &lesson->closing}) {
      for (const std::string& text : *list_of_text) scan(text);
    }
    for (const Task& task : lesson->tasks) {
      scan(task.title);
      scan(task.prompt);
      for (const std::string& text : task.text) scan(text);
      for (const std::string& text : task.explanation) scan(text);
      for (const Choice& choice : task.choices) scan(choice.text), scan(choice.reply);
      for (const Misconception& wrong : task.misconceptions) scan(wrong.reply);
    }
  }
}

/// Numbers in an expression: only 0 and 1 (a flag's value, "no page"), and which slot of an array is meant.
void scan_expression(const Expression& expression, bool is_slot, const std::string& where) {
  if (expression.kind == Expression::Kind::number && !is_slot) {
    EXPECT_LE(expression.number, 1u) << where;
  }
  const bool slots = expression.text == "slot" || expression.text == "slot_before";
  for (const Expression& argument : expression.arguments) scan_expression(argument, slots, where);
}

TEST(TypedNumbers, NoLessonHasOneInItsExpressions) {
  const auto list = list_lessons(lesson_files);
  ASSERT_TRUE(list);
  for (const LessonInfo& info : *list) {
    const auto lesson = load_lesson(info.file);
    ASSERT_TRUE(lesson);
    const auto scan = [&](const std::string& text) {
      if (text.empty()) return;
      const auto expression = parse_expression(text);
      ASSERT_TRUE(expression) << text;
      scan_expression(*expression, false, info.id + ": " + text);
    };
    const auto scan_text = [&](const std::string& text) {
      const auto holes = placeholders(text);
      ASSERT_TRUE(holes) << text;
      for (const Placeholder& hole : *holes) scan(hole.expression);
    };
    for (const auto& [name, expression] : lesson->values) scan(expression);
    for (const auto& [name, moment] : lesson->moments) {
      scan(moment.words);
      for (const auto& [field, expression] : moment.was) scan(expression);
      for (const auto& [field, expression] : moment.becomes) scan(expression);
    }
    for (const Task& task : lesson->tasks) {
      if (task.kind != TaskKind::go_to) scan(task.answer);
      scan(task.word);
      scan(task.mask);
      for (const Choice& choice : task.choices) scan(choice.when);
      for (const Misconception& wrong : task.misconceptions) scan(wrong.answer);
      for (const std::string& text : task.text) scan_text(text);
      for (const std::string& text : task.explanation) scan_text(text);
    }
  }
}

}  // namespace
}  // namespace hmmscope::lessons
