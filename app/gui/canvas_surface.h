#pragma once
/// The widget a panel is drawn in. Two kinds: OpenGL, and a plain widget that shows the picture rasterised in
/// software (no usable OpenGL, remote desktops, the offscreen platform). Both behave the same.

#include <QString>
#include <memory>

#include "app/gui/canvas_driver.h"

namespace hmmscope::app {

enum class DrawPath : uint8_t { software, opengl };

/// What this machine should draw with. HMMSCOPE_CANVAS=software|opengl overrides; else OpenGL where a context
/// can be made and is not itself software (llvmpipe and its like are slower than the rasteriser). Asks the
/// driver once.
DrawPath choose_draw_path(QString* reason = nullptr);

/// How the canvases of a window draw.
struct CanvasSetup {
  DrawPath path = DrawPath::software;
  std::shared_ptr<ui::FontCache> fonts;  ///< shared by all; nullptr: fonts of its own
};

/// A canvas around `panel`. `session` must outlive it. The widget owns its driver.
QWidget* make_canvas_surface(const CanvasSetup& setup, std::unique_ptr<ui::Panel> panel, Session& session,
                             QWidget* parent);
/// The driver of a widget made above; nullptr for any other widget.
CanvasDriver* driver_of(const QWidget* surface);

}  // namespace hmmscope::app
