#pragma once
/// The kernel model of a trace or a recording that names its kernel. For those that do not: detect_model.h.
///
/// Threads: any.

#include <string>

#include "engine/base/result.h"
#include "engine/model/kernel_model.h"
#include "traces/reader/trace.h"

namespace hmmscope::traces {

/// Numbers the entry types as a kernel of `release` with this configuration does. An empty configuration says nothing.
Result<void> apply_config(const std::string& config, const std::string& release, KernelModel& model);

/// The model of the kernel, patch, configuration and machine that the trace names. `kernel` (empty: as the trace says)
/// replaces the release and the patch; the machine and the configuration stay the trace's own, because they number the
/// entry types. Errors: an unknown kernel, and one before 5.8, whose calls cannot be replayed.
Result<KernelModel> model_of(const TraceInfo& info, const std::string& kernel);

/// What to know of a model before its results are trusted: that the kernel is newer than every set of rules here, say.
/// "" when there is nothing.
std::string model_note(const KernelModel& model);

}  // namespace hmmscope::traces
