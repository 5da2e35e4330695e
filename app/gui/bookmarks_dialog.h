#pragma once
/// The bookmarks of the open document: go to one, write a note, remove one.

#include <QDialog>

#include "app/gui/session.h"

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
  bool filling_ = false;
};

}  // namespace hmmscope::app
