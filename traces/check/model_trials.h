#pragma once
/// The same trace under other kernel models: which of them explains a call that diverges, and what speaks against
/// that.
///
/// Threads: any. try_models replays the trace once a model: do it off the UI thread.

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "traces/check/summary.h"
#include "traces/document.h"

namespace hmmscope::traces {

/// The checks of each call of a recording. A call is known by the event of its first step and its function: those are
/// the same in every replay of one trace.
class ChecksOfCalls {
 public:
  ChecksOfCalls() = default;
  explicit ChecksOfCalls(const Recording& recording);
  /// Indices into checks() of the call in `other` that is `call` in `recording`; empty when it has none.
  std::span<const uint32_t> of(const Recording& recording, CallId call) const;

 private:
  std::unordered_map<uint64_t, std::vector<uint32_t>> checks_;
};

/// The same trace under another kernel model.
struct ModelTrial {
  std::string model;
  CheckCounts counts;      ///< of hmm_range_fault
  CheckCounts migrations;
  uint64_t mended = 0;     ///< calls that diverge under the document's model with a difference that is none here
  uint64_t broken = 0;     ///< calls that agree under the document's model and diverge under this one
  uint64_t broken_line = 0;  ///< of the first of those
  std::shared_ptr<const Document> document;  ///< null when no difference is mended
  ChecksOfCalls checks;                      ///< of `document`
};

/// Replays the trace that `document` came from under every other built-in model. Error when it cannot be read
/// again (standard input, a saved recording), or when cancelled. `begins` is told each model before it is tried; may be
/// empty.
Result<std::vector<ModelTrial>> try_models(const Document& document, const Progress& progress = {},
                                           const std::function<void(std::string_view model)>& begins = {});

/// How far a trial explains a check.
enum class Fit : uint8_t {
  none,
  word,  ///< the word agrees there, another word of the call does not
  call,  ///< the whole call agrees there
};
Fit fit_of(const Document& document, const CallCheck& check, const ModelTrial& trial);

struct FittingModel {
  const ModelTrial* trial;
  Fit fit;
  bool contradicted;  ///< other calls, or what the trace says of its kernel, speak against this model
};
/// The trials that explain the check, those first that nothing speaks against.
std::vector<FittingModel> fitting_models(const Document& document, const CallCheck& check,
                                         std::span<const ModelTrial> trials);

/// What speaks against a model that fits, "" when nothing does.
std::string against_model(const Document& document, const ModelTrial& trial);

/// How the kernel came to its word, by the model that fits best: "as 6.12-v9: layout hmm-v9-posted, ...; rule
/// pte.present: ...". Empty when none does, or nothing is known of the word.
std::string kernel_side(const Document& document, const CallCheck& check, std::span<const ModelTrial> trials);

/// The layout of the words that a check is about, under this model.
const Layout& layout_of_check(const Recording& recording, const KernelModel& model, const CallCheck& check);
/// In which fields two layouts differ: "only hmm-v9-posted has DMA_MAPPED (bit 57, survives a call)". Empty when in
/// none.
std::string layout_difference(const Layout& a, const Layout& b);

}  // namespace hmmscope::traces
