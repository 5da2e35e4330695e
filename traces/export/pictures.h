#pragma once
/// Pictures of a recording as SVG elements, for reports. Colours come from CSS classes that the report's
/// style sheet sets: "agreed", "diverged", "unknown", "plain", and "r0" to "r7" for fields.

#include "engine/model/kernel_model.h"
#include "engine/recording/recording.h"
#include "traces/export/text_writer.h"

namespace hmmscope::traces {

/// Calls over time, one lane a task that made any. A column of pixels shows the worst judgement of the calls
/// in it, so that a single divergence among millions of calls is seen. Nothing when there are no calls.
void timeline_picture(TextWriter& out, const Recording& recording);

/// The 64 bits of a word with the fields of a layout under them; bits of `differing` are framed.
void word_picture(TextWriter& out, const Layout& layout, uint64_t word, uint64_t differing);

/// The fields of a layout without a word.
void layout_picture(TextWriter& out, const Layout& layout);

}  // namespace hmmscope::traces
