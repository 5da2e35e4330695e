#include "app/gui/fonts.h"

#include <QFontDatabase>
#include <QStringList>
#include <algorithm>

namespace hmmscope::app {

QFont resized(QFont font, double zoom, int pixels) {
  font.setPixelSize(std::max(7, qRound(pixels * zoom)));
  return font;
}

QFont::Weight text_weight(bool dark, double pixel_ratio) {
  return dark && pixel_ratio < 1.5 ? QFont::Light : QFont::Normal;
}

QFont text_font(double zoom, int pixels, QFont::Weight weight) {
  QFont font = QFontDatabase::systemFont(QFontDatabase::GeneralFont);
  font.setFamilies(QStringList{QStringLiteral("Inter"), font.family(), QStringLiteral("sans-serif")});
  font.setWeight(weight);
  return resized(font, zoom, pixels);
}

QFont mono_font(double zoom, int pixels) {
  QFont font = QFontDatabase::systemFont(QFontDatabase::FixedFont);
  font.setFamilies(QStringList{QStringLiteral("JetBrains Mono"), font.family(), QStringLiteral("monospace")});
  font.setStyleHint(QFont::Monospace);
  // Ligatures would join "->" and "!=" in code and hex.
  font.setKerning(false);
  return resized(font, zoom, pixels);
}

QFont title_font(double zoom) {
  QFont font = text_font(zoom, 12);
  font.setWeight(QFont::DemiBold);
  return font;
}

}  // namespace hmmscope::app
