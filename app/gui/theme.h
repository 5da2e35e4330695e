#pragma once
/// The look of the window: the panels' theme (ui/theme) under the names widgets need, as a QPalette and a
/// style sheet.

#include <QColor>
#include <QPalette>
#include <QString>

#include "app/gui/core.h"

namespace hmmscope::app {

enum class ThemeChoice : uint8_t { desktop, dark, light };

struct Colours {
  QColor window;     ///< behind the panels
  QColor menu, bar;  ///< menu bar, tool bar
  QColor panel;      ///< a panel's face
  QColor raised;     ///< buttons and cards on a panel
  QColor hover;
  QColor inset;                                  ///< text fields, wells
  QColor border;                                 ///< around panels, between sections
  QColor control_border;                         ///< around buttons and fields
  QColor text, muted, dim;                       ///< contrast on `panel`: at least 7, 4.5, 4.5 to 1
  QColor accent;                                 ///< the one accent
  QColor primary, primary_border, primary_text;  ///< the button that goes on
  QColor selected;                               ///< the current row
  QColor good, good_fill, warn, bad, bad_fill;
};

const Colours& colours(ui::ThemeKind kind);
QPalette make_palette(const Colours& colours);
/// `zoom` scales the text sizes that the sheet names.
QString make_style_sheet(const Colours& colours, double zoom);

QString theme_name(ThemeChoice choice);  ///< "desktop", "dark", "light"
ThemeChoice theme_choice(const QString& name);

}  // namespace hmmscope::app
