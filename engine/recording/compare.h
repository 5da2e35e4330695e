#pragma once
/// Where two recordings part: the same scenario on two kernel models, the engine's run and a kernel's, before and
/// after a change. Both are followed step by step until they differ.

#include <optional>
#include <string>

#include "engine/recording/recording.h"

namespace hmmscope {

enum class DifferenceKind : uint8_t {
  state,      ///< the initial states differ; `word` says where
  rule,       ///< another rule fired
  call_path,  ///< the step happened in another function, or in another call of the same one
  writes,     ///< other words, other values, or another number of writes; `word` is the first that differs
  length,     ///< one recording ends where the other goes on
};

struct Difference {
  DifferenceKind kind;
  StepIndex step;          ///< the same number in both; 0 for `state`
  WordIndex word = no_word;
  uint64_t a = 0, b = 0;   ///< values of `word` where both have one
};

/// Steps are compared by rule, call path and the values they write; operands, evidence and events are not compared.
/// Words are compared by number: both recordings must come from the same setup. Nothing when there is no difference.
std::optional<Difference> first_difference(const Recording& a, const Recording& b);

/// One line: "step 12: rule pte.present here, pte.none there".
std::string describe(const Difference& difference, const Recording& a, const Recording& b);

}  // namespace hmmscope
