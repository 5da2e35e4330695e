#pragma once
/// The pictures on buttons, drawn from paths so that they are sharp at every scale and follow the theme.

#include <QColor>
#include <QIcon>

namespace hmmscope::app {

enum class Icon : uint8_t {
  none,
  start,
  previous_call,
  back,
  step,
  step_over,
  next_call,
  end,
  run,
  search,
  close,
  open,
  bookmark,
  table,
  chevron,
  stop,
};

/// Normal and disabled state in the two colours.
QIcon make_icon(Icon icon, const QColor& normal, const QColor& disabled);
/// Draws into `rect`.
void paint_icon(QPainter& painter, Icon icon, const QRectF& rect, const QColor& colour);
/// The program's own icon: a few bit cells, one of them owned twice.
QIcon program_icon();

}  // namespace hmmscope::app
