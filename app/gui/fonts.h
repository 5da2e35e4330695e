#pragma once
/// The two type faces of the window: Inter for text and JetBrains Mono for numbers where they are installed,
/// else what fontconfig offers. Sizes are logical pixels at zoom 1.

#include <QFont>

namespace hmmscope::app {

inline constexpr double zoom_min = 0.6, zoom_max = 2.5, zoom_step = 0.1;

QFont text_font(double zoom, int pixels = 14, QFont::Weight weight = QFont::Normal);
/// The weight of running text. Qt's text gamma makes light text on dark look a weight heavier than it is, as
/// long as pixels are large.
QFont::Weight text_weight(bool dark, double pixel_ratio);
/// The widget's own font at another size.
QFont resized(QFont font, double zoom, int pixels);
QFont mono_font(double zoom, int pixels = 13);
/// The font of panel titles.
QFont title_font(double zoom);

}  // namespace hmmscope::app
