#pragma once
/// Every action with its keys, to be changed. A key that is taken is refused with the name of its owner.

#include <QDialog>

#include "app/gui/action_registry.h"

class QKeySequenceEdit;
class QLabel;
class QLineEdit;
class QPushButton;
class QTreeWidget;
class QTreeWidgetItem;

namespace hmmscope::app {

class ShortcutEditor : public QDialog {
  Q_OBJECT
 public:
  /// `actions` must outlive the dialog; changes take effect at once.
  ShortcutEditor(ActionRegistry& actions, QWidget* parent);
  /// Gives `key` to the action, as its only key. False, with a message shown, when another action has it.
  bool assign(const QString& id, const QKeySequence& key);
  QString message() const;

 private:
  void fill();
  void show_keys(QTreeWidgetItem* item) const;
  QString current_id() const;

  ActionRegistry& actions_;
  QLineEdit* filter_;
  QTreeWidget* tree_;
  QKeySequenceEdit* key_;
  QLabel* message_;
  QPushButton *assign_, *clear_, *reset_;
};

}  // namespace hmmscope::app
