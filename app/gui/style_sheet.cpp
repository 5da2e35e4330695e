#include <QHash>

#include "app/gui/theme.h"

namespace hmmscope::app {
namespace {

// @name is replaced by a colour, #n by n scaled pixels of text.
constexpr const char* sheet = R"(
QMainWindow { background: @window; }
QDialog { background: @panel; }
QMainWindow::separator { background: @window; width: 8px; height: 8px; }
QMainWindow::separator:hover { background: @hover; }
QMenuBar { background: @menu; color: @text; padding: 3px 6px; border: 0; }
QLabel#window-title { background: @menu; }
QMenuBar::item { padding: 6px 12px; border-radius: 6px; background: transparent; }
QMenuBar::item:selected { background: @hover; }
QMenu { background: @raised; color: @text; border: 1px solid @control_border; border-radius: 8px; padding: 6px; }
QMenu::item { padding: 6px 28px 6px 26px; border-radius: 5px; }
QMenu::item:selected { background: @selected; }
QMenu::item:disabled { color: @dim; }
QMenu::separator { height: 1px; background: @border; margin: 5px 8px; }
QMenu::indicator { width: 14px; height: 14px; left: 7px; }
QToolBar { background: @bar; border: 0; border-bottom: 1px solid @border; spacing: 6px; padding: 7px 12px; }
QStatusBar { background: @window; color: @muted; border: 0; }
QStatusBar::item { border: 0; }
QToolTip { background: @raised; color: @text; border: 1px solid @control_border; padding: 4px 6px; }

QToolButton[look="tool"], QPushButton, QToolButton[look="field"] {
  background: @raised; color: @text; border: 1px solid @control_border; border-radius: 6px; }
QToolButton[look="tool"]:hover, QPushButton:hover, QToolButton[look="field"]:hover { background: @hover; }
QToolButton[look="tool"]:pressed, QPushButton:pressed { background: @selected; }
QToolButton[look="tool"]:focus, QPushButton:focus, QToolButton[look="field"]:focus { border-color: @accent; }
QToolButton[look="tool"]:disabled, QPushButton:disabled { color: @dim; border-color: @border; background: @panel; }
QPushButton { padding: 7px 14px; }
QPushButton[look="primary"] { background: @primary; border-color: @primary_border; color: @primary_text; font-weight: 600; }
QPushButton[look="primary"]:disabled { background: @raised; border-color: @border; color: @dim; }
QPushButton[look="answer"] { background: @inset; padding: 7px 12px; }
QPushButton[look="answer"]:checked { background: @selected; border-color: @accent; }
QPushButton[look="task"], QPushButton[look="task-now"] { background: transparent; border: 1px solid transparent;
  border-radius: 5px; padding: 4px 6px; text-align: left; color: @muted; }
QPushButton[look="task-now"] { color: @text; background: @raised; }
QPushButton[look="task"] > QLabel { color: @muted; }
QPushButton[look="task-now"] > QLabel { color: @text; }
QPushButton[look="task"]:hover { background: @hover; }
QPushButton[look="task"]:focus, QPushButton[look="task-now"]:focus { border-color: @accent; }
QToolButton[look="quiet"] { background: transparent; border: 0; border-radius: 5px; padding: 3px; color: @muted; }
QToolButton[look="quiet"]:hover { background: @hover; }

QFrame[look="field"] { background: @raised; border: 1px solid @control_border; border-radius: 6px; }
QFrame[look="search"] { background: @inset; border: 1px solid @control_border; border-radius: 6px; }
QFrame[look="card"] { background: @raised; border: 1px solid @control_border; border-radius: 8px; }
QFrame[look="good"] { background: @good_fill; border: 1px solid @good; border-radius: 8px; }
QFrame[look="bad"] { background: @bad_fill; border: 1px solid @bad; border-radius: 8px; }
QFrame[look="popup"] { background: @panel; border: 1px solid @control_border; border-radius: 10px; }
QLabel { background: transparent; }
QLabel[look="toast"] { background: @raised; border: 1px solid @control_border; border-radius: 8px; }
QLabel[tone="muted"] { color: @muted; }
QLabel[tone="dim"] { color: @dim; }
QLabel[tone="accent"] { color: @accent; font-weight: 600; }
QLabel[tone="good"] { color: @good; font-weight: 600; }
QLabel[tone="bad"] { color: @bad; font-weight: 600; }
QLabel[tone="heading"] { font-size: #19; font-weight: 600; }
QLabel[tone="section"] { color: @muted; font-weight: 600; font-size: #12; }

QLineEdit { background: @inset; color: @text; border: 1px solid @control_border; border-radius: 6px; padding: 5px 8px;
  selection-background-color: @primary; selection-color: @primary_text; }
QLineEdit:focus { border-color: @accent; }
QLineEdit[look="plain"] { background: transparent; border: 0; padding: 0; }
QTextBrowser, QPlainTextEdit, QTextEdit { background: @panel; color: @text; border: 0;
  selection-background-color: @primary; selection-color: @primary_text; }
QScrollArea { background: transparent; border: 0; }
QScrollArea > QWidget > QWidget { background: transparent; }
QAbstractItemView { background: @panel; alternate-background-color: @panel; color: @text; border: 0; outline: 0;
  selection-background-color: @selected; selection-color: @text; gridline-color: @border; }
QListView::item { padding: 6px 10px; border-radius: 5px; }
QListView::item:selected, QTreeView::item:selected { background: @selected; color: @text; }
QTableView::item { padding: 0 8px; border: 0; }
QTableView::item:selected { background: @selected; }
QHeaderView { background: @panel; border: 0; }
QHeaderView::section { background: @panel; color: @muted; border: 0; border-bottom: 1px solid @border;
  padding: 5px 8px; font-weight: 600; font-size: #12; }
QTableCornerButton::section { background: @panel; border: 0; }
QScrollBar:vertical { background: transparent; width: 10px; margin: 0; }
QScrollBar:horizontal { background: transparent; height: 10px; margin: 0; }
QScrollBar::handle { background: @control_border; border-radius: 4px; margin: 1px; }
QScrollBar::handle:vertical { min-height: 28px; }
QScrollBar::handle:horizontal { min-width: 28px; }
QScrollBar::handle:hover { background: @dim; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QTabBar { background: transparent; qproperty-drawBase: 0; }
QTabBar::tab { background: transparent; color: @muted; padding: 5px 12px; margin: 2px 2px; border-radius: 6px; }
QTabBar::tab:selected { background: @raised; color: @text; }
QTabBar::tab:hover { background: @hover; }
QTabWidget::pane { border: 0; }
QProgressBar { background: @inset; border: 0; border-radius: 3px; max-height: 5px; min-height: 5px; }
QProgressBar::chunk { background: @accent; border-radius: 2px; }
QCheckBox, QRadioButton { background: transparent; spacing: 8px; }
QCheckBox::indicator { width: 14px; height: 14px; border: 1px solid @dim; border-radius: 4px; background: @inset; }
QCheckBox::indicator:checked { background: @accent; border-color: @accent; }
QCheckBox:focus { color: @accent; }
QComboBox { background: @raised; border: 1px solid @control_border; border-radius: 6px; padding: 5px 8px; }
QComboBox QAbstractItemView { background: @raised; border: 1px solid @control_border; }
QSplitter::handle { background: @border; width: 1px; height: 1px; }
)";

QHash<QString, QColor> names(const Colours& c) {
  return {{"window", c.window},
          {"menu", c.menu},
          {"bar", c.bar},
          {"panel", c.panel},
          {"raised", c.raised},
          {"hover", c.hover},
          {"inset", c.inset},
          {"border", c.border},
          {"control_border", c.control_border},
          {"text", c.text},
          {"muted", c.muted},
          {"dim", c.dim},
          {"accent", c.accent},
          {"primary", c.primary},
          {"primary_border", c.primary_border},
          {"primary_text", c.primary_text},
          {"selected", c.selected},
          {"good", c.good},
          {"good_fill", c.good_fill},
          {"warn", c.warn},
          {"bad", c.bad},
          {"bad_fill", c.bad_fill}};
}

}  // namespace

QString make_style_sheet(const Colours& c, double zoom) {
  const QHash<QString, QColor> known = names(c);
  const QString text = QString::fromLatin1(sheet);
  QString out;
  out.reserve(text.size() * 2);
  for (qsizetype i = 0; i < text.size(); ++i) {
    const QChar mark = text[i];
    if (mark != QLatin1Char('@') && mark != QLatin1Char('#')) {
      out += mark;
      continue;
    }
    qsizetype end = i + 1;
    while (end < text.size() && (text[end].isLetterOrNumber() || text[end] == QLatin1Char('_'))) ++end;
    const QString name = text.mid(i + 1, end - i - 1);
    if (mark == QLatin1Char('#')) {
      out += QString::number(qRound(name.toInt() * zoom)) + QStringLiteral("px");
    } else {
      Q_ASSERT_X(known.contains(name), "style sheet", qPrintable(name));
      out += known.value(name).name();
    }
    i = end - 1;
  }
  return out;
}

}  // namespace hmmscope::app
