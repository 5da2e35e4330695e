#pragma once
/// How errors look in the output of --json.

#include <nlohmann/json_fwd.hpp>

#include "engine/base/result.h"

namespace hmmscope::app {

/// {"message", "file", "line" or "offset"}
nlohmann::ordered_json error_json(const Error& error);

}  // namespace hmmscope::app
