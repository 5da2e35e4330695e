#pragma once
/// The two type faces of the window: Inter for text and JetBrains Mono for numbers where they are installed, else
/// what fontconfig offers. Sizes are logical pixels at zoom 1.

#include <QFont>

namespace hmmscope::app {

inline constexpr double zoom_min = 0.6, zoom_max = 2.5, zoom_step = 0.1;

QFont text_font(double zoom, int pixels = 14);
QFont mono_font(double zoom, int pixels = 13);
/// The font of panel titles.
QFont title_font(double zoom);

}  // namespace hmmscope::app
