#pragma once
/// Engine against kernel: every checked call, those that differ first, and for the chosen one both words, the
/// fields that differ under the layout in force, the rule of each side, what is known of the call, and what may
/// explain it. Of a scenario: the expectations that did not hold.

#include <QAbstractTableModel>
#include <QWidget>
#include <memory>
#include <vector>

#include "app/gui/check_text.h"
#include "app/gui/session.h"

class QCheckBox;
class QPushButton;
class QTableView;
class QTextBrowser;

namespace hmmscope::app {

class Task;

class CheckModel : public QAbstractTableModel {
 public:
  using QAbstractTableModel::QAbstractTableModel;
  void set_recording(std::shared_ptr<const Recording> recording, bool with_agreed);
  const CallCheck* check_at(int row) const;
  int rowCount(const QModelIndex& parent = {}) const override;
  int columnCount(const QModelIndex& parent = {}) const override;
  QVariant data(const QModelIndex& index, int role) const override;
  QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

 private:
  std::shared_ptr<const Recording> recording_;
  std::vector<uint32_t> shown_;
};

class CheckView : public QWidget {
  Q_OBJECT
 public:
  /// Work that takes long goes to `task`, which must outlive the view.
  CheckView(Session& session, Task& task, QWidget* parent);
  void set_zoom(double zoom);
  /// The trace under every other kernel model, off the UI thread: what agrees there is an explanation.
  void try_models();
  bool can_try_models() const;
  QString text() const;  ///< of the chosen call, as plain text

 Q_SIGNALS:
  void branch_asked();  ///< of the call the cursor is in

 private:
  bool can_branch() const;
  void refill();
  void fit_columns();  ///< as wide as what they hold, within reason
  void describe();
  void go_to_row(int row);
  void follow_link(const QString& link);

  Session& session_;
  Task& task_;
  QCheckBox* differing_;
  QTableView* table_;
  CheckModel* model_;
  QTextBrowser* text_;
  QPushButton *go_, *try_, *branch_;
  DocumentPtr document_;  ///< whose checks are listed
  std::vector<traces::ModelTrial> trials_;
};

}  // namespace hmmscope::app
