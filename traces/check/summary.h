#pragma once
/// The judgements of a recording counted and put into words.

#include <cstdint>
#include <string>
#include <vector>

#include "engine/model/kernel_model.h"
#include "engine/recording/recording.h"

namespace hmmscope::traces {

struct CheckCounts {
  uint64_t calls = 0, agreed = 0, diverged = 0, unknown = 0;
  uint64_t words_compared = 0;  ///< words the trace shows as outputs, at every place it shows them
  uint64_t words_unknown = 0;   ///< words of which no event shows some bit, or nothing at all

  CheckCounts& operator+=(const CheckCounts& other);
};

/// Of hmm_range_fault. A call counts once, by its first check.
CheckCounts count_checks(const Recording& recording);
/// Of migrate_vma_setup, _pages and _finalize, and of migrate_hmm_range_setup.
CheckCounts count_migrate_checks(const Recording& recording);
/// What of the migrate calls no probe can decide, and what is judged apart from their words.
struct MigrateFacts {
  // pages the kernel left alone, as it may: no event says why
  uint64_t busy_lock = 0, off_lru = 0, referenced = 0, unsplit = 0;
  uint64_t rebuilt = 0;         ///< entries put back or put at the new page, each compared with the trace where it shows one
  uint64_t rebuilt_unseen = 0;  ///< those that the trace shows of pages or processes whose mappings no event has shown

  uint64_t left_alone() const { return busy_lock + off_lru + referenced + unsplit; }
  MigrateFacts& operator+=(const MigrateFacts& other);
};
MigrateFacts count_migrate_facts(const Recording& recording);
/// "left alone N (lock N, LRU N, reference N, split N), entries rebuilt N, of unseen mappings N"
std::string facts_text(const MigrateFacts& facts);

/// "calls N, agreed N, diverged N, unknown N"
std::string counts_text(const CheckCounts& counts);

/// A call that the engine says never returns, and that does not return in the trace either.
struct Hang {
  CallId call = no_call;  ///< hmm_range_fault, or what sleeps outside of one
  StepIndex step = no_step;
  uint64_t line = 0;  ///< of the source trace, 0 when there is none
  std::string text;   ///< what it waits for
};
std::vector<Hang> hangs(const Recording& recording);
/// "hung line N step N CALL: what it waits for"
std::string hang_text(const Recording& recording, const Hang& hang);

/// One check that is not an agreement, for people.
struct CheckExplanation {
  const CallCheck* check = nullptr;
  uint64_t line = 0;                ///< of the source trace, 0 when there is none
  std::string what;                 ///< "hmm_pfns[3]" or "hmm_range_fault 0x7f..-0x7f.."
  std::string kernel, engine;       ///< the decoded words; empty when control flow differs
  std::vector<std::string> fields;  ///< "WRITE: kernel 1, engine 0"
};
CheckExplanation explain(const Recording& recording, const KernelModel& model, const CallCheck& check);
/// Several lines, each ending with a newline.
std::string explanation_text(const Recording& recording, const KernelModel& model, const CallCheck& check);

}  // namespace hmmscope::traces
