#pragma once
/// Which rules are fired by what: by the program's own scenarios (the kernel's selftests under several kernels, the
/// lessons' scenarios, the rule cases), by replays of the captures that come with the program, and by the tests, of which a
/// test run leaves records (tests/support/fired_rules.cpp).

#include <cstdint>
#include <filesystem>
#include <vector>

#include "engine/base/result.h"
#include "engine/rules/rule.h"

namespace hmmscope::app {

struct RuleCoverage {
  uint32_t tests = 0;       ///< tests that fired the rule; 0 without records
  uint32_t scenarios = 0;   ///< runs of scenarios in which the rule fired
  uint32_t captures = 0;    ///< captures of real kernels whose replay fired it
};

/// By RuleId; `tests` stay 0. Error: a file of the data directory cannot be read or run.
Result<std::vector<RuleCoverage>> count_rule_coverage();

/// Adds what the tests fired, from the records in the directory: one file a suite (NAME.txt), in each line a rule's id and
/// how many tests fired it. Error: the directory cannot be read, has no record, or a line is none.
Result<void> add_test_records(const std::filesystem::path& directory, std::vector<RuleCoverage>& coverage);

}  // namespace hmmscope::app
