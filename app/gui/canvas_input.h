#pragma once
/// Turns Qt's events into the input of a canvas. Shared by the OpenGL and the software canvas.

#include <QEvent>
#include <optional>

#include "app/gui/core.h"

class QKeyEvent;
class QMouseEvent;
class QWheelEvent;

namespace hmmscope::app {

class CanvasInputState {
 public:
  /// Panels are laid out at 1/zoom of the widget's size, so that their text grows with the window's.
  void set_zoom(double zoom) { zoom_ = zoom; }

  void mouse(const QMouseEvent& event);
  void wheel(const QWheelEvent& event);
  void leave();
  void focus(bool focused) { input_.focused = focused; }
  /// True when the canvas takes this key.
  bool key(const QKeyEvent& event);
  /// The key a canvas would take; nothing when it belongs to the window (Tab, shortcuts). Left and right step wherever
  /// the focus is: with Shift they move within the panel.
  static std::optional<ui::Key> canvas_key(const QKeyEvent& event);

  const ui::CanvasInput& current() const { return input_; }
  /// What happens once (wheel, keys) is over after the frame that saw it.
  void frame_done();

 private:
  ui::CanvasInput input_;
  double zoom_ = 1;
};

}  // namespace hmmscope::app
