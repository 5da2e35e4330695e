#pragma once
/// A position in a recording with the state at that position. Position p means p steps have been applied: 0 is the
/// initial state, steps() the end; the step that "just happened" is p - 1.
///
/// step/back cost their own writes; seek costs at most the distance to the nearest keyframe, bounded so that any
/// position of a 10-million-step recording is one frame (16 ms) away. Keyframes share unchanged pages of words.
/// Ownership: shares the immutable recording and its keyframes. Threads: one thread a cursor.

#include <memory>
#include <optional>

#include "engine/recording/recording.h"

namespace hmmscope {

class Keyframes;  // keyframes.h: built once a recording, shared by its cursors

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

  uint64_t load(WordIndex word) const { return state_[word]; }
  std::span<const uint64_t> state() const { return state_; }
  /// Depends on every word's index and value and on nothing else.
  uint64_t hash() const;

 private:
  void apply(StepIndex step);
  void undo(StepIndex step);

  std::shared_ptr<const Recording> recording_;
  std::shared_ptr<const Keyframes> keyframes_;
  std::vector<uint64_t> state_;
  StepIndex position_ = 0;
};

}  // namespace hmmscope
