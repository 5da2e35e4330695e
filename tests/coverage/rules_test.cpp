// No rule is unfired: what the suites fired, added up. ctest runs them before this (a fixture).
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "engine/rules/rule.h"

namespace hmmscope {
namespace {

TEST(RuleCoverage, EveryRuleIsFiredByATest) {
  std::set<std::string> fired;
  size_t suites = 0;
  for (const auto& entry : std::filesystem::directory_iterator(HMMSCOPE_FIRED_RULES_DIR)) {
    std::ifstream file(entry.path());
    for (std::string line; std::getline(file, line);) fired.insert(line.substr(0, line.find(' ')));
    ++suites;
  }
  ASSERT_GE(suites, 8u) << "run it with the suites, as ctest does; in " << HMMSCOPE_FIRED_RULES_DIR;
  for (const Rule& r : rules()) EXPECT_TRUE(fired.contains(std::string(r.id))) << r.id << " is fired by no test";
}

}  // namespace
}  // namespace hmmscope
