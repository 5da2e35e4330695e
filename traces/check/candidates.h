#pragma once
/// Why a call may differ from the engine's, or could not be judged: candidate explanations, each with its
/// evidence, and what of the call's facts the trace shows.
///
/// Threads: any.

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "traces/check/model_trials.h"
#include "traces/check/summary.h"
#include "traces/document.h"

namespace hmmscope::traces {

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
  std::string evidence;  ///< what speaks for it and against it, and where to look
};

/// The explanations that something speaks for, the strongest first; of a call that diverges the last is always that the
/// kernel or the engine is wrong. `trials` may be empty: models were not tried.
std::vector<Candidate> candidates(const Document& document, const CallCheck& check,
                                  std::span<const ModelTrial> trials);

/// What is known of a call and how: words by evidence and by the rule that tells so. What the check itself wrote is no
/// fact of the call.
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
