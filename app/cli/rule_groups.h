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

/// Whether `versions` of a rule ("all", "5.14+", "..6.18", "6.5..6.18", several with commas) covers kernel major.minor.
bool covers(std::string_view versions, uint32_t major, uint32_t minor);

/// What a real capture is to fire two thirds of: the range-fault and migrate rules of 6.12, the ones of the driver's own
/// loop (`driver.`) and of calls that the kernel's own selftests and fuzzers cannot make left in.
std::vector<RuleId> range_fault_and_migrate_rules_of_6_12();

}  // namespace hmmscope::app
