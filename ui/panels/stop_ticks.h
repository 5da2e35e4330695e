#pragma once
/// Where on a stretch of the recording runs stop at breakpoints, by pixel column. Made anew only when the stretch or
/// the breakpoints change; one look into the history a column at most, so that a word written millions of times
/// costs no more than the picture is wide.

#include <vector>

#include "ui/view.h"

namespace hmmscope::ui {

class StopTicks {
 public:
  /// Columns, ascending, of `columns` equal parts of the steps [first, first + span) in which a watched bit changes.
  const std::vector<int>& update(const ViewContext& view, double first, double span, int columns);

 private:
  const Recording* recording_ = nullptr;
  std::vector<Breakpoint> points_;
  double first_ = 0, span_ = 0;
  int columns_ = 0;
  std::vector<int> ticks_;
};

}  // namespace hmmscope::ui
