#pragma once
/// Reads the operations about the unified fault-and-migrate patches. Internal to engine/scenario.

#include <optional>
#include <string>

#include "engine/base/json_document.h"
#include "engine/scenario/scenario.h"

namespace hmmscope::scenario {

/// Nothing when the operation is of another kind.
std::optional<OpBody> unified_operation(const std::string& name, const nlohmann::json& object);

}  // namespace hmmscope::scenario
