#include "app/gui/trial_progress.h"

#include <fmt/format.h>

#include <algorithm>

namespace hmmscope::app {
namespace {

constexpr uint64_t whole_model = 1000;

/// Where in a model's run a stage begins and ends: reading and unpacking, the replay, the indices.
struct Part {
  uint64_t begin, end;
};
Part part_of(std::string_view stage) {
  if (stage == "reading" || stage == "unpacking") return {0, 400};
  if (stage == "replay") return {400, 850};
  return {850, whole_model};
}

}  // namespace

void TrialProgress::begin(std::string_view model) {
  ++begun_;
  within_ = 0;
  stage_ = fmt::format("model {} of {}: {}", begun_, models_, model);
  whole_.at(stage_, (begun_ - 1) * whole_model, models_ * whole_model);
}

traces::Progress TrialProgress::of_model() {
  traces::Progress progress;
  progress.cancel = whole_.cancel;
  progress.report = [this](std::string_view stage, uint64_t done, uint64_t total) { at(stage, done, total); };
  return progress;
}

void TrialProgress::at(std::string_view stage, uint64_t done, uint64_t total) {
  if (begun_ == 0) return;
  const Part part = part_of(stage);
  const double share = total == 0 ? 0 : static_cast<double>(std::min(done, total)) / static_cast<double>(total);
  const auto now = part.begin + static_cast<uint64_t>(share * static_cast<double>(part.end - part.begin));
  within_ = std::max(within_, now);
  whole_.at(stage_, (begun_ - 1) * whole_model + within_, models_ * whole_model);
}

}  // namespace hmmscope::app
