#include "app/gui/canvas_driver.h"

#include <QHelpEvent>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QWheelEvent>
#include <QWidget>
#include <algorithm>
#include <utility>

namespace hmmscope::app {

CanvasDriver::CanvasDriver(QWidget* surface, std::unique_ptr<ui::Panel> panel,
                           std::shared_ptr<ui::FontCache> fonts, Session& session)
    : QObject(surface),
      surface_(surface),
      session_(session),
      canvas_(std::move(panel), std::move(fonts)) {
  surface_->setFocusPolicy(Qt::StrongFocus);
  surface_->setMouseTracking(true);
  surface_->setMinimumSize(80, 60);
  surface_->setAttribute(Qt::WA_OpaquePaintEvent);
  animation_.setSingleShot(true);
  animation_.setInterval(16);
  connect(&animation_, &QTimer::timeout, this, &CanvasDriver::invalidate);
  for (const auto signal :
       {&Session::document_changed, &Session::position_changed, &Session::selection_changed,
        &Session::reading_changed, &Session::breakpoints_changed, &Session::bookmarks_changed,
        &Session::compared_changed, &Session::loading_changed}) {
    connect(&session_, signal, this, &CanvasDriver::invalidate);
  }
}

CanvasDriver::~CanvasDriver() = default;

void CanvasDriver::invalidate() {
  stale_ = true;
  surface_->update();
}

void CanvasDriver::set_zoom(double zoom) {
  zoom_ = zoom;
  input_.set_zoom(zoom);
  invalidate();
}

ui::CanvasSize CanvasDriver::size() const {
  return {static_cast<int>(surface_->width() / zoom_), static_cast<int>(surface_->height() / zoom_),
          static_cast<float>(surface_->devicePixelRatioF() * zoom_)};
}

bool CanvasDriver::settle() {
  const ui::CanvasSize now = size();
  if (now.width < 1 || now.height < 1) return false;
  if (stale_ || !(now == drawn_size_)) run_frame();
  return true;
}

void CanvasDriver::run_frame() {
  const ui::CanvasSize now = size();
  if (now.width < 1 || now.height < 1) return;
  intents_.clear();
  canvas_.frame(now, input_.current(), session_.view(), intents_);
  input_.frame_done();
  drawn_size_ = now;
  stale_ = false;
  ++frames_;
  if (!intents_.empty()) {
    // After this paint: applying an intent changes what is being drawn.
    QMetaObject::invokeMethod(
        this, [this, intents = std::exchange(intents_, {})] { session_.apply(intents); },
        Qt::QueuedConnection);
  }
  if (canvas_.wants_another_frame() && !animation_.isActive()) animation_.start();
}

bool CanvasDriver::mouse(QEvent* event) {
  const auto& mouse_event = *static_cast<QMouseEvent*>(event);
  // A press and its release must not fall into one frame, or the click is lost.
  if (event->type() != QEvent::MouseMove && stale_) run_frame();
  input_.mouse(mouse_event);
  if (event->type() != QEvent::MouseMove) run_frame();
  surface_->update();
  if (event->type() == QEvent::MouseMove) stale_ = true;
  event->accept();
  return true;
}

bool CanvasDriver::handle(QEvent* event) {
  switch (event->type()) {
    case QEvent::MouseButtonPress:
    case QEvent::MouseButtonRelease:
    case QEvent::MouseButtonDblClick:
    case QEvent::MouseMove:
      return mouse(event);
    case QEvent::Wheel:
      input_.wheel(*static_cast<QWheelEvent*>(event));
      invalidate();
      event->accept();
      return true;
    case QEvent::Leave:
      input_.leave();
      invalidate();
      return false;
    case QEvent::FocusIn:
      // A ring for those who come by the keyboard; a click shows where it went by what it selects.
      input_.focus(static_cast<QFocusEvent*>(event)->reason() != Qt::MouseFocusReason);
      invalidate();
      return false;
    case QEvent::FocusOut:
      input_.focus(false);
      invalidate();
      return false;
    case QEvent::ShortcutOverride: {
      // Up, down and their like belong to the canvas that has the focus, before they are shortcuts of the
      // window.
      const bool ours = CanvasInputState::canvas_key(*static_cast<QKeyEvent*>(event)).has_value();
      if (ours) event->accept();
      return ours;
    }
    case QEvent::KeyPress:
      if (!input_.key(*static_cast<QKeyEvent*>(event))) return false;
      input_.focus(true);
      run_frame();
      surface_->update();
      event->accept();
      return true;
    default:
      return false;
  }
}

}  // namespace hmmscope::app
