#pragma once
/// One driver loop around a range call. Internal to the scenario operations; lives as long as the operation.

#include "engine/model/kernel_model.h"
#include "engine/scenario/operations.h"
#include "engine/walk/range_fault.h"

namespace hmmscope::scenario {

struct Operations::Loop {
  RangeFaultCall call;
  Device* device = nullptr;
  RunningMigration* prepared = nullptr;   ///< whose struct migrate_vma the call prepares pages for
  TrackedRange tracked;   ///< 4.14 to 5.1

  /// Until 5.4 HMM itself keeps the ranges that a driver looks at, and says whether they are valid; since 5.5 the driver
  /// has a notifier sequence to compare.
  bool tracks_ranges(const KernelModel& model) const { return device != nullptr && model.range_api < RangeApi::interval_5_5; }
};

}  // namespace hmmscope::scenario
