// Every rule is fired: by the program's own scenarios and captures, or by a suite that builds what no scenario can reach
// (broken tables, arguments no driver passes, made-up traces). Each suite writes down what it fired
// (tests/support/fired_rules.cpp); ctest runs this one after them.
#include "app/cli/rule_coverage.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "app/cli/rule_groups.h"
#include "engine/scenario/run.h"
#include "engine/selftest/rule_cases.h"

namespace hmmscope::app {
namespace {

std::set<std::string> fired_by_suites() {
  std::set<std::string> ids;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(HMMSCOPE_FIRED_RULES_DIR, error)) {
    std::ifstream in(entry.path());
    for (std::string id; std::getline(in, id);) ids.insert(id);
  }
  return ids;
}

const Result<std::vector<RuleCoverage>>& coverage() {
  static const auto counted = count_rule_coverage();
  return counted;
}

TEST(RuleCoverage, NoRuleIsUnfired) {
  ASSERT_TRUE(coverage()) << coverage().error().to_string();
  const auto by_suites = fired_by_suites();
  ASSERT_GT(by_suites.size(), 100u) << "run the other suites first, as ctest does: they write to " HMMSCOPE_FIRED_RULES_DIR;
  for (const Rule& r : rules()) {
    const RuleCoverage& count = (*coverage())[static_cast<size_t>(r.rule)];
    EXPECT_TRUE(count.tests != 0 || count.captures != 0 || by_suites.contains(std::string(r.id))) << r.id << " is fired by nothing";
  }
}

TEST(RuleCoverage, RealCapturesFireTwoThirdsOfTheRangeFaultAndMigrateRulesOf612) {
  ASSERT_TRUE(coverage()) << coverage().error().to_string();
  const auto wanted = range_fault_and_migrate_rules_of_6_12();
  ASSERT_GT(wanted.size(), 100u);
  size_t fired = 0;
  std::string missing;
  for (const RuleId id : wanted) {
    if ((*coverage())[static_cast<size_t>(id)].captures != 0) ++fired;
    else missing += " " + std::string(rule(id).id);
  }
  EXPECT_GE(fired * 3, wanted.size() * 2) << fired << " of " << wanted.size() << "; not fired:" << missing;
}

TEST(RuleCoverage, EveryRuleIsInOneArea) {
  std::set<RuleId> seen;
  for (const RuleGroup& group : rule_groups()) {
    for (const RuleId id : group.rules) EXPECT_TRUE(seen.insert(id).second) << rule(id).id;
  }
  EXPECT_EQ(seen.size(), rules().size());
}

TEST(RuleCoverage, VersionsAreReadAsTheyAreWritten) {
  EXPECT_TRUE(covers("all", 6, 12));
  EXPECT_TRUE(covers("5.14+", 6, 12));
  EXPECT_FALSE(covers("6.13+", 6, 12));
  EXPECT_TRUE(covers("..6.18", 6, 12));
  EXPECT_TRUE(covers("6.5..6.18", 6, 12));
  EXPECT_FALSE(covers("..6.4, 6.19+", 6, 12));
  EXPECT_TRUE(covers("..6.4, 6.19+", 6, 19));
  EXPECT_FALSE(covers("5.8..5.16", 6, 12));
}

TEST(RuleCoverage, EveryCaseFiresTheRuleItIsAbout) {
  const auto cases = selftest::rule_cases();
  ASSERT_TRUE(cases) << cases.error().to_string();
  ASSERT_GT(cases->size(), 150u);
  for (const scenario::Scenario& scenario : *cases) {
    const auto outcome = scenario::run(scenario);
    ASSERT_TRUE(outcome) << outcome.error().to_string();
    bool fired = false;
    for (StepIndex step = 0; step < outcome->recording.steps() && !fired; ++step) {
      fired = rule(outcome->recording.rule_of(step)).id == scenario.title;
    }
    EXPECT_TRUE(fired) << scenario.file << " is about " << scenario.title;
  }
}

}  // namespace
}  // namespace hmmscope::app
