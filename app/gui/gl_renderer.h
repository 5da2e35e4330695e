#pragma once
/// Draws a canvas's draw list with OpenGL 2 or OpenGL ES 2 and later. One a context; made, used and destroyed
/// with that context current.

#include <QOpenGLBuffer>
#include <QOpenGLFunctions>
#include <QOpenGLShaderProgram>
#include <QOpenGLVertexArrayObject>
#include <memory>

#include "app/gui/core.h"

class QColor;

namespace hmmscope::app {

class GlRenderer : protected QOpenGLFunctions {
 public:
  GlRenderer();
  ~GlRenderer();
  GlRenderer(const GlRenderer&) = delete;
  GlRenderer& operator=(const GlRenderer&) = delete;

  void clear(const QColor& colour);
  /// The canvas's last frame, into the bound framebuffer.
  void draw(const ui::Canvas& canvas);

 private:
  void upload_atlas(const ui::Canvas& canvas);
  void set_up(float width, float height);

  QOpenGLShaderProgram program_;
  QOpenGLBuffer vertices_{QOpenGLBuffer::VertexBuffer}, indices_{QOpenGLBuffer::IndexBuffer};
  QOpenGLVertexArrayObject arrays_;
  GLuint atlas_ = 0;
  uint64_t atlas_generation_ = 0;
  bool has_atlas_ = false;
};

}  // namespace hmmscope::app
