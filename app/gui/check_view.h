#pragma once
/// Engine against kernel: every checked call, those that differ first, and for the chosen one both words, the
/// fields that differ under the layout in force, and the reason.

#include <QAbstractTableModel>
#include <QWidget>
#include <memory>
#include <vector>

#include "app/gui/session.h"

class QCheckBox;
class QLabel;
class QTableView;
class QTextBrowser;

namespace hmmscope::app {

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

/// Both words under `layout`, the fields that differ, and the reason, as HTML.
QString describe_check(const Recording& recording, const CallCheck& check, const Layout* layout);
/// "1 234 calls: 1 230 agreed, 0 diverged, 4 unknown".
QString summarise_checks(const Recording& recording);

class CheckView : public QWidget {
  Q_OBJECT
 public:
  CheckView(Session& session, QWidget* parent);
  void set_zoom(double zoom);

 private:
  void refill();
  void describe();

  Session& session_;
  QLabel* summary_;
  QCheckBox* differing_;
  QTableView* table_;
  CheckModel* model_;
  QTextBrowser* text_;
};

}  // namespace hmmscope::app
