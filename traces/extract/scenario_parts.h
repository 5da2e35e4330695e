#pragma once
/// What scenarios made of calls have in common: names as scenario files spell them.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "traces/extract/call_facts.h"

namespace hmmscope::traces::scenario_parts {

std::string hex(uint64_t value);  ///< "0x1f"
/// The "vmas" of a scenario, named vma1 and on.
nlohmann::ordered_json vmas(const std::vector<FactVma>& vmas);

}  // namespace hmmscope::traces::scenario_parts
