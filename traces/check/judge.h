#pragma once
/// The judgement of one recorded call while the engine re-runs it.
///
/// Every word the trace shows as an output is compared in the bits that the trace lets the engine know. The
/// call is diverged at its first difference; unknown when something the engine needed was not shown (that
/// never counts as agreement); else agreed. Bits that no event lets anybody know (the sticky bits of a word
/// whose input no probe window shows) are left out of the comparison and counted in words_unknown, as are words
/// of the output that no event shows; they do not make a call unknown, as nothing was decided with them.
///
/// After a difference in control flow, or a missing fact, engine and kernel may be at different places:
/// in_step() is false from then on and nothing more is compared.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/recording/recorder.h"

namespace hmmscope::traces {

class Judge {
 public:
  static constexpr size_t max_differences = 64;  ///< kept of one call

  explicit Judge(Recorder& recorder) : recorder_(recorder) {}

  /// Engine and kernel are at the same place of the same walk.
  bool in_step() const { return in_step_; }
  bool diverged() const { return !differences_.empty(); }

  /// Compares the bits of `known`. On a difference: a step check.diverged writes the kernel's word.
  void compare(WordIndex word, uint64_t kernel, uint64_t engine, uint64_t known, CallId call);
  /// Compares a number that is no word of the machine: a return value, a count, an address.
  void value(std::string_view what, uint64_t kernel, uint64_t engine);
  /// The same of what the call returned.
  void returned(int64_t kernel, int64_t engine);
  /// The kernel did something else than the engine.
  void other_way(uint64_t addr, uint64_t kernel, uint64_t engine, std::string reason);
  /// A decision that rests on something the trace does not show; engine and kernel stay in step, because the
  /// kernel's own way was taken.
  void unknown(uint64_t addr, std::string reason);
  /// As unknown, and what the engine computes from here on may differ for that reason alone: no difference
  /// counts.
  void doubt(uint64_t addr, std::string reason);
  /// As unknown, but the engine cannot follow any further.
  void lost(uint64_t addr, std::string reason);
  /// From now on a difference is unknown for this reason: events that may explain it are missing.
  void excuse(std::string reason) { excuse_ = std::move(reason); }
  void unseen_words(uint32_t count) { words_unknown_ += count; }

  /// Hands the judgement over: one check for the call, then one for each further differing word (at most max_differences).
  void finish(CallId call, int64_t ret);

 private:
  void difference(CallCheck check);
  /// A difference was found; true when it does not count.
  bool excused(uint64_t addr);
  /// A number differs that is no word of the machine.
  void number(std::string reason, uint64_t kernel, uint64_t engine);
  RuleId last_rule(WordIndex word, CallId call) const;

  Recorder& recorder_;
  bool in_step_ = true;
  bool doubtful_ = false;
  std::vector<CallCheck> differences_;
  std::string unknown_;
  std::string excuse_;  ///< of every difference; empty when there is none
  StepIndex unknown_step_ = no_step;
  uint32_t words_compared_ = 0;
  uint32_t words_unknown_ = 0;
};

}  // namespace hmmscope::traces
