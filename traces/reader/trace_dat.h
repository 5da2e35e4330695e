#pragma once
/// trace.dat, the files of trace-cmd (versions 6 and 7), read through libtracecmd and libtraceevent. The records are
/// copied out in time order, with the layouts of their fields and the symbols they mention, so that nothing of the
/// libraries (their symbol tables are large) outlives the reading.

#include "traces/reader/source.h"

namespace hmmscope::traces {

const TraceSource& trace_dat_source();

}  // namespace hmmscope::traces
