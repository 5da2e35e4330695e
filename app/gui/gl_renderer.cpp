#include "app/gui/gl_renderer.h"

#include <imgui.h>

#include <QColor>
#include <QMatrix4x4>
#include <QOpenGLContext>
#include <QSurfaceFormat>
#include <cstddef>

namespace hmmscope::app {
namespace {

constexpr int position_slot = 0, uv_slot = 1, colour_slot = 2;

// Qt adds the version line and precision qualifiers; a core profile needs the newer words.
constexpr const char* old_vertex = R"(
uniform mat4 projection;
attribute vec2 position;
attribute vec2 uv;
attribute vec4 colour;
varying vec2 at;
varying vec4 tint;
void main() { at = uv; tint = colour; gl_Position = projection * vec4(position, 0.0, 1.0); }
)";
constexpr const char* old_fragment = R"(
uniform sampler2D atlas;
varying vec2 at;
varying vec4 tint;
void main() { gl_FragColor = tint * texture2D(atlas, at); }
)";
constexpr const char* core_vertex = R"(#version 150
uniform mat4 projection;
in vec2 position;
in vec2 uv;
in vec4 colour;
out vec2 at;
out vec4 tint;
void main() { at = uv; tint = colour; gl_Position = projection * vec4(position, 0.0, 1.0); }
)";
constexpr const char* core_fragment = R"(#version 150
uniform sampler2D atlas;
in vec2 at;
in vec4 tint;
out vec4 pixel;
void main() { pixel = tint * texture(atlas, at); }
)";

const void* byte_offset(size_t bytes) { return reinterpret_cast<const void*>(bytes); }

}  // namespace

GlRenderer::GlRenderer() {
  initializeOpenGLFunctions();
  const bool core = QOpenGLContext::currentContext()->format().profile() == QSurfaceFormat::CoreProfile;
  program_.addShaderFromSourceCode(QOpenGLShader::Vertex, core ? core_vertex : old_vertex);
  program_.addShaderFromSourceCode(QOpenGLShader::Fragment, core ? core_fragment : old_fragment);
  program_.bindAttributeLocation("position", position_slot);
  program_.bindAttributeLocation("uv", uv_slot);
  program_.bindAttributeLocation("colour", colour_slot);
  program_.link();
  arrays_.create();  // optional before OpenGL 3; binding does nothing then
  vertices_.create();
  vertices_.setUsagePattern(QOpenGLBuffer::StreamDraw);
  indices_.create();
  indices_.setUsagePattern(QOpenGLBuffer::StreamDraw);
  glGenTextures(1, &atlas_);
}

GlRenderer::~GlRenderer() { glDeleteTextures(1, &atlas_); }

void GlRenderer::clear(const QColor& colour) {
  glDisable(GL_SCISSOR_TEST);
  glClearColor(colour.redF(), colour.greenF(), colour.blueF(), 1.0f);
  glClear(GL_COLOR_BUFFER_BIT);
}

void GlRenderer::upload_atlas(const ui::Canvas& canvas) {
  const uint8_t* pixels = nullptr;
  int width = 0, height = 0;
  uint64_t generation = 0;
  canvas.font_atlas(pixels, width, height, generation);
  glActiveTexture(GL_TEXTURE0);
  glBindTexture(GL_TEXTURE_2D, atlas_);
  if ((has_atlas_ && generation == atlas_generation_) || pixels == nullptr) return;
  glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MIN_FILTER, GL_LINEAR);
  glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MAG_FILTER, GL_LINEAR);
  glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_WRAP_S, GL_CLAMP_TO_EDGE);
  glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_WRAP_T, GL_CLAMP_TO_EDGE);
  glPixelStorei(GL_UNPACK_ALIGNMENT, 4);
  glTexImage2D(GL_TEXTURE_2D, 0, GL_RGBA, width, height, 0, GL_RGBA, GL_UNSIGNED_BYTE, pixels);
  atlas_generation_ = generation;
  has_atlas_ = true;
}

