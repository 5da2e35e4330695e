// Runs every case recorded and unrecorded and checks words, rules, reversibility and coverage.

#include <algorithm>

#include "tests/engine/case.h"

namespace hmmscope::test {

std::vector<Case> all_cases() {
  std::vector<Case> all;
  for (auto part : {pte_cases(), pmd_cases(), walk_cases(), hugetlb_cases(), fault_cases(), notifier_cases()}) {
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

namespace {

struct Outcome {
  std::vector<uint64_t> words;
  std::shared_ptr<const Recording> recording;
};

Outcome perform(const Case& c, bool recorded) {
  World w(c.model, c.change);
  c.build(w);
  if (recorded) w.start_recording();
  if (c.act) {
    c.act(w);
  } else {
    EXPECT_EQ(w.run().ret, c.ret);
    for (uint32_t i = 0; i < c.out.size(); ++i) {
      EXPECT_EQ(w.out(i), c.out[i]) << "slot " << i << ": " << describe(*w.machine().model().hmm_pfn, w.out(i))
                                    << " instead of " << describe(*w.machine().model().hmm_pfn, c.out[i]);
    }
  }
  Outcome outcome;
  if (recorded) outcome.recording = w.stop_recording();
  const auto words = w.machine().memory().words();
  outcome.words.assign(words.begin(), words.end());
  return outcome;
}

void expect_in_order(const std::vector<std::string>& wanted, const std::vector<std::string>& fired) {
  auto at = fired.begin();
  for (const std::string& id : wanted) {
    EXPECT_NE(find_rule(id), nullptr) << id << " is no rule";
    at = std::find(at, fired.end(), id);
    if (at == fired.end()) {
      std::string all;
      for (const std::string& f : fired) all += " " + f;
      FAIL() << id << " did not fire (in this order):" << all;
    }
    ++at;
  }
}

class Cases : public testing::TestWithParam<Case> {};

TEST_P(Cases, GiveTheWordsAndFireTheRules) {
  const Outcome outcome = perform(GetParam(), true);
  expect_in_order(GetParam().rules, fired_rules(*outcome.recording));
}

TEST_P(Cases, GiveTheSameWordsUnrecorded) {
  const Outcome recorded = perform(GetParam(), true), plain = perform(GetParam(), false);
  EXPECT_EQ(recorded.words, plain.words);
}

TEST_P(Cases, StepBackToWhereTheyCameFrom) {
  const Outcome outcome = perform(GetParam(), true);
  Cursor cursor(outcome.recording);
  std::vector<uint64_t> hashes{cursor.hash()};
  while (cursor.step()) hashes.push_back(cursor.hash());
  ASSERT_TRUE(std::equal(cursor.state().begin(), cursor.state().end(), outcome.words.begin(), outcome.words.end()));
  for (size_t i = hashes.size() - 1; cursor.back(); --i) ASSERT_EQ(cursor.hash(), hashes[i - 1]) << "at step " << i - 1;
}

TEST_P(Cases, NestAndReturn) {
  const Outcome outcome = perform(GetParam(), true);
  const Recording& r = *outcome.recording;
  for (const Call& call : r.calls()) {
    EXPECT_NE(call.end_step, no_step);
    if (call.parent == no_call) continue;
    EXPECT_LE(call.end_step, r.calls()[call.parent].end_step);
  }
  for (StepIndex s = 0; s < r.steps(); ++s) {
    const Rule& fired = rule(r.rule_of(s));
    EXPECT_EQ(r.operands(s).size(), fired.operand_count()) << fired.id;
  }
}

INSTANTIATE_TEST_SUITE_P(Engine, Cases, testing::ValuesIn(all_cases()), [](const auto& each) {
  std::string name = std::to_string(each.index) + "_" + each.param.name + "_" + each.param.model;
  std::replace_if(name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  return name;
});

TEST(Coverage, EveryRuleOfTheRangeFaultAndTheNotifiersFires) {
  const std::set<RuleId> wanted = {
#define HMMSCOPE_RULE(name, id, function, versions, statement, operands) RuleId::name,
#include "engine/rules/notifier.def"
#include "engine/rules/range_fault.def"
#undef HMMSCOPE_RULE
  };
  std::set<RuleId> missing = wanted;
  for (const Case& c : all_cases()) {
    const Outcome outcome = perform(c, true);
    for (StepIndex s = 0; s < outcome.recording->steps(); ++s) missing.erase(outcome.recording->rule_of(s));
  }
  // Page tables that change between two looks at them are tests/schedule/walk_race_test.cpp's.
  for (const RuleId id : {RuleId::walk_pud_again, RuleId::pmd_not_huge_any_more, RuleId::pmd_table_gone}) missing.erase(id);
  std::string names;
  for (const RuleId id : missing) names += std::string(rule(id).id) + " ";
  EXPECT_EQ(names, "") << "rules that no case fires";
}

}  // namespace
}  // namespace hmmscope::test
