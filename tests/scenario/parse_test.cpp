// Mistakes in scenario files are told with file and line.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/scenario/scenario_support.h"

namespace hmmscope::scenario {
namespace {

std::string error_of(const std::string& text) {
  const auto parsed = parse(text, "bad.json");
  if (!parsed) return parsed.error().to_string();
  const auto outcome = run(*parsed);
  return outcome ? "" : outcome.error().to_string();
}

const std::string good_vma = R"({"name": "heap", "start": "0x7f0000000000", "size": "64K"})";

TEST(ScenarioParse, NamesFileAndLine) {
  EXPECT_THAT(error_of("{\n\"hmmscope-scenario\": 1,\n oops"), testing::StartsWith("bad.json:3: "));
  EXPECT_THAT(error_of("{\n\"hmmscope-scenario\": 1,\n\"title\": 3,\n\"vmas\": [], \"operations\": []}"), testing::StartsWith("bad.json:3: "));
  EXPECT_THAT(error_of(R"({"hmmscope-scenario": 2, "title": "t", "vmas": [], "operations": []})"), testing::StartsWith("bad.json:1: "));
  EXPECT_THAT(error_of("[]"), testing::StartsWith("bad.json:1: "));
  EXPECT_THAT(error_of(std::string("{}\n\0\"", 5)), testing::StartsWith("bad.json:2: a NUL"));
}

TEST(ScenarioParse, UnknownNamesAreRefused) {
  const auto with_operation = [&](const std::string& operation) { return error_of(scenario_json(good_vma, "", "\n" + operation)); };
  EXPECT_THAT(with_operation(R"({"op": "touch", "at": "stack"})"), testing::AllOf(testing::StartsWith("bad.json:2: "), testing::HasSubstr("stack")));
  EXPECT_THAT(with_operation(R"({"op": "dance", "at": "heap"})"), testing::StartsWith("bad.json:2: "));
  EXPECT_THAT(with_operation(R"({"op": "expect", "array": "nothing"})"), testing::HasSubstr("nothing"));
  EXPECT_THAT(with_operation(R"({"op": "range-fault", "array": "a", "at": "heap", "pages": 1, "device": "toaster"})"), testing::HasSubstr("toaster"));
  EXPECT_THAT(with_operation(R"({"op": "range-fault", "array": "a", "at": "heap", "pages": 1, "default": "DMA_MAPPED"})"),
              testing::AllOf(testing::StartsWith("bad.json:2: "), testing::HasSubstr("DMA_MAPPED")));
  EXPECT_THAT(with_operation(R"({"op": "touch", "at": "heap", "colour": "red"})"), testing::StartsWith("bad.json:2: "));
}

TEST(ScenarioParse, ImpossibleMachinesAreRefused) {
  EXPECT_THAT(error_of(scenario_json(good_vma + "," + good_vma, "", "")), testing::HasSubstr("exists already"));
  EXPECT_THAT(error_of(scenario_json(good_vma + R"(, {"name": "b", "start": "0x7f0000001000", "size": "4K"})", "", "")), testing::StartsWith("bad.json:1: "));
  EXPECT_THAT(error_of(scenario_json(good_vma, R"({"at": "heap+15", "pages": 2, "state": "present"})", "")), testing::HasSubstr("inside one VMA"));
  EXPECT_THAT(error_of(scenario_json(good_vma, R"({"at": "heap", "pages": 16, "state": "thp"})", "")), testing::HasSubstr("multiples"));
  EXPECT_THAT(error_of(scenario_json(R"({"name": "x", "start": "0xfffffffffffff000", "size": "8K"})", "", "")), testing::StartsWith("bad.json:1: "));
  EXPECT_THAT(error_of(scenario_json(good_vma, "", R"({"op": "range-fault", "array": "a", "at": "0xffffffffffff0000", "pages": 64})")), testing::HasSubstr("address space"));
  EXPECT_THAT(error_of(scenario_json(good_vma, R"({"at": "heap", "state": "device-private"})", "")), testing::HasSubstr("device"));
}

TEST(ScenarioParse, UnmetExpectationsAreFailuresNotErrors) {
  const auto parsed = parse(scenario_json(good_vma, "", R"({"op": "touch", "at": "heap", "expect": "SIGBUS"},
      {"op": "range-fault", "array": "a", "at": "heap", "pages": 2, "expect": "-EPERM"},
      {"op": "expect", "array": "a", "index": 1, "flags": "VALID"})"), "bad.json");
  ASSERT_TRUE(parsed) << parsed.error().to_string();
  const auto outcome = run(*parsed);
  ASSERT_TRUE(outcome) << outcome.error().to_string();
  ASSERT_EQ(outcome->failures.size(), 3u);
  EXPECT_EQ(outcome->expectations, 4u);   // and that the devices map nothing they may not
  EXPECT_EQ(outcome->failures[2].line, 3u);
  EXPECT_THAT(fired(outcome->recording), testing::IsSupersetOf({std::string_view("expect.failed"), std::string_view("expect.result_failed")}));
}

TEST(ScenarioParse, RecognisesScenariosByContent) {
  EXPECT_TRUE(is_scenario("  {\n \"hmmscope-scenario\": 1"));
  EXPECT_FALSE(is_scenario("{\"lesson\": 1}"));
  EXPECT_FALSE(is_scenario("# tracer: nop"));
  EXPECT_FALSE(is_scenario(""));
}

}  // namespace
}  // namespace hmmscope::scenario
