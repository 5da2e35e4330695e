#include "lessons/runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

namespace hmmscope::lessons {
namespace {

// A lesson that needs no recording, so that the runner is tested alone.
constexpr const char* lesson_text = R"json({
  "format": 1, "id": "plain", "title": "T", "summary": "S", "minutes": 5,
  "introduction": ["welcome to {{add(1, 1)}}"], "closing": ["goodbye"], "sources": ["s"],
  "tasks": [
    { "id": "first", "kind": "choice", "title": "T", "text": ["x"], "prompt": "?", "explanation": ["because"],
      "choices": [ { "id": "a", "text": "A", "when": "equal(1, 1)"
}, { "id": "b", "text": "B", "when": "equal(1, 0)", "reply": "no" } ]
},
    { "id": "second", "kind": "number", "title": "T", "text": ["x"], "prompt": "?", "explanation": ["e"],
      "answer": "order('x86-64', '2M')" },
    { "id": "third", "kind": "layout", "title": "T", "text": ["x"], "prompt": "?", "explanation": ["e"],
      "design": { "start": "hmm-6.16", "fields": ["VALID", "order"], "machines": ["x86-64"] } }
  ]
})json";

class RunnerTest : public ::testing::Test {
 protected:
  Lesson lesson_ = *parse_lesson(lesson_text, "plain.json");
  Facts facts_{lesson_, "."};
  Runner runner_{facts_};

  static Answer choice(const char* id) { return {id, 0, {}, {}, 0}; }
  static Answer number(uint64_t value) { return {{}, value, {}, {}, 0}; }
};

TEST_F(RunnerTest, GoesThroughALesson) {
  EXPECT_EQ(runner_.phase(), Phase::introduction);
  EXPECT_EQ(runner_.paragraphs()->front(), "welcome to 2");
  EXPECT_FALSE(runner_.answer(choice("a"))) << "no question is open yet";
  runner_.next();
  ASSERT_EQ(runner_.phase(), Phase::asking);
  EXPECT_TRUE(runner_.view()->explanation.empty()) << "the explanation would give it away";
  const auto grade = runner_.answer(choice("a"));
  ASSERT_TRUE(grade);
  EXPECT_TRUE(grade->right);
  EXPECT_EQ(runner_.phase(), Phase::graded);
  EXPECT_EQ(runner_.view()->explanation.front(), "because");
  runner_.next();
  EXPECT_EQ(runner_.task().id, "second");
  EXPECT_TRUE(runner_.answer(number(9))->right);
  runner_.next();
  EXPECT_EQ(runner_.view()->layout->id, std::string("hmm-6.16"));
  EXPECT_TRUE(runner_.answer({{}, 0, {{"VALID", 63}, {"order", 53}}, {}, 0})->right);
  runner_.next();
  EXPECT_EQ(runner_.phase(), Phase::closing);
  EXPECT_EQ(runner_.right_count(), 3u);
}

TEST_F(RunnerTest, AWrongAnswerCanBeTriedAgainAndTheFirstTryIsRemembered) {
  runner_.next();
  EXPECT_FALSE(runner_.answer(choice("b"))->right);
  EXPECT_EQ(runner_.right_count(), 0u);
  runner_.retry();
  ASSERT_EQ(runner_.phase(), Phase::asking);
  EXPECT_EQ(runner_.state(0).answer->choice, "b");
  EXPECT_TRUE(runner_.answer(choice("a"))->right);
  EXPECT_EQ(runner_.state(0).tries, 2u);
  EXPECT_FALSE(runner_.state(0).first_try_right);
  runner_.retry();
  EXPECT_EQ(runner_.phase(), Phase::graded) << "a right answer is not asked for again";
}

TEST_F(RunnerTest, AnAnswerThatDoesNotFitChangesNothing) {
  runner_.next();
  EXPECT_FALSE(runner_.answer(choice("z")));
  EXPECT_EQ(runner_.phase(), Phase::asking);
  EXPECT_EQ(runner_.state(0).tries, 0u);
}

