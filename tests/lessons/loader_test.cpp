#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "lessons/lesson.h"

namespace hmmscope::lessons {
namespace {

using ::testing::HasSubstr;

const std::filesystem::path lessons_directory = std::filesystem::path(HMMSCOPE_SOURCE_DIR) / "lessons";

// A small lesson that is right; each test breaks one thing. The line of each part is easy to count.
const std::string small =
    R"json({
  "format": 1, "id": "small", "title": "T", "summary": "S", "minutes": 5,
  "introduction": ["i"], "closing": ["c"], "sources": ["s"],
  "samples": { "sample": { "file": "traces/samples/x.txt" } },
  "values": { "one": "add(0, 1)" },
  "moments": {
    "first": { "sample": "sample", "layout": "hmm-5.9", "becomes": { "VALID": "one" } }
  },
  "tasks": [
    {
      "id": "t", "kind": "choice", "title": "T", "text": ["x {{one}}"], "prompt": "?", "explanation": ["e"],
      "choices": [
        { "id": "a", "text": "A", "when": "equal(one, 1)" },
        { "id": "b", "text": "B", "when": "not(equal(one, 1))" }
      ]
    }
  ]
})json";

std::string with(std::string text, const std::string& what, const std::string& instead) {
  const size_t at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return text.replace(at, what.size(), instead);
}

std::string problem(const std::string& text) {
  const auto lesson = parse_lesson(text, "small.json");
  return lesson ? "none" : lesson.error().to_string();
}

TEST(LessonLoader, ReadsWhatIsThere) {
  const auto lesson = parse_lesson(small, "small.json");
  ASSERT_TRUE(lesson) << lesson.error().to_string();
  EXPECT_EQ(lesson->id, "small");
  EXPECT_EQ(lesson->moments.at("first").becomes.at("VALID"), "one");
  EXPECT_EQ(lesson->moments.at("first").region, "hmm_pfns");
  ASSERT_EQ(lesson->tasks.size(), 1u);
  EXPECT_EQ(lesson->tasks[0].kind, TaskKind::choice);
  EXPECT_EQ(lesson->tasks[0].choices[1].when, "not(equal(one, 1))");
  EXPECT_EQ(lesson->task("t"), &lesson->tasks[0]);
  EXPECT_EQ(lesson->task("u"), nullptr);
}

TEST(LessonLoader, SyntaxErrorsNameTheLine) {
  EXPECT_THAT(problem(with(small, "\"values\": {", "\"values\": {,")),
              HasSubstr("small.json:5: not valid JSON"));
  EXPECT_THAT(problem("{"), HasSubstr("small.json:1: not valid JSON"));
  EXPECT_THAT(problem(""), HasSubstr("not valid JSON"));
  EXPECT_THAT(problem(std::string("{\"a\": \"\xff\"}")), HasSubstr("not valid JSON"));
}

TEST(LessonLoader, SchemaErrorsNameTheLine) {
  EXPECT_THAT(problem(with(small, "\"kind\": \"choice\"", "\"kind\": \"riddle\"")),
              HasSubstr("small.json:11: /tasks/0"));
  EXPECT_THAT(problem(with(small, "\"when\": \"equal(one, 1)\"", "\"when\": 1")),
              HasSubstr("small.json:13: /tasks/0/choices/0"));
  EXPECT_THAT(problem(with(small, "\"sample\": \"sample\",", "\"sample\": \"sample\", \"stop\": \"here\",")),
              HasSubstr("small.json:7: /moments/first"));
  EXPECT_THAT(problem(with(small, "traces/samples/x.txt", "../../etc/passwd")), HasSubstr("small.json:4:"));
  EXPECT_THAT(problem(with(small, "\"format\": 1", "\"format\": 2")), HasSubstr("small.json:2:"));
}

TEST(LessonLoader, EachKindOfTaskNeedsItsOwnParts) {
  EXPECT_THAT(problem(with(small, "\"kind\": \"choice\"", "\"kind\": \"number\"")), HasSubstr("answer"));
  EXPECT_THAT(problem(with(small, "\"kind\": \"choice\"", "\"kind\": \"layout\"")), HasSubstr("design"));
  EXPECT_THAT(problem(with(small, "\"kind\": \"choice\"", "\"kind\": \"go-to\"")), HasSubstr("answer"));
}

