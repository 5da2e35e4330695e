// The lesson "Two owners of one bit" against what its captures are known to hold.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "lessons/facts.h"
#include "lessons/grader.h"
#include "lessons/lesson.h"

namespace hmmscope::lessons {
namespace {

using ::testing::HasSubstr;

const std::filesystem::path source = HMMSCOPE_SOURCE_DIR;

class TwoOwners : public ::testing::Test {
 protected:
  // The samples are opened once; every test reads the same facts.
  static void SetUpTestSuite() {
    auto found = find_lesson(source / "lessons", "two-owners");
    ASSERT_TRUE(found) << found.error().to_string();
    lesson_ = new Lesson(*std::move(found));
    facts_ = new Facts(*lesson_, source);
    const auto ready = facts_->prepare();
    ASSERT_TRUE(ready) << ready.error().to_string();
  }
  static void TearDownTestSuite() {
    delete facts_;
    delete lesson_;
  }

  static uint64_t number(std::string_view expression) {
    const auto value = facts_->number(expression);
    EXPECT_TRUE(value) << value.error().to_string();
    return value.value_or(0xbadbadbad);
  }
  static Grade graded(const char* id, const Answer& answer) {
    const auto grade = lessons::grade(*lesson_->task(id), answer, *facts_);
    EXPECT_TRUE(grade) << grade.error().to_string();
    return grade.value_or(Grade{});
  }
  static Answer choice(const char* id) { return {id, 0, {}, {}, 0}; }
  static Answer value(uint64_t number) { return {{}, number, {}, {}, 0}; }
  static Answer design(std::map<std::string, int> bits) { return {{}, 0, std::move(bits), {}, 0}; }

