#pragma once
/// Why a call may differ from the engine's, or could not be judged: candidate explanations, each with its
/// evidence, and what of the call's facts the trace shows.
///
/// Threads: any. trying models replays the trace once a model: do it off the UI thread.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "traces/check/summary.h"
#include "traces/document.h"

namespace hmmscope::traces {

/// The same trace under another kernel model.
struct ModelTrial {
  std::string model;
  CheckCounts counts;
  std::shared_ptr<const Document>
      document;  ///< null when fewer calls agree than under the document's own model
};

/// Replays the trace that `document` came from under every other built-in model. Error when it cannot be read
/// again (standard input, a saved recording), or when cancelled. `begins` is told each model before it is tried; may be
/// empty.
Result<std::vector<ModelTrial>> try_models(const Document& document, const Progress& progress = {},
                                           const std::function<void(std::string_view model)>& begins = {});

enum class CandidateKind : uint8_t {
  other_model,
  lost_events,
  concurrent_invalidation,
  unobserved_state,
  kernel_defect
};
std::string_view candidate_name(CandidateKind kind);  ///< "other layout or rules"

struct Candidate {
  CandidateKind kind;
  std::string text;      ///< one sentence
  std::string evidence;  ///< what speaks for it, and where to look
};

/// The explanations that something speaks for, the strongest first. `trials` may be empty: models were not
/// tried.
std::vector<Candidate> candidates(const Document& document, const CallCheck& check,
                                  std::span<const ModelTrial> trials);

/// What is known of a call and how: words by evidence and by the rule that tells so.
struct CallFactCounts {
  std::map<std::string, uint64_t> observed, inferred, unknown;  ///< rule id -> words
  std::vector<std::string> probes;                              ///< probes that would tell what is unknown
};
CallFactCounts count_facts(const Recording& recording, CallId call);

/// explanation_text() and below it both sides' rules, the facts and the candidates, each line ending with a
/// newline.
std::string full_explanation(const Document& document, const CallCheck& check,
                             std::span<const ModelTrial> trials);

}  // namespace hmmscope::traces
