#pragma once
/// What a run may not leave behind: migration entries that nobody will take away any more, and folio locks that a
/// migration, a fault, a driver or reclaim has taken. Looked at when every operation has ended and none is stuck; a
/// migration that the scenario itself has set up and not finalized, and what it has declared or holds, may stay.
/// Threads: the running task's.

#include <string>
#include <string_view>
#include <vector>

#include "engine/scenario/world.h"

namespace hmmscope::scenario {

inline constexpr std::string_view left_behind_name = "left-behind";   ///< among what a scenario allows

/// One sentence each, at most a handful, the name first.
std::vector<std::string> left_behind(World& world);

}  // namespace hmmscope::scenario
