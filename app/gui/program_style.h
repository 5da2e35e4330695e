#pragma once
/// Fusion, with the few habits of it changed that do not fit the window.

#include <QProxyStyle>
#include <QStyleFactory>

namespace hmmscope::app {

class ProgramStyle : public QProxyStyle {
 public:
  ProgramStyle() : QProxyStyle(QStyleFactory::create(QStringLiteral("Fusion"))) {}
  int styleHint(StyleHint hint, const QStyleOption* option, const QWidget* widget,
                QStyleHintReturn* data) const override {
    if (hint == SH_UnderlineShortcut) return 0;  // Alt works all the same
    if (hint == SH_ComboBox_Popup || hint == SH_DialogButtonBox_ButtonsHaveIcons) return 0;
    if (hint == SH_ItemView_ActivateItemOnSingleClick) return 0;  // a double click goes, everywhere
    return QProxyStyle::styleHint(hint, option, widget, data);
  }
};

}  // namespace hmmscope::app
