#pragma once
/// Reads the operations of test_hmm's device file and the calls the kernel's selftests make. Internal to
/// engine/scenario.

#include <optional>
#include <string>

#include "engine/scenario/json_values.h"
#include "engine/scenario/scenario.h"

namespace hmmscope::scenario {

/// Nothing when the operation is of another kind.
std::optional<OpBody> device_operation(const std::string& name, const nlohmann::json& object);

/// "data" and "data_step"; nothing when there is no "data".
std::optional<PageContent> page_content(const nlohmann::json& object, const char* key = "data");

}  // namespace hmmscope::scenario