TEST(LessonLoader, ReferencesMustExist) {
  EXPECT_THAT(problem(with(small, "\"sample\": \"sample\",", "\"sample\": \"other\",")),
              HasSubstr("small.json:7: there is no sample \"other\""));
  EXPECT_THAT(problem(with(small, "{{one}}", "{{two}}")),
              HasSubstr("small.json:11: there is no value \"two\""));
  EXPECT_THAT(problem(with(small, "{{one}}", "{{slot(second, 0)}}")),
              HasSubstr("there is no moment \"second\""));
  EXPECT_THAT(problem(with(small, "{{one}}", "{{one")), HasSubstr("without"));
  EXPECT_THAT(problem(with(small, "add(0, 1)", "plus(0, 1)")),
              HasSubstr("small.json:5: there is no function \"plus\""));
  EXPECT_THAT(problem(with(small, "add(0, 1)", "add(0, 1, 2)")), HasSubstr("does not take 3 arguments"));
  EXPECT_THAT(problem(with(small, "add(0, 1)", "add(0, one)")), HasSubstr("made from itself"));
  EXPECT_THAT(problem(with(small, "\"VALID\": \"one\"", "\"LUNAR\": \"one\"")),
              HasSubstr("has no field \"LUNAR\""));
  EXPECT_THAT(problem(with(small, "\"hmm-5.9\"", "\"hmm-0.0\"")), HasSubstr("small.json:7:"));
  EXPECT_THAT(
      problem(with(small, "\"sample\": \"sample\",", "\"sample\": \"sample\", \"after\": \"first\",")),
      HasSubstr("wait for each other"));
  EXPECT_THAT(
      problem(with(small, "\"sample\": \"sample\",", "\"sample\": \"sample\", \"region\": \"attic\",")),
      HasSubstr("attic"));
  EXPECT_THAT(
      problem(with(small, "\"sample\": \"sample\",", "\"sample\": \"sample\", \"rule\": \"no.such\",")),
      HasSubstr("no.such"));
  EXPECT_THAT(problem(with(small, "\"id\": \"b\"", "\"id\": \"a\"")), HasSubstr("two choices"));
}

TEST(LessonLoader, RefusesHostileJson) {
  EXPECT_THAT(problem(std::string(100000, '[')), HasSubstr("not valid JSON"));
  EXPECT_THAT(problem(std::string(100, '[') + std::string(100, ']')), HasSubstr("nested too deeply"));
  EXPECT_THAT(problem(with(small, "\"minutes\": 5", "\"minutes\": 5, \"minutes\": 6")),
              HasSubstr("small.json:2: the key \"minutes\" stands twice"));
  EXPECT_THAT(problem(std::string(5u << 20, ' ')), HasSubstr("larger than"));
  // A chain of values that doubles at each link ends all the same.
  std::string chain = "\"v0\": \"1\"";
  for (int i = 1; i < 40; ++i) {
    const std::string earlier = "v" + std::to_string(i - 1);
    chain += ", \"v" + std::to_string(i) + "\": \"add(" + earlier + ", " + earlier + ")\"";
  }
  EXPECT_EQ(problem(with(small, "\"one\": ", chain + ", \"one\": ")), "none");
}

TEST(LessonLoader, ALongChainIsRefusedBeforeItIsFollowed) {
  std::string chain = "\"v0\": \"1\"";
  for (int i = 1; i < 100000; ++i)
    chain += ", \"v" + std::to_string(i) + "\": \"v" + std::to_string(i - 1) + "\"";
  EXPECT_THAT(problem(with(small, "\"one\": ", chain + ", \"one\": ")), HasSubstr("small.json:5: /values"));
}

TEST(LessonLoader, EveryTruncationIsAnErrorAndNotACrash) {
  for (size_t length = 0; length < small.size(); ++length)
    EXPECT_NE(problem(small.substr(0, length)), "none") << length;
}

TEST(LessonDirectory, ListsTheLessonsThatCome) {
  const auto list = list_lessons(lessons_directory);
  ASSERT_TRUE(list) << list.error().to_string();
  ASSERT_FALSE(list->empty());
  for (const LessonInfo& info : *list) {
    EXPECT_EQ(info.file.stem(), info.id);
    EXPECT_TRUE(find_lesson(lessons_directory, info.id));
  }
  const auto unknown = find_lesson(lessons_directory, "three-owners");
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().message, HasSubstr("two-owners"));
  EXPECT_FALSE(list_lessons(lessons_directory / "nowhere"));
  EXPECT_FALSE(load_lesson(lessons_directory / "nothing.json"));
}

// The schema names every file it allows by folder; this keeps a lesson from naming one that is not there.
TEST(LessonDirectory, EverySampleIsThere) {
  const auto list = list_lessons(lessons_directory);
  ASSERT_TRUE(list);
  for (const LessonInfo& info : *list) {
    const auto lesson = load_lesson(info.file);
    ASSERT_TRUE(lesson);
    for (const auto& [name, sample] : lesson->samples)
      EXPECT_TRUE(std::filesystem::exists(lessons_directory / ".." / sample.file)) << name;
  }
}

}  // namespace
}  // namespace hmmscope::lessons
