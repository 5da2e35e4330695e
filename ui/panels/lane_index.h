#pragma once
/// What the timeline draws, prepared once a recording so that no frame scans its steps: for each lane the
/// exact intervals of steps, and above them buckets of 64, 128, 256, ... steps with the most severe state
/// inside. A rare state is in every bucket that contains it, at every zoom.
///
/// Threads: immutable after construction.

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/proceed.h"
#include "engine/recording/gaps.h"
#include "engine/recording/recording.h"

namespace hmmscope::ui {

enum class Lane : uint8_t { range_fault, cpu_fault, migration, notifier, verdict, count_ };

/// Ordered by severity: the worst state of a bucket is the largest number.
enum class LaneState : uint8_t { none, active, agreed, unknown, diverged };

class LaneIndex {
 public:
  struct Span {
    StepIndex begin, end;  ///< [begin, end)
    LaneState state;
  };
  /// What a range of steps looks like in one lane.
  struct Summary {
    LaneState worst = LaneState::none;
    uint8_t coverage = 0;  ///< 0..255: share of the steps that are not `none`; at least 1 when any is
  };

  explicit LaneIndex(const Recording& recording);
  /// As the constructor, asking `proceed` with the steps done; nullptr when it said no. O(steps + calls log calls):
  /// off the UI thread for large recordings.
  static std::shared_ptr<const LaneIndex> build(const Recording& recording, const Proceed& proceed);

  StepIndex steps() const { return steps_; }
  /// Worst state and coverage of [begin, end). O(1) for wide ranges, O(log spans + spans inside) for narrow
  /// ones.
  Summary summary(Lane lane, StepIndex begin, StepIndex end) const;
  /// Spans of the lane that touch [begin, end), in order; worst first is not implied.
  const std::vector<Span>& spans(Lane lane) const { return lanes_[static_cast<size_t>(lane)].spans; }
  /// The span at a step; nullptr when there is none.
  const Span* span_at(Lane lane, StepIndex step) const;
  /// Divergences whose step is in [begin, end), as a range of indices into diverged().
  std::pair<size_t, size_t> diverged_in(StepIndex begin, StepIndex end) const;
  const std::vector<StepIndex>& diverged() const { return diverged_; }
  const std::vector<Gap>& gaps() const { return gaps_; }  ///< by begin

 private:
  LaneIndex() = default;
  bool fill(const Recording& recording, const Proceed& proceed);
  static constexpr uint32_t base_bits = 6;  ///< 64 steps in a bucket of level 0
  struct LaneData {
    std::vector<Span> spans;                   ///< ascending, disjoint
    std::vector<std::vector<Summary>> levels;  ///< level L: buckets of 64 << L steps
  };
  void build_levels(LaneData& lane);
  Summary exact(const LaneData& lane, StepIndex begin, StepIndex end) const;

  StepIndex steps_ = 0;
  std::array<LaneData, static_cast<size_t>(Lane::count_)> lanes_;
  std::vector<StepIndex> diverged_;
  std::vector<Gap> gaps_;
};

std::string_view lane_name(Lane lane);
/// The lane a call of the function belongs to; Lane::count_ when it is drawn in none.
Lane lane_of(Function function);

}  // namespace hmmscope::ui
