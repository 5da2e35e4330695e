#include "app/gui/theme.h"

#include "ui/theme/theme.h"

namespace hmmscope::app {
namespace {

QColor from(ui::Color colour) {
  return QColor(static_cast<int>(colour & 0xff), static_cast<int>((colour >> 8) & 0xff),
                static_cast<int>((colour >> 16) & 0xff));
}

Colours make(ui::ThemeKind kind) {
  const ui::Theme& theme = ui::theme(kind);
  const bool dark = kind == ui::ThemeKind::dark;
  Colours c;
  c.window = from(theme.window);
  c.menu = dark ? QColor(0x0f, 0x14, 0x1b) : from(theme.raised);
  c.bar = from(theme.surface);
  c.panel = from(theme.surface);
  c.raised = from(theme.raised);
  c.hover = from(ui::mix(theme.raised, theme.text, dark ? 18 : 14));
  c.inset = from(theme.sunken);
  c.border = from(theme.border);
  c.control_border = from(ui::mix(theme.border, theme.border_strong, 96));
  c.text = from(theme.text);
  c.muted = from(theme.text_muted);
  c.dim = from(theme.text_faint);
  c.accent = from(theme.accent);
  c.primary = dark ? QColor(0x17, 0x50, 0x6b) : from(theme.accent);
  c.primary_border = dark ? QColor(0x3a, 0x80, 0xa8) : from(ui::mix(theme.accent, theme.text, 60));
  c.primary_text = QColor(0xff, 0xff, 0xff);
  c.selected = from(theme.accent_fill);
  c.good = from(theme.good);
  c.good_fill = from(theme.good_fill);
  c.warn = from(theme.warning);
  c.bad = from(theme.bad);
  c.bad_fill = from(theme.bad_fill);
  return c;
}

}  // namespace

const Colours& colours(ui::ThemeKind kind) {
  static const Colours dark = make(ui::ThemeKind::dark);
  static const Colours light = make(ui::ThemeKind::light);
  return kind == ui::ThemeKind::dark ? dark : light;
}

QPalette make_palette(const Colours& c) {
  QPalette palette;
  palette.setColor(QPalette::Window, c.panel);
  palette.setColor(QPalette::WindowText, c.text);
  palette.setColor(QPalette::Base, c.inset);
  palette.setColor(QPalette::AlternateBase, c.raised);
  palette.setColor(QPalette::Text, c.text);
  palette.setColor(QPalette::PlaceholderText, c.dim);
  palette.setColor(QPalette::Button, c.raised);
  palette.setColor(QPalette::ButtonText, c.text);
  palette.setColor(QPalette::BrightText, c.bad);
  palette.setColor(QPalette::ToolTipBase, c.raised);
  palette.setColor(QPalette::ToolTipText, c.text);
  palette.setColor(QPalette::Highlight, c.selected);
  palette.setColor(QPalette::HighlightedText, c.text);
  palette.setColor(QPalette::Link, c.accent);
  palette.setColor(QPalette::LinkVisited, c.accent);
  palette.setColor(QPalette::Light, c.hover);
  palette.setColor(QPalette::Midlight, c.raised);
  palette.setColor(QPalette::Mid, c.border);
  palette.setColor(QPalette::Dark, c.control_border);
  palette.setColor(QPalette::Shadow, c.window);
  for (const auto role : {QPalette::WindowText, QPalette::Text, QPalette::ButtonText}) {
    palette.setColor(QPalette::Disabled, role, c.dim);
  }
  return palette;
}

QString theme_name(ThemeChoice choice) {
  switch (choice) {
    case ThemeChoice::dark:
      return QStringLiteral("dark");
    case ThemeChoice::light:
      return QStringLiteral("light");
    case ThemeChoice::desktop:
      break;
  }
  return QStringLiteral("desktop");
}

ThemeChoice theme_choice(const QString& name) {
  if (name == QLatin1String("dark")) return ThemeChoice::dark;
  if (name == QLatin1String("light")) return ThemeChoice::light;
  return ThemeChoice::desktop;
}

}  // namespace hmmscope::app
