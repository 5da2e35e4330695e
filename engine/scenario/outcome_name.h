#pragma once
/// How scenarios write what a call returned. Pure; any thread.

#include <cerrno>
#include <string>

#include "engine/base/errno_name.h"

namespace hmmscope::scenario {

/// "0" for success (5.2 to 5.7 return a count then), "deadlock" for the engine's -EDEADLK (no kernel function here
/// returns that), else the error's name, or its number when it has none here.
inline std::string outcome_name(int64_t ret) {
  if (ret >= 0) return "0";
  if (ret == -EDEADLK) return "deadlock";
  const auto name = errno_name(ret);
  return name ? std::string(*name) : std::to_string(ret);
}

}  // namespace hmmscope::scenario
