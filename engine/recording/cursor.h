#pragma once
/// A position in a recording with the state at that position. Position p means p steps have been applied: 0 is the
/// initial state, steps() the end; the step that "just happened" is p - 1.
///
/// step/back cost their own writes. A seek costs nearly nothing: a page of the state (512 words) is brought to the
/// position when it is read, so that any position of a 10-million-step recording is well within a frame (16 ms) away.
/// Ownership: shares the immutable recording and its keyframes. Threads: one thread a cursor, for
/// reading too.

#include <memory>
#include <optional>

#include "engine/recording/keyframes.h"
#include "engine/recording/paged_state.h"
#include "engine/recording/recording.h"

namespace hmmscope {

class Cursor {
 public:
  /// Builds keyframes (one forward pass, off the UI thread for large recordings).
  explicit Cursor(std::shared_ptr<const Recording> recording);
  Cursor(std::shared_ptr<const Recording> recording, std::shared_ptr<const Keyframes> keyframes);

  const Recording& recording() const { return *recording_; }
  std::shared_ptr<const Recording> shared_recording() const { return recording_; }
  std::shared_ptr<const Keyframes> keyframes() const { return keyframes_; }

  StepIndex position() const { return position_; }
  /// The step that just happened; no_step at position 0.
  StepIndex current_step() const { return position_ == 0 ? no_step : position_ - 1; }
  bool step();                   ///< false at the end
  bool back();                   ///< false at the start
  void seek(StepIndex position); ///< clamped to steps()

  uint64_t load(WordIndex word) const { return state_.load(word); }
  /// Valid until the cursor moves; costs the pages that were not read here before.
  std::span<const uint64_t> words(WordIndex first, uint32_t count) const { return state_.words(first, count); }
  /// All of them: the cost of the whole state.
  std::span<const uint64_t> state() const { return state_.words(0, state_.size()); }
  /// Depends on every word's index and value and on nothing else (state_hash() of the words); costs the pages that
  /// changed since the last call, and after a seek the whole state.
  uint64_t hash() const { return state_.hash(); }

 private:
  std::shared_ptr<const Recording> recording_;
  std::shared_ptr<const Keyframes> keyframes_;
  PagedState state_;
  StepIndex position_ = 0;
};

}  // namespace hmmscope
