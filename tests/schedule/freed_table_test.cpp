// Page tables that MADV_DONTNEED leaves empty: freed from 6.14 on, and noticed by those who come in between.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/rules/rule.h"
#include "tests/schedule/explore_support.h"

namespace hmmscope::scenario {
namespace {

using testing::Contains;
using testing::Not;

std::set<std::string_view> rules_of_run(const std::string& operations, const std::string& kernel, const std::string& more = "") {
  const auto outcome = run(parsed_or_fail(R"({"hmmscope-scenario": 1, "title": "t", "kernel": ")" + kernel + R"(", )" + more +
                               R"("devices": [{"name": "gpu0", "pages": 64}],
                               "vmas": [{"name": "heap", "start": "0x7f0000200000", "size": "4M"}], "operations": [)" + operations + "]}"), "");
  EXPECT_TRUE(outcome) << outcome.error().to_string();
  for (const Failure& failure : outcome->failures) ADD_FAILURE() << "line " << failure.line << ": " << failure.text;
  std::set<std::string_view> fired;
  for (StepIndex step = 0; step < outcome->recording.steps(); ++step) fired.insert(rule(outcome->recording.rule_of(step)).id);
  return fired;
}

const std::string filled = R"({"op": "touch", "at": "heap+1", "access": "write"},)";
std::string thrown_away(const std::string& at, int pages, const std::string& task = "") {
  return R"({"op": "madvise-dontneed", "at": ")" + at + R"(", "pages": )" + std::to_string(pages) + task + "},";
}
const std::string walked = R"({"op": "range-fault", "array": "a", "device": "gpu0", "at": "heap", "pages": 4, "expect": "0"},
                              {"op": "expect", "array": "a", "index": 0, "count": 4, "word": 0},)";
const std::string again = R"({"op": "touch", "at": "heap+1", "access": "write", "expect": "ok"},
                             {"op": "expect-page", "at": "heap+1", "state": "present", "refcount": 1, "mapcount": 1})";

TEST(FreedTable, AWalkTakesTheHoleAtThePmd) {
  for (const char* kernel : {"6.14", "6.16", "7.3"}) {
    SCOPED_TRACE(kernel);
    const auto fired = rules_of_run(filled + thrown_away("heap", 512) + walked + again, kernel);
    EXPECT_THAT(fired, Contains("madvise.table_freed"));
    EXPECT_THAT(fired, Contains("walk.pmd.hole"));
    EXPECT_THAT(fired, Not(Contains("pte.none")));
  }
}

TEST(FreedTable, ItStaysUnlessAllOfItIsThrownAway) {
  const auto before = rules_of_run(filled + thrown_away("heap", 512) + walked + again, "6.13");
  EXPECT_THAT(before, Not(Contains("madvise.table_freed")));
  EXPECT_THAT(before, Contains("pte.none"));
  const auto parts = rules_of_run(filled + thrown_away("heap", 511) + thrown_away("heap+511", 1) + thrown_away("heap+511", 512) + walked + again, "6.16");
  EXPECT_THAT(parts, Not(Contains("madvise.table_freed")));
}

const std::string two_tasks = filled + thrown_away("heap+1", 1) + thrown_away("heap", 512, R"(, "task": "a")");
std::string schedule(const char* text) { return R"("schedule": "@rule )" + std::string(text) + R"(", )"; }

TEST(FreedTable, AFaultThatHadReadThePmdIsTriedAgain) {
  const auto fired = rules_of_run(two_tasks + R"({"op": "touch", "at": "heap+3", "access": "write", "task": "b"},
                                                 {"op": "expect-page", "at": "heap+3", "state": "present"})",
                                  "6.16", schedule("a:3 b:3 a:7 b:2 a:1 b:1 a:3 b:1 a:2"));
  EXPECT_THAT(fired, Contains("fault.pte_table_gone"));
}

/// Else the new page would be in a table that nobody finds any more.
TEST(FreedTable, AnInsertionThatHadFoundItsPlaceIsGivenUp) {
  const auto fired = rules_of_run(two_tasks + R"({"op": "migrate-to-device", "device": "gpu0", "at": "heap+3", "pages": 1, "task": "b"},
                                                 {"op": "expect-page", "at": "heap+3", "state": "none"},
                                                 {"op": "expect-device", "device": "gpu0", "at": "heap+3", "mapped": false})",
                                  "6.16", schedule("b:3 a:1 b:5 a:1 b:1 a:1 b:5 a:2 b:2 a:2 b:1 a:1 b:2 a:1 b:1 a:1 b:2 a:1 b:7 a:2 b:1 a:3"));
  EXPECT_THAT(fired, Contains("insert.table_gone"));
}

}  // namespace
}  // namespace hmmscope::scenario
