#pragma once
/// What the capture scripts write (traces/capture): one text file that is an ftrace text with everything else
/// that was noted down in comment lines in front of it. Any reader of ftrace text can read it; this one also
/// keeps the notes.
///
///   # hmmscope-bundle: 1
///   # hmmscope-capture: kernel=6.12.1 arch=x86_64 page_shift=12 config=DEVICE_PRIVATE=y,...
///   # hmmscope-section: maps 123 start
///   #| 7f0000000000-7f0000021000 rw-p 00000000 00:00 0
///   # hmmscope-section: trace
///   # tracer: nop
///
/// Sections and their lines: traces/FORMAT.md.

#include "traces/reader/source.h"

namespace hmmscope::traces {

const TraceSource& capture_bundle_source();

}  // namespace hmmscope::traces
