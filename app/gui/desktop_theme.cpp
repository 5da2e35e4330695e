#include "app/gui/desktop_theme.h"

namespace hmmscope::app {

ui::ThemeKind desktop_theme(const QPalette& platform) {
  const QColor back = platform.color(QPalette::Window), front = platform.color(QPalette::WindowText);
  if (back.lightness() < front.lightness()) return ui::ThemeKind::dark;
  // GTK programs are told this way; Qt's own platform themes do not all pass it on.
  if (qgetenv("GTK_THEME").toLower().endsWith("dark")) return ui::ThemeKind::dark;
  const bool desktop =
      !qEnvironmentVariableIsEmpty("XDG_CURRENT_DESKTOP") || !qEnvironmentVariableIsEmpty("DESKTOP_SESSION");
  return desktop ? ui::ThemeKind::light : ui::ThemeKind::dark;
}

}  // namespace hmmscope::app
