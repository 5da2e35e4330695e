#pragma once
/// States saved along a recording, so that a seek replays a bounded number of writes. A keyframe is a version number
/// of each page; pages that did not change between keyframes are stored once, and a stored page that is a few linear
/// pieces (fresh tables, huge leaves, zeroed arrays) is stored as those pieces.
///
/// Distance is measured in replay cost, not steps. When the stored pages outgrow the budget every second keyframe is
/// dropped and the distance doubles.
///
/// Immutable after construction; any number of threads and cursors may use it. Shares the recording.

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/base/proceed.h"
#include "engine/recording/paged_state.h"
#include "engine/recording/recording.h"

namespace hmmscope {

class Keyframes {
 public:
  struct Options {
    uint64_t distance = 1u << 17;  ///< replay cost between keyframes before any doubling
    size_t budget = 0;             ///< bytes of stored pages; 0 chooses from the recording's size
  };

  /// One pass over all writes.
  explicit Keyframes(std::shared_ptr<const Recording> recording);
  Keyframes(std::shared_ptr<const Recording> recording, Options options);
  /// As the constructors, asking `proceed` with the steps done; nullptr when it said no.
  static std::unique_ptr<const Keyframes> build(std::shared_ptr<const Recording> recording, const Proceed& proceed);

  const Recording& recording() const { return *recording_; }

  uint32_t count() const { return static_cast<uint32_t>(frames_.size()); }
  StepIndex position(uint32_t keyframe) const { return frames_[keyframe].position; }
  /// The last keyframe at or before `position`; there is always one at 0.
  uint32_t before(StepIndex position) const;

  /// Brings `state` to the keyframe by replacing the pages that differ; where they are thousands, a second thread copies
  /// half of them and is over when this returns.
  void restore(uint32_t keyframe, PagedState& state) const;

  /// Estimated cost (units of replay_cost) of replaying from the start to `position`.
  uint64_t cost_to(StepIndex position) const;
  /// Estimated cost of restore() for a state that was last at `from`.
  uint64_t restore_cost(StepIndex from, uint32_t keyframe) const;

  /// Heap held by the keyframes.
  size_t bytes() const;

 private:
  struct Frame {
    StepIndex position;
    uint32_t versions;  ///< page versions stored up to here
    uint64_t cost;      ///< of all writes before it
  };
  struct Version {
    uint32_t keyframe;  ///< the first that has it
    uint32_t page;      ///< index into stored_
  };
  struct StoredPage {
    std::unique_ptr<uint64_t[]> words;
    uint32_t pieces = 0;  ///< 0: plain words; else words holds {start, base, stride} a piece
    uint32_t size = 0;    ///< entries of words

    /// Its beginning; the processor guesses the rest.
    void prefetch() const {
      for (uint32_t line = 0; line < 4; ++line) __builtin_prefetch(words.get() + line * 8);
    }
  };
  class Builder;
  explicit Keyframes() = default;

  uint32_t stored_at(uint32_t page, uint32_t keyframe) const;
  static StoredPage encode(std::span<const uint64_t> words);
  static void decode(const StoredPage& stored, std::span<uint64_t> words);

  std::shared_ptr<const Recording> recording_;
  std::vector<Frame> frames_;
  std::vector<StoredPage> stored_;
  // Versions of each page in order of keyframe: those of page p are [version_begin_[p], version_begin_[p + 1]).
  std::vector<uint32_t> version_begin_;
  std::vector<Version> versions_;
  uint64_t total_cost_ = 0;
};

}  // namespace hmmscope
