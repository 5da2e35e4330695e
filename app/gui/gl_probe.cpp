// Decides once how canvases are drawn.
#include <QGuiApplication>
#include <QOffscreenSurface>
#include <QOpenGLContext>
#include <QOpenGLFunctions>

#include "app/gui/canvas_surface.h"

namespace hmmscope::app {
namespace {

/// Renderers that compute in software; the names Mesa, ANGLE and old Windows drivers report.
bool is_software(const QString& renderer) {
  for (const char* name : {"llvmpipe", "softpipe", "swrast", "swiftshader", "software", "gdi generic"}) {
    if (renderer.contains(QLatin1String(name), Qt::CaseInsensitive)) return true;
  }
  return false;
}

/// The renderer's name; empty when no context can be made.
QString probe_renderer() {
  QOffscreenSurface surface;
  surface.create();
  QOpenGLContext context;
  if (!surface.isValid() || !context.create() || !context.makeCurrent(&surface)) return {};
  const auto* name = context.functions()->glGetString(GL_RENDERER);
  const QString renderer = QString::fromLatin1(reinterpret_cast<const char*>(name));
  context.doneCurrent();
  return renderer;
}

}  // namespace

DrawPath choose_draw_path(QString* reason) {
  QString ignored;
  QString& why = reason != nullptr ? *reason : ignored;
  const QByteArray wish = qgetenv("HMMSCOPE_CANVAS");
  if (wish == "software") {
    why = QStringLiteral("HMMSCOPE_CANVAS=software");
    return DrawPath::software;
  }
  const QString platform = QGuiApplication::platformName();
  for (const char* without : {"offscreen", "minimal", "vnc", "linuxfb"}) {
    if (platform != QLatin1String(without)) continue;
    why = QStringLiteral("the %1 platform has no OpenGL windows").arg(platform);
    return DrawPath::software;  // even when it was asked for: QOpenGLWidget does not survive here
  }
  const QString renderer = probe_renderer();
  if (renderer.isEmpty()) {
    why = QStringLiteral("no OpenGL context can be made");
    return DrawPath::software;
  }
  why = renderer;
  if (wish == "opengl") return DrawPath::opengl;
  return is_software(renderer) ? DrawPath::software : DrawPath::opengl;
}

}  // namespace hmmscope::app
