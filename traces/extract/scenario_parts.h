#pragma once
/// What scenarios made of calls have in common: names as scenario files spell them.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/model/kernel_model.h"
#include "traces/extract/call_facts.h"

namespace hmmscope::traces::scenario_parts {

std::string hex(uint64_t value);  ///< "0x1f"
/// The "vmas" of a scenario, named vma1 and on.
nlohmann::ordered_json vmas(const std::vector<FactVma>& vmas);

/// Somebody else has the pages that the kernel left alone: operations that take them.
void hold(nlohmann::ordered_json& operations, const std::vector<FactRefusal>& refused);
/// Flags of struct migrate_vma by name.
nlohmann::ordered_json select(const KernelModel& model, uint64_t flags);

/// Behind the description of a call that did not agree: " Engine and kernel part here: ..."; empty for others.
std::string open_text(const Recording& recording, CallId call);

}  // namespace hmmscope::traces::scenario_parts