void GlRenderer::set_up(float width, float height) {
  glEnable(GL_BLEND);
  glBlendEquation(GL_FUNC_ADD);
  // The framebuffer's alpha stays 1: the window is composed from it.
  glBlendFuncSeparate(GL_SRC_ALPHA, GL_ONE_MINUS_SRC_ALPHA, GL_ONE, GL_ONE_MINUS_SRC_ALPHA);
  glDisable(GL_CULL_FACE);
  glDisable(GL_DEPTH_TEST);
  glDisable(GL_STENCIL_TEST);
  glEnable(GL_SCISSOR_TEST);
  program_.bind();
  QMatrix4x4 projection;
  projection.ortho(0, width, height, 0, -1, 1);
  program_.setUniformValue("projection", projection);
  program_.setUniformValue("atlas", 0);
  vertices_.bind();
  indices_.bind();
  glEnableVertexAttribArray(position_slot);
  glEnableVertexAttribArray(uv_slot);
  glEnableVertexAttribArray(colour_slot);
}

void GlRenderer::draw(const ui::Canvas& canvas) {
  const ImDrawData* data = canvas.draw_data();
  if (data == nullptr || !data->Valid) return;
  const int height = static_cast<int>(data->DisplaySize.y * data->FramebufferScale.y);
  if (height <= 0 || data->DisplaySize.x <= 0) return;
  upload_atlas(canvas);
  const QOpenGLVertexArrayObject::Binder binder(&arrays_);
  set_up(data->DisplaySize.x, data->DisplaySize.y);
  for (int n = 0; n < data->CmdListsCount; ++n) {
    const ImDrawList& list = *data->CmdLists[n];
    vertices_.allocate(list.VtxBuffer.Data, list.VtxBuffer.Size * static_cast<int>(sizeof(ImDrawVert)));
    indices_.allocate(list.IdxBuffer.Data, list.IdxBuffer.Size * static_cast<int>(sizeof(ImDrawIdx)));
    for (const ImDrawCmd& command : list.CmdBuffer) {
      if (command.UserCallback != nullptr || command.ElemCount == 0) continue;
      const ImVec2 scale = data->FramebufferScale;
      const int x0 = static_cast<int>(command.ClipRect.x * scale.x),
                y0 = static_cast<int>(command.ClipRect.y * scale.y);
      const int x1 = static_cast<int>(command.ClipRect.z * scale.x),
                y1 = static_cast<int>(command.ClipRect.w * scale.y);
      if (x1 <= x0 || y1 <= y0) continue;
      glScissor(x0, height - y1, x1 - x0, y1 - y0);
      const size_t base = command.VtxOffset * sizeof(ImDrawVert);
      const auto attribute = [&](GLuint slot, int count, GLenum type, GLboolean normal, size_t member) {
        glVertexAttribPointer(slot, count, type, normal, sizeof(ImDrawVert), byte_offset(base + member));
      };
      attribute(position_slot, 2, GL_FLOAT, GL_FALSE, offsetof(ImDrawVert, pos));
      attribute(uv_slot, 2, GL_FLOAT, GL_FALSE, offsetof(ImDrawVert, uv));
      attribute(colour_slot, 4, GL_UNSIGNED_BYTE, GL_TRUE, offsetof(ImDrawVert, col));
      glDrawElements(GL_TRIANGLES, static_cast<GLsizei>(command.ElemCount),
                     sizeof(ImDrawIdx) == 2 ? GL_UNSIGNED_SHORT : GL_UNSIGNED_INT,
                     byte_offset(command.IdxOffset * sizeof(ImDrawIdx)));
    }
  }
  vertices_.release();
  indices_.release();
  program_.release();
  glDisable(GL_SCISSOR_TEST);
  glDisable(GL_BLEND);
}

}  // namespace hmmscope::app
