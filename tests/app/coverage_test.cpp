// What `rules --coverage` counts. That no rule is unfired is for tests/coverage to say.
#include "app/cli/rule_coverage.h"
#include "app/cli/rule_groups.h"
#include "engine/rules/rule_versions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "engine/scenario/run.h"
#include "engine/selftest/rule_cases.h"
#include "tests/support/program.h"

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

TEST(RuleCoverage, TestsAreCountedFromTheRecordsOfARun) {
  const testing_support::ScratchDirectory scratch;
  scratch.write("engine.txt", "pte.none 3\nrule.of.another.build 2\n");
  scratch.write("migrate.txt", "pte.none 4\npages.moved 1\n");
  std::vector<RuleCoverage> counts(rules().size());
  const auto ok = add_test_records(scratch.path(), counts);
  ASSERT_TRUE(ok) << ok.error().to_string();
  uint32_t sum = 0;
  for (const RuleCoverage& count : counts) sum += count.tests;
  EXPECT_EQ(counts[static_cast<size_t>(find_rule("pte.none")->rule)].tests, 7u);
  EXPECT_EQ(counts[static_cast<size_t>(find_rule("pages.moved")->rule)].tests, 1u);
  EXPECT_EQ(sum, 8u);

  scratch.write("broken.txt", "pte.none 3\npte.none many\n");
  const auto broken = add_test_records(scratch.path(), counts);
  ASSERT_FALSE(broken);
  EXPECT_THAT(broken.error().to_string(), testing::HasSubstr("broken.txt:2"));
  const testing_support::ScratchDirectory empty;
  EXPECT_FALSE(add_test_records(empty.path(), counts));
  const auto nowhere = add_test_records(empty.path() / "none", counts);
  ASSERT_FALSE(nowhere);
  EXPECT_THAT(nowhere.error().to_string(), testing::HasSubstr("tests/run"));
}

TEST(RuleCoverage, TheCommandSaysWhatItDoesNotKnow) {
  const auto plain = testing_support::run_program({"rules", "--coverage", "--function", "migrate_vma_pages"});
  EXPECT_EQ(plain.code, 0) << plain.err;
  EXPECT_THAT(plain.out, testing::AllOf(testing::HasSubstr("tests scenarios captures"), testing::HasSubstr("     - "),
                                        testing::HasSubstr("no record of a test run was given")));
  const testing_support::ScratchDirectory scratch;
  scratch.write("migrate.txt", "pages.moved 41\n");
  const auto counted = testing_support::run_program(
      {"rules", "--coverage", "--tests", scratch.path().string(), "--function", "migrate_vma_pages", "--json"});
  ASSERT_EQ(counted.code, 0) << counted.err;
  const auto json = nlohmann::json::parse(counted.out);
  for (const auto& each : json.at("rules")) {
    EXPECT_EQ(each.at("tests"), each.at("id") == "pages.moved" ? 41 : 0) << each.at("id");
    if (each.at("id") == "pages.moved") {
      EXPECT_GT(each.at("scenarios"), 0);
    }
  }
  EXPECT_EQ(testing_support::run_program({"rules", "--tests", scratch.path().string()}).code, 2);
}

TEST(RuleCoverage, EveryRuleIsInOneArea) {
  std::set<RuleId> seen;
  for (const RuleGroup& group : rule_groups()) {
    for (const RuleId id : group.rules) EXPECT_TRUE(seen.insert(id).second) << rule(id).id;
  }
  EXPECT_EQ(seen.size(), rules().size());
}

TEST(RuleCoverage, VersionsAreReadAsTheyAreWritten) {
  for (const char* versions : {"all", "5.14+", "..6.18", "6.5..6.18", "..6.4, 6.12+"}) EXPECT_TRUE(versions_cover(versions, 6, 12)) << versions;
  for (const char* versions : {"6.13+", "..6.4, 6.19+", "5.8..5.16"}) EXPECT_FALSE(versions_cover(versions, 6, 12)) << versions;
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
