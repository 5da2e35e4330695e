#pragma once
/// Reconstruction of a kernel trace into a recording, with every recorded call re-run by the engine and
/// compared.
///
/// What the kernel read (page-table entries, VMAs, results of CPU faults, callbacks) is taken from the trace
/// as observed; what it computed (array words, return values, which function it called next) is computed by
/// the engine's own hmm_range_fault and compared with what the trace shows. Where they differ the kernel's
/// value is kept, in a step check.diverged. Facts the trace does not show are marked unknown and never count
/// as agreement.
///
/// Recording::checks(): the judgements in the order of the calls. The first check of a call is the call's
/// verdict; a diverged call may be followed by checks of further differing words of the same call.
/// Recording::events(): all events of the trace, same indices. Meta: model, kernel, patch, config, arch,
/// source.
///
/// Threads: one call one thread; the Trace may be shared.

#include "engine/base/result.h"
#include "engine/model/kernel_model.h"
#include "engine/recording/recording.h"
#include "traces/progress.h"
#include "traces/reader/trace.h"

namespace hmmscope::traces {

struct ReplayOptions {
  KernelModel model;  ///< the model in force: detect_model() of the TraceInfo, or the user's override
  Progress progress;  ///< stage "replay", in events
};

/// A recording with events, tasks and checks. Errors name the trace and the line of the event at fault; a
/// cancelled replay fails with the message "cancelled".
Result<Recording> replay(const Trace& trace, const ReplayOptions& options);

}  // namespace hmmscope::traces
