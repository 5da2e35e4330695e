#pragma once
/// Which kernel a trace came from when it does not say so: the model under whose layout, entry types and
/// rules the most of its calls agree.
///
/// Threads: any; replays the trace once a model.

#include <string>
#include <vector>

#include "engine/model/kernel_model.h"
#include "traces/progress.h"
#include "traces/reader/trace.h"

namespace hmmscope::traces {

struct ModelGuess {
  KernelModel model;
  uint64_t calls = 0, agreed = 0;  ///< under it
  std::vector<std::string> also;   ///< other models under which as many agree
  /// "detected from the words: 9 of 9 calls agree; so they do under 6.1, 6.6"
  std::string text() const;
};

/// Tries every built-in model with its usual configuration. Of equals the newest released kernel is taken.
/// Error when the trace has no call that decides anything, or when more than one call in ten diverges under
/// every model.
Result<ModelGuess> guess_model(const Trace& trace, const Progress& progress = {});

}  // namespace hmmscope::traces
