// Every rule of migrate.def fires in some small scenario or call, and every recording steps back to where it began.
#include <gmock/gmock.h>

#include <memory>

#include "engine/selftest/rule_cases.h"
#include "tests/migrate/direct.h"
#include "tests/migrate/migrate_support.h"

namespace hmmscope::scenario {
namespace {

TEST(MigrateRules, EachIsReachedByItsCase) {
  for (const Case& c : rule_cases()) {
    SCOPED_TRACE(c.rule);
    const Outcome outcome = run_text(json_of(c.vmas, c.pages, c.operations), c.kernel);
    EXPECT_THAT(fired(outcome.recording), testing::Contains(std::string_view(c.rule)));
  }
}

TEST(MigrateRules, NoneOfMigrateDefStaysUnfired) {
  constexpr std::string_view ids[] = {
#define HMMSCOPE_RULE(name, id, function, versions, statement, operands) id,
#include "engine/rules/migrate.def"
#undef HMMSCOPE_RULE
  };
  std::set<std::string_view> seen;
  for (const Case& c : rule_cases()) seen.merge(fired(run_text(json_of(c.vmas, c.pages, c.operations), c.kernel).recording));
  for (const Recording& recording : test::direct_recordings()) seen.merge(fired(recording));
  // 2M pages have their cases beside the program, which counts them for `hmmscope rules --coverage`.
  const auto shipped = selftest::rule_cases();
  ASSERT_TRUE(shipped) << shipped.error().to_string();
  const std::set<std::string_view> wanted(std::begin(ids), std::end(ids));
  for (const Scenario& scenario : *shipped) {
    if (seen.contains(scenario.title) || !wanted.contains(scenario.title)) continue;
    const auto outcome = run(scenario);
    ASSERT_TRUE(outcome) << scenario.title << ": " << outcome.error().to_string();
    for (const Failure& failure : outcome->failures) ADD_FAILURE() << scenario.title << ": " << failure.text;
    seen.merge(fired(outcome->recording));
  }
  for (const std::string_view id : ids) EXPECT_TRUE(seen.contains(id)) << id << " is fired by no case";
}

void expect_steps_back(Recording recording) {
  const auto kept = std::make_shared<const Recording>(std::move(recording));
  Cursor cursor(kept);
  std::vector<uint64_t> hashes{cursor.hash()};
  while (cursor.step()) hashes.push_back(cursor.hash());
  while (cursor.back()) ASSERT_EQ(cursor.hash(), hashes[cursor.position()]) << "at " << cursor.position();
}

TEST(MigrateRules, EveryCaseStepsBackToWhereItBegan) {
  for (const Case& c : rule_cases()) {
    SCOPED_TRACE(c.rule);
    expect_steps_back(run_text(json_of(c.vmas, c.pages, c.operations), c.kernel).recording);
  }
  for (Recording& recording : test::direct_recordings()) expect_steps_back(std::move(recording));
}

TEST(MigrateRules, OperandsAreThoseTheRowsName) {
  for (const Case& c : rule_cases()) {
    const Outcome outcome = run_text(json_of(c.vmas, c.pages, c.operations), c.kernel);
    for (StepIndex step = 0; step < outcome.recording.steps(); ++step) {
      const Rule& fired_rule = rule(outcome.recording.rule_of(step));
      ASSERT_EQ(outcome.recording.operands(step).size(), fired_rule.operand_count()) << fired_rule.id;
    }
  }
}

}  // namespace
}  // namespace hmmscope::scenario
