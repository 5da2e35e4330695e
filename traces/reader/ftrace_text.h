#pragma once
/// ftrace text: the tracefs files `trace` and `trace_pipe`, and what `trace-cmd report` prints.

#include "traces/reader/source.h"

namespace hmmscope::traces {

const TraceSource& ftrace_text_source();

/// As the source reads, with the text cut into at most `pieces` (at least 1), each scanned by a thread of its own. The
/// trace does not depend on their number. Progress and prefixes come from the calling thread, while it scans the first piece.
Result<Trace::Parts> read_ftrace_text(const std::shared_ptr<const Bytes>& bytes, std::string_view name, ReadWatch& watch,
                                      size_t pieces);

}  // namespace hmmscope::traces
