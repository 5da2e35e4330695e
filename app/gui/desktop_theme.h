#pragma once
/// Whether the desktop is dark or light.

#include <QPalette>

#include "app/gui/core.h"

namespace hmmscope::app {

/// `platform` is the palette the platform gave the application, before it was given another. Dark where that
/// is dark, or where there is no desktop to follow (a bare X server, the offscreen platform).
ui::ThemeKind desktop_theme(const QPalette& platform);

}  // namespace hmmscope::app
