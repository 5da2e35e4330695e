#include "ui/panels/stop_ticks.h"

#include <algorithm>
#include <cmath>

namespace hmmscope::ui {

const std::vector<int>& StopTicks::update(const ViewContext& view, double first, double span, int columns) {
  const Recording* recording = &view.cursor->recording();
  const History* history = view.document->history.get();
  const bool same = recording == recording_ && first == first_ && span == span_ && columns == columns_ &&
                    std::equal(points_.begin(), points_.end(), view.breakpoints.begin(), view.breakpoints.end());
  if (same) return ticks_;
  recording_ = recording;
  points_.assign(view.breakpoints.begin(), view.breakpoints.end());
  first_ = first;
  span_ = span;
  columns_ = columns;
  ticks_.clear();
  if (history == nullptr || columns < 1 || span <= 0) return ticks_;
  const double per_column = span / columns;
  const auto column_of = [&](StepIndex position) {
    return static_cast<int>(std::floor((static_cast<double>(position) - first) / per_column));
  };
  for (const Breakpoint& point : points_) {
    auto from = static_cast<StepIndex>(std::max(0.0, std::floor(first)));
    while (true) {
      const auto change = history->next_change(point.word, point.mask, from);
      if (!change) break;
      // The position after the step: where the run stands still.
      const int column = column_of(change->step + 1);
      if (column >= columns) break;
      if (column >= 0) ticks_.push_back(column);
      const double next = std::ceil(first + per_column * (column + 1)) - 1;
      from = std::max(change->step + 1, static_cast<StepIndex>(std::max(0.0, next)));
    }
  }
  std::sort(ticks_.begin(), ticks_.end());
  ticks_.erase(std::unique(ticks_.begin(), ticks_.end()), ticks_.end());
  return ticks_;
}

}  // namespace hmmscope::ui
