// Every rule is fired: by the program's own scenarios and captures, or, where no scenario can reach it, by a case of
// tests/engine or tests/migrate, which demand theirs one by one.
#include "app/cli/rule_coverage.h"
#include "app/cli/rule_groups.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "engine/scenario/run.h"
#include "engine/selftest/rule_cases.h"

namespace hmmscope::app {
namespace {

/// Broken tables, arguments no driver passes, options of other kernel configurations, notifiers that may not block.
const std::set<std::string_view> only_by_direct_cases = {
    "range.livelock", "walk.bad_range", "walk.table.bad", "pud.not_present", "pmd.none",
    "pmd.not_present.fault", "pmd.not_present.error", "pmd.bad.fault", "pmd.bad.error",
    "handle_pmd.protnone", "pte.protnone", "hugetlb_entry.not_valid", "fault.pmd_protnone", "fault.pmd_bad",
    "fault.pte_protnone", "swap.unknown", "numa.restore", "setup.empty", "setup.start_outside", "setup.no_arrays",
    "setup.fault_page.not_private", "setup.fault_page.unlocked", "collect.pte.no_mapping", "unmap.large", "pages.skip",
    "insert.not_anonymous", "insert.pmd.unsuitable", "insert.pmd.no_memory", "pages.compound.no_vma", "pages.compound.small_src", "device_coherent.busy", "exclusive.entry.read", "notifier.start.refused", "callback.refuse",
    "unknown.rule", "pageout.busy", "pageout.written", "scenario.fault", "scenario.wait", "scenario.stale"};

/// tests/unified, tests/engine and tests/scenario demand each of these.
const std::set<std::string_view> of_own_suites = {
#define HMMSCOPE_RULE(name, id, function, versions, statement, operands) id,
#include "engine/rules/dma_map.def"
#include "engine/rules/driver_format.def"
#include "engine/rules/unified.def"
#undef HMMSCOPE_RULE
};

const Result<std::vector<RuleCoverage>>& counted() {
  static const auto coverage = count_rule_coverage();
  return coverage;
}

// The aim is two thirds. The captures of 6.12 that there are fire fewer: many rules need a pinned or poisoned page, a
// large folio of another process, a driver's own loop, or calls the probes do not see.
TEST(RuleCoverage, RealCapturesKeepFiringWhatTheyFireOf612) {
  const auto& coverage = counted();
  ASSERT_TRUE(coverage) << coverage.error().to_string();
  const auto wanted = range_fault_and_migrate_rules_of_6_12();
  size_t fired = 0;
  std::string missing;
  for (const RuleId id : wanted) {
    if ((*coverage)[static_cast<size_t>(id)].captures != 0) ++fired;
    else missing += " " + std::string(rule(id).id);
  }
  EXPECT_GE(fired, 81u) << "of " << wanted.size() << "; not fired:" << missing;
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

TEST(RuleCoverage, NoRuleIsUnfired) {
  const auto& coverage = counted();
  ASSERT_TRUE(coverage) << coverage.error().to_string();
  size_t by_captures = 0;
  for (const Rule& r : rules()) {
    const RuleCoverage& count = (*coverage)[static_cast<size_t>(r.rule)];
    by_captures += count.captures != 0 ? 1 : 0;
    if (count.tests != 0 || count.captures != 0) continue;
    const bool of_traces = r.id.starts_with("trace.") || r.id.starts_with("check.");
    EXPECT_TRUE(of_traces || only_by_direct_cases.contains(r.id) || of_own_suites.contains(r.id)) << r.id << " is fired by nothing";
  }
  EXPECT_GT(by_captures, 40u);
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
