#pragma once
/// Reconstruction of a kernel trace into a recording, with every recorded call re-run by the engine and compared.
/// Facts the trace does not show are marked unknown and never count as agreement.
///
/// Threads: one call one thread; the Trace may be shared.

#include "engine/base/result.h"
#include "engine/model/kernel_model.h"
#include "engine/recording/recording.h"
#include "traces/progress.h"
#include "traces/reader/trace.h"

namespace hmmscope::traces {

struct ReplayOptions {
  KernelModel model;      ///< the model in force: detect_model() of the TraceInfo, or the user's override
  Progress progress;      ///< stage "replay", in events
};

/// A recording with events, tasks and checks. Errors name the trace and the line of the event at fault; a cancelled
/// replay fails with the message "cancelled".
Result<Recording> replay(const Trace& trace, const ReplayOptions& options);

}  // namespace hmmscope::traces
