#pragma once
/// The bookmarks and breakpoints of the open document: go to one, write a note, remove one.

#include <QDialog>

#include "app/gui/session.h"

class QLabel;
class QPushButton;
class QTreeWidget;

namespace hmmscope::app {

class BookmarksDialog : public QDialog {
  Q_OBJECT
 public:
  BookmarksDialog(Session& session, QWidget* parent);

 private:
  void fill();
  Session& session_;
  QTreeWidget* tree_;
  QLabel* empty_;  ///< instead of the list, while there is nothing in it
  QPushButton *go_ = nullptr, *remove_ = nullptr;
  bool filling_ = false;
};

}  // namespace hmmscope::app
