#pragma once
/// ftrace text: the tracefs files `trace` and `trace_pipe`, and what `trace-cmd report` prints.

#include "traces/reader/source.h"

namespace hmmscope::traces {

const TraceSource& ftrace_text_source();

}  // namespace hmmscope::traces
