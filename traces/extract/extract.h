#pragma once
/// Calls of a trace as scenarios: what the kernel read while a call ran becomes VMAs, pages and a script of
/// faults, so that the call can be edited and run again, under its own kernel's model or another.
///
/// Source is the recording alone (a replayed trace, or one that was saved). Threads: any.

#include <cstdint>
#include <string>
#include <vector>

#include "traces/document.h"

namespace hmmscope::traces {

/// One call that can be extracted, numbered from 1 in the order of the recording.
struct ExtractableCall {
  uint32_t number = 0;
  CallId call = no_call;
  Function function = Function::hmm_range_fault;  ///< or migrate_vma_setup, for a migration as a whole
  uint64_t line = 0;                              ///< of the trace, 0 when there is none
  uint64_t start = 0, end = 0;
  int64_t result = 0;
  Verdict verdict = Verdict::unknown;
};
/// Every judged call of hmm_range_fault and of migrate_vma_setup.
std::vector<ExtractableCall> extractable_calls(const Recording& recording);

/// The scenario of call `number` as JSON. Run under the document's own model it ends as the kernel's call
/// did, with the kernel's words; its `expect` operations say so. Words that no event shows are taken as 0. A
/// migration's scenario goes on with pages and finalize where the trace has them; the pages it goes to are
/// other ones, so that of them only flags are expected. A setup that a CPU fault made becomes the fault.
/// Of a call that did not agree the description says why; what the kernel is known to have left is expected all the same,
/// so that the scenario of a diverged call fails where the engine says otherwise.
/// Errors: there is no such call; it shows more than a scenario can hold, or less than one needs.
Result<std::string> extract_call(const Document& document, uint32_t number);

}  // namespace hmmscope::traces
