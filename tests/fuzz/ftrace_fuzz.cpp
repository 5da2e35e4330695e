// Any bytes: reading ends in a trace or an error, and every field of the trace can be asked for.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "traces/reader/source.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hmmscope::traces;
  const auto read = read_trace({data, size}, "fuzz");
  if (!read) {
    if (read.error().message.empty()) std::abort();
    return 0;
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
  static volatile uint64_t sink;  // the look-ups must not be optimised away
  sink = sum;
  return 0;
}
