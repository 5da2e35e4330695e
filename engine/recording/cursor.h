#pragma once
/// A position in a recording with the state at that position. Position p means p steps have been applied: 0 is the
/// initial state, steps() the end; the step that "just happened" is p - 1.
///
/// step/back cost their own writes; seek takes the cheapest of walking from here and starting at the keyframe on
/// either side of the target, bounded so that any position of a 10-million-step recording is one frame (16 ms) away.
/// Ownership: shares the immutable recording and its keyframes. Threads: one thread a cursor.

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
  std::span<const uint64_t> state() const { return state_.words(); }
  /// Depends on every word's index and value and on nothing else (state_hash() of the words); costs the pages that
  /// changed since the last call.
  uint64_t hash() const { return state_.hash(); }

 private:
  void walk(StepIndex position);

  std::shared_ptr<const Recording> recording_;
  std::shared_ptr<const Keyframes> keyframes_;
  PagedState state_;
  StepIndex position_ = 0;
};

}  // namespace hmmscope
