#include "app/gui/canvas_surface.h"

#include <QImage>
#include <QOpenGLContext>
#include <QOpenGLWidget>
#include <QPainter>
#include <QWidget>

#include "app/gui/gl_renderer.h"
#include "app/gui/theme.h"

namespace hmmscope::app {
namespace {

class SoftwareSurface : public QWidget {
 public:
  SoftwareSurface(const CanvasSetup& setup, std::unique_ptr<ui::Panel> panel, Session& session,
                  QWidget* parent)
      : QWidget(parent), session_(session) {
    driver_ = new CanvasDriver(this, std::move(panel), setup.fonts, session);
  }

 protected:
  bool event(QEvent* event) override {
    return (driver_ != nullptr && driver_->handle(event)) || QWidget::event(event);
  }
  void paintEvent(QPaintEvent*) override {
    QPainter painter(this);
    if (!driver_->settle()) return;
    if (driver_->frames() != drawn_frame_) {
      driver_->canvas().rasterise(image_);
      drawn_frame_ = driver_->frames();
    }
    painter.fillRect(rect(), colours(session_.theme()).panel);
    if (image_.width < 1 || image_.height < 1) return;
    QImage picture(reinterpret_cast<const uchar*>(image_.pixels.data()), image_.width, image_.height,
                   image_.width * 4, QImage::Format_RGBA8888);
    picture.setDevicePixelRatio(devicePixelRatioF());
    painter.drawImage(QPointF(0, 0), picture);
  }

 private:
  Session& session_;
  CanvasDriver* driver_ = nullptr;  ///< events arrive while it is being made
  ui::Image image_;
  uint64_t drawn_frame_ = 0;
};

class GlSurface : public QOpenGLWidget {
 public:
  GlSurface(const CanvasSetup& setup, std::unique_ptr<ui::Panel> panel, Session& session, QWidget* parent)
      : QOpenGLWidget(parent), session_(session) {
    driver_ = new CanvasDriver(this, std::move(panel), setup.fonts, session);
  }
  ~GlSurface() override {
    makeCurrent();
    renderer_.reset();
    doneCurrent();
  }

 protected:
  bool event(QEvent* event) override {
    return (driver_ != nullptr && driver_->handle(event)) || QOpenGLWidget::event(event);
  }
  void initializeGL() override {
    // A dock that is floated gets a new context; what lived in the old one goes with it.
    connect(context(), &QOpenGLContext::aboutToBeDestroyed, this, [this] {
      makeCurrent();
      renderer_.reset();
      doneCurrent();
    });
    renderer_ = std::make_unique<GlRenderer>();
  }
  void paintGL() override {
    if (!renderer_) return;
    renderer_->clear(colours(session_.theme()).panel);
    if (!driver_->settle()) return;
    renderer_->draw(driver_->canvas());
  }

 private:
  Session& session_;
  CanvasDriver* driver_ = nullptr;  ///< events arrive while it is being made
  std::unique_ptr<GlRenderer> renderer_;
};

}  // namespace

QWidget* make_canvas_surface(const CanvasSetup& setup, std::unique_ptr<ui::Panel> panel, Session& session,
                             QWidget* parent) {
  if (setup.path == DrawPath::opengl) return new GlSurface(setup, std::move(panel), session, parent);
  return new SoftwareSurface(setup, std::move(panel), session, parent);
}

CanvasDriver* driver_of(const QWidget* surface) {
  return surface == nullptr ? nullptr
                            : surface->findChild<CanvasDriver*>(QString(), Qt::FindDirectChildrenOnly);
}

}  // namespace hmmscope::app
