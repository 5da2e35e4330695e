#pragma once
/// Which rules the program's own runs fire: the kernel's selftests under several kernels, the lessons' scenarios, the
/// rule cases, and replays of the captures that come with the program.

#include <cstdint>
#include <vector>

#include "engine/base/result.h"
#include "engine/rules/rule.h"

namespace hmmscope::app {

struct RuleCoverage {
  uint32_t tests = 0;      ///< runs of scenarios in which the rule fired
  uint32_t captures = 0;   ///< captures of real kernels whose replay fired it
};

/// By RuleId. Error: a file of the data directory cannot be read or run.
Result<std::vector<RuleCoverage>> count_rule_coverage();

}  // namespace hmmscope::app
