#include <gtest/gtest.h>

#include <set>
#include <string>

#include "engine/rules/rule.h"

namespace hmmscope {
namespace {

TEST(Rules, HaveUniqueIdsAndAreFoundByThem) {
  std::set<std::string_view> ids;
  for (const Rule& r : rules()) {
    EXPECT_TRUE(ids.insert(r.id).second) << "two rules are called " << r.id;
    ASSERT_EQ(find_rule(r.id), &r);
    EXPECT_EQ(&rule(r.rule), &r);
  }
  EXPECT_EQ(find_rule("no.such.rule"), nullptr);
  EXPECT_EQ(find_rule(""), nullptr);
}

TEST(Rules, CanBeRead) {
  for (const Rule& r : rules()) {
    EXPECT_FALSE(r.statement.empty()) << r.id;
    EXPECT_FALSE(r.versions.empty()) << r.id;
    EXPECT_NE(r.id.find('.'), std::string_view::npos) << r.id;
    EXPECT_EQ(r.id.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789._-"), std::string_view::npos)
        << r.id;
    for (uint32_t i = 0; i < r.operand_count(); ++i) EXPECT_FALSE(r.operand_name(i).empty()) << r.id;
    EXPECT_EQ(r.operand_name(r.operand_count()), "") << r.id;
  }
}

TEST(Rules, AreListedByFunctionInOrderOfTheirRows) {
  size_t listed = 0;
  for (uint16_t f = 0; f < static_cast<uint16_t>(Function::count_); ++f) {
    const auto function = static_cast<Function>(f);
    const auto list = rules_of(function);
    listed += list.size();
    for (size_t i = 0; i < list.size(); ++i) {
      EXPECT_EQ(rule(list[i]).function, function);
      if (i > 0) {
        EXPECT_LT(list[i - 1], list[i]);
      }
    }
    Function named{};
    ASSERT_TRUE(function_named(function_name(function), named));
    EXPECT_EQ(named, function);
  }
  EXPECT_EQ(listed, rules().size());
  EXPECT_TRUE(rules_of(Function::count_).empty());
  Function named{};
  EXPECT_FALSE(function_named("no_such_function", named));
}

TEST(Rules, ErasFollowTheListTheyStandIn) {
  size_t early = 0;
  for (const Rule& r : rules()) {
    EXPECT_EQ(r.era == RuleEra::driver_format, r.id.starts_with("driver_format.")) << r.id;
    early += r.era == RuleEra::driver_format ? 1 : 0;
  }
  EXPECT_GT(early, 0u);
  EXPECT_LT(early, rules().size());
}

TEST(Rules, OperandNamesAreSplitAtCommas) {
  const Rule r{RuleId::unknown_rule, "x.y", Function::scenario, "all", "s", "pte, req,cpu_flags"};
  EXPECT_EQ(r.operand_count(), 3u);
  EXPECT_EQ(r.operand_name(0), "pte");
  EXPECT_EQ(r.operand_name(1), "req");
  EXPECT_EQ(r.operand_name(2), "cpu_flags");
  EXPECT_EQ(r.operand_name(3), "");
}

}  // namespace
}  // namespace hmmscope
