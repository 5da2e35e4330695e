#pragma once
/// A return probe takes one of a fixed number of slots and is not hit when none is free, and no mark tells of it. What a call
/// shows then seems to go another way than the engine. It can be told: entries and returns of the functions of one task nest.

#include <cstdint>
#include <span>
#include <string>

#include "traces/replay/event_kinds.h"

namespace hmmscope::traces {

/// `events`: those of one call of one task, in order. Names the first entry without its return, or return without its entry,
/// of functions of which the trace holds both; empty when all are there. `whole`: the return of the call itself is shown, so
/// that what was entered must have returned.
std::string missing_event(const Trace& trace, const EventKinds& kinds, std::span<const uint32_t> events, bool whole);

}  // namespace hmmscope::traces
