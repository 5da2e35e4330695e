#pragma once
/// A dock that looks like a card: a title in small capitals with a subtitle at the right, a hairline, the
/// content, rounded corners around all of it. It can be moved, floated and closed like any dock.

#include <QDockWidget>
#include <QString>

namespace hmmscope::app {

class DockTitle;

class Dock : public QDockWidget {
  Q_OBJECT
 public:
  /// `id` names the dock in saved layouts.
  Dock(const QString& id, const QString& title, QWidget* parent);

  void set_content(QWidget* content);
  QWidget* content() const { return content_; }
  void set_title(const QString& title);
  void set_subtitle(const QString& subtitle);
  /// Shows the dock, raises it above the docks it is tabbed with, and moves the focus into it.
  void go_to();

 private:
  DockTitle* title_;
  QWidget* body_;
  QWidget* content_ = nullptr;
};

}  // namespace hmmscope::app
