#pragma once
/// Which kernel a trace came from when it does not say so: the model under whose layout, entry types and
/// rules the most of its calls agree; and how its entry types are numbered when it names its kernel but not the
/// configuration, which decides that.
///
/// Threads: any; replays the trace once a model and numbering.

#include <string>
#include <vector>

#include "engine/model/kernel_model.h"
#include "traces/progress.h"
#include "traces/reader/trace.h"

namespace hmmscope::traces {

struct ModelGuess {
  KernelModel model;
  uint64_t calls = 0, agreed = 0, diverged = 0;  ///< under it; migrations count as calls where they diverge, or where
                                                 ///< the trace has no others
  bool by_migrations = false;                    ///< it has no others
  std::string numbering;           ///< of entry types, when not the usual one: "DEVICE_PRIVATE=n"
  std::vector<std::string> also;   ///< other models under which as many agree
  /// "detected from the words: 9 of 9 calls agree; as many under 6.1, 6.6"
  std::string text() const;
};

/// Tries every built-in model with its usual configuration and, where the trace shows entries whose type depends
/// on it, with those that number them otherwise. Of equals the newest released kernel and the usual configuration
/// are taken. A trace of migrations alone tells how entry types are numbered, where it shows entries that were rebuilt:
/// then the models that number them so are what is found. Error when the trace has no call that decides anything, or
/// when more than one call in ten diverges under every model.
Result<ModelGuess> guess_model(const Trace& trace, const Progress& progress = {});

/// The same for the numbering alone, under `model`. `numbering` is empty when the usual one fits as well as any.
Result<ModelGuess> guess_numbering(const Trace& trace, const KernelModel& model, const Progress& progress = {});

}  // namespace hmmscope::traces
