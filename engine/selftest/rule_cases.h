#pragma once
/// Small scenarios that together make every rule fire that a scenario can reach: what `hmmscope rules --coverage` runs
/// besides the selftests and the lessons' scenarios. They are the file rule_cases.json, compiled in.

#include <vector>

#include "engine/scenario/scenario.h"

namespace hmmscope::selftest {

/// In the order of the file; the title names the rule a case is about. Error: a case is not a scenario, with the
/// number of the case.
hmmscope::Result<std::vector<scenario::Scenario>> rule_cases();

}  // namespace hmmscope::selftest
