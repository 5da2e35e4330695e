#pragma once
/// The event table with its filter line. Follows the cursor; a double click or Enter goes to the step.

#include <QWidget>

#include "app/gui/session.h"

class QLabel;
class QLineEdit;
class QTableView;

namespace hmmscope::app {

class EventModel;

class EventView : public QWidget {
  Q_OBJECT
 public:
  EventView(Session& session, QWidget* parent);
  void set_zoom(double zoom);
  EventModel& model() { return *model_; }

 protected:
  void showEvent(QShowEvent* event) override;
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  void refill();
  void follow();
  void go_to_row(int row);
  void show_count();
  void show_marks();
  void show_look();

  Session& session_;
  QLineEdit* filter_;
  QLabel* count_;
  QTableView* table_;
  EventModel* model_;
};

}  // namespace hmmscope::app
