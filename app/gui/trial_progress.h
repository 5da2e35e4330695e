#pragma once
/// The progress of one trace run under several kernel models: which model, of how many, and one share that only grows,
/// though every run begins again with reading.
///
/// Threads: used on the working thread.

#include <cstdint>
#include <string>
#include <string_view>

#include "app/gui/core.h"

namespace hmmscope::app {

class TrialProgress {
 public:
  /// `whole` is told; it must outlive this, and `models` is how many are tried.
  TrialProgress(const traces::Progress& whole, size_t models) : whole_(whole), models_(models) {}
  TrialProgress(const TrialProgress&) = delete;
  TrialProgress& operator=(const TrialProgress&) = delete;

  void begin(std::string_view model);  ///< the next one is tried
  /// What the run of one model reports to. Must not outlive this.
  traces::Progress of_model();
  /// "model 3 of 12: 6.1" is such a stage; its amounts are a share of a whole.
  static bool is_stage(std::string_view stage) { return stage.starts_with("model "); }

 private:
  void at(std::string_view stage, uint64_t done, uint64_t total);

  const traces::Progress& whole_;
  size_t models_, begun_ = 0;
  std::string stage_;
  uint64_t within_ = 0;  ///< of the model on trial, in thousandths
};

}  // namespace hmmscope::app
