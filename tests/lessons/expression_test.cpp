#include "lessons/expression.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lessons/facts.h"
#include "lessons/number.h"
#include "lessons/vocabulary.h"

namespace hmmscope::lessons {
namespace {

using ::testing::HasSubstr;

class ExpressionTest : public ::testing::Test {
 protected:
  std::string text(std::string_view expression) {
    const auto value = facts_.evaluate(expression);
    return value ? to_text(*value) : "error: " + value.error().message;
  }
  Lesson lesson_;
  Facts facts_{lesson_, "."};
};

TEST_F(ExpressionTest, ReadsNumbersStringsAndCalls) {
  EXPECT_EQ(text("42"), "42");
  EXPECT_EQ(text("0x2a"), "42");
  EXPECT_EQ(text("'as it is'"), "as it is");
  EXPECT_EQ(text(" add( 1 , sub(3, 2) ) "), "2");
  EXPECT_EQ(text("hex(0xd200000000140000)"), "0xd200000000140000");
}

TEST_F(ExpressionTest, SaysWhereAMistakeIs) {
  EXPECT_THAT(text("add(1, "), HasSubstr("at character 8: a value is missing"));
  EXPECT_THAT(text("add(1 2)"), HasSubstr("at character 7: ',' or ')' is expected"));
  EXPECT_THAT(text("hex('open"), HasSubstr("has no closing '"));
  EXPECT_THAT(text("1 2"), HasSubstr("nothing may follow here"));
  EXPECT_THAT(text("12monkeys"), HasSubstr("is not a number"));
  EXPECT_THAT(text(""), HasSubstr("a value is missing"));
}

TEST_F(ExpressionTest, RefusesWhatItDoesNotKnow) {
  EXPECT_THAT(text("launch()"), HasSubstr("no function \"launch\""));
  EXPECT_THAT(text("unheard-of"), HasSubstr("no value \"unheard-of\""));
  EXPECT_THAT(text("slot(nowhere, 0)"), HasSubstr("no moment \"nowhere\""));
  EXPECT_THAT(text("add(1)"), HasSubstr("does not take 1 arguments"));
  EXPECT_THAT(text("add('one', 1)"), HasSubstr("a number is expected"));
  EXPECT_THAT(text("bit('hmm-5.9', 'MOON')"), HasSubstr("has no field \"MOON\""));
  EXPECT_THAT(text("bit('hmm-0.1', 'VALID')"), HasSubstr("hmm-0.1"));
  EXPECT_THAT(text("order('x86-64', '3T')"), HasSubstr("no mapping named \"3T\""));
  EXPECT_THAT(text("order('vax', '2M')"), HasSubstr("vax"));
}

TEST_F(ExpressionTest, NestingAndLengthAreBounded) {
  std::string call;
  for (int i = 0; i < 40; ++i) call += "not(";
  EXPECT_THAT(text(call), HasSubstr("nested too deeply"));
  EXPECT_THAT(text(std::string(5000, '1')), HasSubstr("longer than 4096"));
}

TEST_F(ExpressionTest, ArithmeticDoesNotWrapUnseen) {
  EXPECT_THAT(text("sub(1, 2)"), HasSubstr("below zero"));
  EXPECT_THAT(text("pow2(64)"), HasSubstr("does not fit"));
  EXPECT_EQ(text("hex(pow2(63))"), "0x8000000000000000");
}

// What the layout tables say is known from the kernel's headers.
TEST_F(ExpressionTest, ReadsTheLayoutTables) {
  EXPECT_EQ(text("bit('hmm-v9-posted', 'DMA_MAPPED')"), "57");
  EXPECT_EQ(text("bit('hmm-v9-posted', 'order')"), "56");
  EXPECT_EQ(text("top_bit('hmm-v9-posted', 'order')"), "60");
  EXPECT_EQ(text("bit('hmm-6.16', 'order')"), "53");
  EXPECT_EQ(text("hex(mask('hmm-6.16', 'DMA_MAPPED'))"), "0x1000000000000000");
  EXPECT_EQ(text("hex(flags('hmm-5.9'))"), "0xff00000000000000");
  EXPECT_EQ(text("hex(encode('hmm-5.9', 'VALID', 1, 'WRITE', 1, 'order', 9, 'pfn', 0x12345))"),
            "0xc900000000012345");
  EXPECT_EQ(text("field('hmm-5.9', 'order', 0x9200000000012345)"), "18");
  EXPECT_EQ(text("bits(bits_in_common(mask('hmm-v9-posted', 'order'), mask('hmm-v9-posted', 'DMA_MAPPED')))"),
            "57");
  EXPECT_EQ(text("binary(18, width('hmm-v9-posted', 'order'))"), "10010");
  EXPECT_EQ(text("bits(0)"), "none");
}

TEST_F(ExpressionTest, ReadsTheMachines) {
  EXPECT_EQ(text("order('x86-64', '1G')"), "18");
  EXPECT_EQ(text("size('x86-64', 18)"), "1 GiB");
  EXPECT_EQ(text("size('arm64-16k', 7)"), "2 MiB");
  EXPECT_EQ(text("size('x86-64', 0)"), "4 KiB");
  EXPECT_EQ(text("smallest_forging_order('hmm-v9-posted', 'arm64-16k', 'DMA_MAPPED')"), "7");
  EXPECT_EQ(text("forging_orders('hmm-v9-posted', 'arm64-16k', 'DMA_MAPPED')"), "7, 11");
  EXPECT_EQ(text("forging_orders('hmm-v9-posted', 's390', 'DMA_MAPPED')"), "19");
  EXPECT_EQ(text("forging_orders('hmm-6.16', 's390', 'DMA_MAPPED')"), "none");
  EXPECT_EQ(text("sound('hmm-6.16', 'arm64-16k')"), "yes");
  EXPECT_EQ(text("sound('hmm-v9-posted', 'x86-64')"), "no");
}

TEST_F(ExpressionTest, EveryFunctionChecksItsArguments) {
  for (const Word& word : vocabulary()) {
    const std::vector<Value> truths(word.least, Value(true));
    const auto value = word.apply(truths);
    if (word.name == "equal" || word.name == "not") continue;  // these take truths
    EXPECT_FALSE(value) << word.name;
  }
}

TEST(Placeholders, AreFoundInOrder) {
  const auto found = placeholders("a {{one}} b {{two(1)}}");
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 2u);
  EXPECT_EQ((*found)[0].expression, "one");
  EXPECT_EQ((*found)[0].begin, 2u);
  EXPECT_EQ((*found)[0].length, 7u);
  EXPECT_EQ((*found)[1].expression, "two(1)");
  EXPECT_FALSE(placeholders("left {{open"));
}

TEST(Numbers, AreReadAsPeopleTypeThem) {
  EXPECT_EQ(*parse_number("262 144"), 262144u);
  EXPECT_EQ(*parse_number("262,144"), 262144u);
  EXPECT_EQ(*parse_number("0xD2_00"), 0xd200u);
  EXPECT_EQ(*parse_number("0b1001"), 9u);
  EXPECT_EQ(*parse_number("18446744073709551615"), ~uint64_t{0});
  for (const char* wrong :
       {"", " ", "0x", "0b2", "-1", "1.5", "eleven", "18446744073709551616", "0x10000000000000000"}) {
    EXPECT_FALSE(parse_number(wrong)) << wrong;
  }
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(262144), "262\u202f144");
}

}  // namespace
}  // namespace hmmscope::lessons