TEST_F(RunnerTest, ProgressSurvivesARestart) {
  runner_.next();
  ASSERT_TRUE(runner_.answer(choice("b")));
  runner_.next();
  ASSERT_TRUE(runner_.answer(number(9)));
  const std::string saved = runner_.save();

  Runner later(facts_);
  ASSERT_TRUE(later.load(saved));
  EXPECT_EQ(later.phase(), Phase::graded);
  EXPECT_EQ(later.task().id, "second");
  EXPECT_FALSE(later.state(0).grade->right);
  EXPECT_TRUE(later.state(1).grade->right);
  EXPECT_FALSE(later.state(2).answer);
  EXPECT_EQ(later.save(), saved);
}

TEST_F(RunnerTest, ProgressIsGradedAgainWhenItIsRead) {
  auto forged = nlohmann::json::parse(R"({"version": 1, "lesson": "plain", "at": "closing",
    "tasks": {"second": {"answer": 8, "graded": true, "tries": 1, "first_try_right": true}}})");
  ASSERT_TRUE(runner_.load(forged.dump()));
  EXPECT_FALSE(runner_.state(1).grade->right);
  EXPECT_EQ(runner_.phase(), Phase::closing);
}

TEST_F(RunnerTest, DamagedProgressIsRefusedOrLeftOut) {
  runner_.next();
  ASSERT_TRUE(runner_.answer(choice("a")));
  const std::string before = runner_.save();
  for (const char* text :
       {"", "{", "[]", "null", R"({"version": 2, "lesson": "plain"})", R"({"version": 1, "lesson": "other"})",
        R"({"version": 1, "lesson": "plain", "tasks": 7})"}) {
    EXPECT_FALSE(runner_.load(text)) << text;
    EXPECT_EQ(runner_.save(), before) << text;
  }
  EXPECT_TRUE(runner_.load(
      R"({"version": 1, "lesson": "plain", "at": {"task": 9}, "tasks": {"first": {"answer": 5}, "second": 1,
    "third": {"answer": {"VALID": "x"}}, "gone": {"answer": 1}}})"));
  EXPECT_FALSE(runner_.state(0).answer);
  EXPECT_FALSE(runner_.state(2).answer);
}

TEST_F(RunnerTest, RestartForgets) {
  runner_.next();
  ASSERT_TRUE(runner_.answer(choice("a")));
  runner_.restart();
  EXPECT_EQ(runner_.phase(), Phase::introduction);
  EXPECT_FALSE(runner_.state(0).answer);
}

// The cursor's places come from the recordings; the real lesson shows them.
TEST(RunnerTargets, FollowTheTask) {
  const std::filesystem::path source = HMMSCOPE_SOURCE_DIR;
  const auto lesson = find_lesson(source / "lessons", "two-owners");
  ASSERT_TRUE(lesson) << lesson.error().to_string();
  Facts facts(*lesson, source);
  Runner runner(facts);
  EXPECT_FALSE(*runner.target());
  runner.next();
  const auto asking = runner.target();
  ASSERT_TRUE(asking) << asking.error().to_string();
  ASSERT_TRUE(*asking);
  ASSERT_TRUE(runner.answer({"set", 0, {}, {}, 0}));
  EXPECT_EQ(runner.phase(), Phase::watching);
  const auto watching = runner.target();
  ASSERT_TRUE(watching);
  ASSERT_TRUE(*watching);
  EXPECT_EQ((*watching)->document, (*asking)->document);
  EXPECT_GT((*watching)->position, (*asking)->position);
  EXPECT_EQ((*watching)->layout, "hmm-v9-posted");
  Cursor cursor((*watching)->document->recording, (*watching)->document->keyframes);
  cursor.seek((*watching)->position);
  EXPECT_EQ(cursor.load((*watching)->word), 0x1200000000000000u);
  runner.show_result();
  EXPECT_EQ(runner.phase(), Phase::graded);
}

}  // namespace
}  // namespace hmmscope::lessons
