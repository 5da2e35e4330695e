#include "app/gui/fonts.h"

#include <QFontDatabase>
#include <QStringList>
#include <algorithm>

namespace hmmscope::app {
namespace {

QFont sized(QFont font, double zoom, int pixels) {
  font.setPixelSize(std::max(7, qRound(pixels * zoom)));
  return font;
}

}  // namespace

QFont text_font(double zoom, int pixels) {
  QFont font = QFontDatabase::systemFont(QFontDatabase::GeneralFont);
  font.setFamilies(QStringList{QStringLiteral("Inter"), font.family(), QStringLiteral("sans-serif")});
  return sized(font, zoom, pixels);
}

QFont mono_font(double zoom, int pixels) {
  QFont font = QFontDatabase::systemFont(QFontDatabase::FixedFont);
  font.setFamilies(QStringList{QStringLiteral("JetBrains Mono"), font.family(), QStringLiteral("monospace")});
  font.setStyleHint(QFont::Monospace);
  // Ligatures would join "->" and "!=" in code and hex.
  font.setKerning(false);
  return sized(font, zoom, pixels);
}

QFont title_font(double zoom) {
  QFont font = text_font(zoom, 12);
  font.setWeight(QFont::DemiBold);
  return font;
}

}  // namespace hmmscope::app