  static inline Lesson* lesson_ = nullptr;
  static inline Facts* facts_ = nullptr;
};

TEST_F(TwoOwners, FindsInTheCapturesWhatTheExperimentRecorded) {
  EXPECT_EQ(number("slot(first-look, 0)"), 0x1200000000000000u);
  EXPECT_EQ(number("slot(first-look, 262143)"), 0x120000000003ffffu);
  EXPECT_EQ(number("count(first-look, 'hmm-v9-posted', 'DMA_MAPPED', 1, 'VALID', 0)"), 262144u);
  EXPECT_EQ(number("slot(first-fault, 0)"), 0xd200000000140000u);
  EXPECT_EQ(number("count(first-fault, 'hmm-v9-posted', 'DMA_MAPPED', 1)"), 262144u);
  EXPECT_EQ(number("slot(unpatched-fault, 0)") >> 48, 0xd200u);
  EXPECT_EQ(number("slot(huge-2m, 0)") >> 48, 0xc900u);
  EXPECT_EQ(number("count(huge-2m, 'hmm-v9-posted', 'DMA_MAPPED', 1)"), 0u);
  EXPECT_EQ(number("slot(tagged-2m, 0)") >> 48, 0xcb00u);
  EXPECT_EQ(number("count(tagged-2m, 'hmm-v9-posted', 'DMA_MAPPED', 1)"), 3u);
  EXPECT_EQ(number("slot(tagged-4k, 0)") >> 48, 0xc200u);
  EXPECT_EQ(number("slot(ghost, found(ghost))") >> 48, 0xc200u);
  EXPECT_EQ(number("slot_before(ghost, found(ghost))") >> 48, 0xd200u);
  EXPECT_EQ(number("slots(ghost)"), 64u);
  EXPECT_EQ(number("slot(merged-fault, 0)") >> 48, 0xc240u);
  EXPECT_EQ(number("count(merged-fault, 'hmm-6.16', 'DMA_MAPPED', 1)"), 0u);
  EXPECT_EQ(number("slot(merged-tag, 0)") >> 48, 0xd000u);
}

TEST_F(TwoOwners, GradesRightAnswers) {
  EXPECT_TRUE(graded("nobody-mapped-it", choice("set")).right);
  EXPECT_TRUE(graded("how-many", value(262144)).right);
  EXPECT_TRUE(graded("tests-said-fine", value(0xc900000000000000)).right);
  EXPECT_TRUE(graded("other-way-round", value(2)).right);
  EXPECT_TRUE(graded("other-machines", value(7)).right);
  EXPECT_TRUE(graded("merged-word", value(0xc240000000000000)).right);
  EXPECT_TRUE(graded("what-if", value(262143)).right);
}

TEST_F(TwoOwners, GradesWrongAnswersWithAReason) {
  EXPECT_THAT(graded("nobody-mapped-it", choice("clear")).reply, HasSubstr("number"));
  EXPECT_FALSE(graded("nobody-mapped-it", choice("mixed")).right);
  EXPECT_THAT(graded("how-many", value(1)).reply, HasSubstr("every word"));
  EXPECT_FALSE(graded("how-many", value(262143)).right);
  const Grade word = graded("tests-said-fine", value(0x8900000000000000));
  EXPECT_FALSE(word.right);
  EXPECT_THAT(word.reply, HasSubstr("WRITE is 0 and should be 1"));
  EXPECT_THAT(graded("other-machines", value(9)).reply, HasSubstr("16 KiB"));
  EXPECT_FALSE(graded("what-if", value(262144)).right);
  EXPECT_EQ(graded("what-if", value(1)).expected, "262\u202f143");
}

TEST_F(TwoOwners, AnswersThatDoNotFitAreErrors) {
  EXPECT_FALSE(lessons::grade(*lesson_->task("nobody-mapped-it"), choice("perhaps"), *facts_));
  EXPECT_FALSE(lessons::grade(*lesson_->task("your-layout"), design({{"MOON", 1}}), *facts_));
  EXPECT_FALSE(lessons::grade(*lesson_->task("your-layout"), design({{"order", 62}}), *facts_));
  EXPECT_FALSE(lessons::grade(*lesson_->task("your-layout"), design({{"pfn", 0}}), *facts_));
}

TEST_F(TwoOwners, GradesLayoutsByTheKernelLayoutCheck) {
  const std::map<std::string, int> merged = {{"VALID", 63},      {"WRITE", 62},  {"ERROR", 61},
                                             {"DMA_MAPPED", 60}, {"P2PDMA", 59}, {"P2PDMA_BUS", 58},
                                             {"order", 53}};
  EXPECT_TRUE(graded("your-layout", design(merged)).right);

  auto compact = merged;  // the same fields at the bottom of the flags instead
  compact = {{"order", 59},      {"VALID", 58},  {"WRITE", 57},     {"ERROR", 56},
             {"DMA_MAPPED", 55}, {"P2PDMA", 54}, {"P2PDMA_BUS", 53}};
  EXPECT_TRUE(graded("your-layout", design(compact)).right);

  auto posted = merged;  // the mistake of the lesson
  posted["order"] = 56;
  posted["DMA_MAPPED"] = 57;
  const Grade grade = graded("your-layout", design(posted));
  EXPECT_FALSE(grade.right);
  EXPECT_THAT(grade.reply, HasSubstr("DMA_MAPPED"));

  auto incomplete = merged;
  incomplete.erase("P2PDMA");
  EXPECT_THAT(graded("your-layout", design(incomplete)).reply, HasSubstr("P2PDMA has no place"));

  auto low = merged;  // sound between the fields, but no room for the pfn
  low["order"] = 20;
  EXPECT_FALSE(graded("your-layout", design(low)).right);
}

TEST_F(TwoOwners, GradesPositionsByWhatHappensThere) {
  const auto ghost = facts_->moment("ghost");
  ASSERT_TRUE(ghost);
  Answer answer{{}, 0, {}, {}, ghost->position};
  EXPECT_TRUE(graded("the-ghost", answer).right);
  answer.sample = "posted-1g";
  EXPECT_TRUE(graded("the-ghost", answer).right);
  answer.sample = "posted-4k";
  EXPECT_FALSE(graded("the-ghost", answer).right);
  answer.sample.clear();
  const auto fault = facts_->moment("first-fault");
  ASSERT_TRUE(fault);
  answer.position = fault->position;
  EXPECT_FALSE(graded("the-ghost", answer).right);
  EXPECT_THAT(graded("the-ghost", answer).reply, HasSubstr("later"));
  answer.position = ~StepIndex{0};
  EXPECT_FALSE(graded("the-ghost", answer).right);
}

TEST_F(TwoOwners, IsTheSameEveryTime) {
  Facts again(*lesson_, source);
  ASSERT_TRUE(again.prepare());
  for (const Task& task : lesson_->tasks) {
    EXPECT_EQ(*again.fill(task.text), *facts_->fill(task.text)) << task.id;
    EXPECT_EQ(*again.fill(task.explanation), *facts_->fill(task.explanation)) << task.id;
  }
}

TEST_F(TwoOwners, TextReadsWell) {
  for (const Task& task : lesson_->tasks) {
    for (const auto* paragraphs : {&task.text, &task.explanation}) {
      const auto filled = facts_->fill(*paragraphs);
      ASSERT_TRUE(filled) << task.id;
      for (const std::string& paragraph : *filled)
        EXPECT_THAT(paragraph,
                    ::testing::Not(::testing::AnyOf(HasSubstr("{{"), HasSubstr("}}"), HasSubstr("  "))))
            << task.id;
    }
  }
}

}  // namespace
}  // namespace hmmscope::lessons
