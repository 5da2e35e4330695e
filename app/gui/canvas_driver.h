#pragma once
/// Drives one ui::Canvas from a widget: collects input, runs a frame when input or the session changed, and
/// hands the intents to the session. It draws nothing; the OpenGL and the software surface do.
///
/// Frames run on input, on session changes and while the canvas animates; an idle canvas runs none.

#include <QObject>
#include <QPointer>
#include <QTimer>
#include <memory>

#include "app/gui/canvas_input.h"
#include "app/gui/core.h"
#include "app/gui/session.h"

class QWidget;

namespace hmmscope::app {

class CanvasDriver : public QObject {
  Q_OBJECT
 public:
  /// `surface` shows the canvas and owns the driver; `session` must outlive it.
  CanvasDriver(QWidget* surface, std::unique_ptr<ui::Panel> panel, std::shared_ptr<ui::FontCache> fonts,
               Session& session);
  ~CanvasDriver() override;

  /// True when the event was for the canvas.
  bool handle(QEvent* event);
  /// Runs a frame if anything changed since the last. False when there is nothing to draw (the surface has no
  /// size).
  bool settle();
  ui::Canvas& canvas() const { return canvas_; }
  void set_zoom(double zoom);
  uint64_t frames() const { return frames_; }  ///< run so far; tests see that an idle canvas runs none

 public Q_SLOTS:
  void invalidate();  ///< the session changed: draw again

 private:
  void run_frame();
  ui::CanvasSize size() const;
  bool mouse(QEvent* event);

  QWidget* surface_;
  Session& session_;
  mutable ui::Canvas canvas_;  ///< asking a panel for its table changes nothing that is drawn
  CanvasInputState input_;
  ui::Intents intents_;
  ui::CanvasSize drawn_size_;
  QTimer animation_;
  double zoom_ = 1;
  uint64_t frames_ = 0;
  bool stale_ = true;
};

}  // namespace hmmscope::app
