#pragma once
/// The rules by area (one .def file of engine/rules each), and which of them a kernel has.

#include <span>
#include <string_view>
#include <vector>

#include "engine/rules/rule.h"

namespace hmmscope::app {

struct RuleGroup {
  std::string_view name;        ///< "range fault"
  std::vector<RuleId> rules;
  bool of_the_kernel = true;    ///< false: hmmscope's own steps (scenarios, schedules, traces)
};

/// In the order in which `hmmscope rules` lists them; every rule is in one.
const std::vector<RuleGroup>& rule_groups();

/// The range-fault and migrate rules of 6.12, of which real captures are to fire two thirds. Nothing is left out: the
/// driver's own loop and calls that the captures' probes do not see count too.
std::vector<RuleId> range_fault_and_migrate_rules_of_6_12();

}  // namespace hmmscope::app
