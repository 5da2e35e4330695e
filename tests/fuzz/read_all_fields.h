#pragma once
/// What the fuzzers of trace formats do with any bytes: reading ends in a trace or an error with a message, and every
/// field of the trace can be asked for.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "traces/reader/source.h"

namespace hmmscope::traces {

inline void read_all_fields(const uint8_t* data, size_t size) {
  const auto read = read_trace({data, size}, "fuzz");
  if (!read) {
    if (read.error().message.empty()) std::abort();
    return;
  }
  const Trace& trace = **read;
  uint64_t words[4];
  uint64_t sum = 0;
  for (size_t i = 0; i < trace.size(); ++i) {
    const EventView event = trace[i];
    if (event.kind() >= trace.kinds().size() || event.task() >= trace.tasks().size()) std::abort();
    if (i > 0 && event.time_ns() < trace[i - 1].time_ns()) std::abort();
    for (const char* name : {"start", "ret", "count", "parent_pid", "__probe_func", "fd"}) sum += event.number(name).value_or(1);
    for (const char* name : {"pfns", "src"}) sum += event.array(name, words).value_or(1);
    for (const char* name : {"buf", "ops", "child_comm"}) sum += event.text(name).value_or("").size();
    sum += event.payload().size();
  }
  // The look-ups must not be optimised away.
  if (const volatile uint64_t seen = sum; seen == ~uint64_t{0}) std::abort();
}

}  // namespace hmmscope::traces
