#pragma once
/// What is known of the machine at a moment of a recording, and how: every word is observed (an event showed
/// it), inferred (a rule tells so, the engine's own among them) or unknown, and unknown names the probe that
/// would tell. Read from the recording alone, so it holds for saved recordings, too.
///
/// Threads: any.

#include <cstdint>
#include <string_view>
#include <vector>

#include "traces/document.h"

namespace hmmscope::traces {

/// A word, or words next to each other that one step told of: those of an array or a table whose values follow each other
/// with one stride, and any that are unknown.
struct Fact {
  WordIndex first = no_word;
  uint32_t count = 1;
  uint64_t value = 0;                     ///< of the first
  uint64_t stride = 0;                    ///< from each value to the next
  uint64_t not_shown = 0;                 ///< bits of the values that only stand in for what no event shows (which page)
  Evidence evidence = Evidence::unknown;  ///< never `computed`: what the engine computed is inferred
  StepIndex step = no_step;               ///< the step that tells so; no_step when nothing ever told
  std::string_view rule, statement;       ///< of that step; empty when nothing ever told
  std::string_view probe;                 ///< unknown, or bits are: the probe that would tell; empty when no probe can
};

/// How `word` is known after `at` steps.
Fact fact_of(const Document& document, WordIndex word, StepIndex at);

/// Every word of the address spaces, arrays and subscriptions that exist after `at` steps. Entries of tables that
/// nothing ever told of are listed for the lowest level only. Of what a replay counts from a beginning that it has not seen
/// (the counters of an address space, its notifier sequence) nothing is known.
std::vector<Fact> facts_at(const Document& document, StepIndex at);

/// The probe that shows words of this kind: "hmm_vma_handle_pte (h_pte), or __pte_offset_map (ptes) where it is
/// inlined". Empty when no probe can.
std::string_view probe_of(RegionKind kind);

}  // namespace hmmscope::traces
