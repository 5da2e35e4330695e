// What `rules --coverage` counts. That no rule is unfired is for tests/coverage to say.
#include "app/cli/rule_coverage.h"
#include "app/cli/rule_groups.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "engine/scenario/run.h"
#include "engine/selftest/rule_cases.h"

namespace hmmscope::app {
namespace {

const Result<std::vector<RuleCoverage>>& counted() {
  static const auto coverage = count_rule_coverage();
  return coverage;
}

TEST(RuleCoverage, RealCapturesFireTwoThirdsOf612) {
  const auto& coverage = counted();
  ASSERT_TRUE(coverage) << coverage.error().to_string();
  const auto wanted = range_fault_and_migrate_rules_of_6_12();
  size_t fired = 0;
  std::string missing;
  for (const RuleId id : wanted) {
    if ((*coverage)[static_cast<size_t>(id)].captures != 0) ++fired;
    else missing += " " + std::string(rule(id).id);
  }
  EXPECT_GE(3 * fired, 2 * wanted.size()) << fired << " of " << wanted.size() << "; not fired:" << missing;
}

TEST(RuleCoverage, EveryRuleIsInOneArea) {
  std::set<RuleId> seen;
  for (const RuleGroup& group : rule_groups()) {
    for (const RuleId id : group.rules) EXPECT_TRUE(seen.insert(id).second) << rule(id).id;
  }
  EXPECT_EQ(seen.size(), rules().size());
}

TEST(RuleCoverage, VersionsAreReadAsTheyAreWritten) {
  for (const char* versions : {"all", "5.14+", "..6.18", "6.5..6.18", "..6.4, 6.12+"}) EXPECT_TRUE(covers(versions, 6, 12)) << versions;
  for (const char* versions : {"6.13+", "..6.4, 6.19+", "5.8..5.16"}) EXPECT_FALSE(covers(versions, 6, 12)) << versions;
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
