#include "app/gui/shortcut_editor.h"

#include <QDialogButtonBox>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QKeySequenceEdit>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QTreeWidget>
#include <QVBoxLayout>

namespace hmmscope::app {

ShortcutEditor::ShortcutEditor(ActionRegistry& actions, QWidget* parent)
    : QDialog(parent),
      actions_(actions),
      filter_(new QLineEdit(this)),
      tree_(new QTreeWidget(this)),
      key_(new QKeySequenceEdit(this)),
      message_(new QLabel(this)),
      assign_(new QPushButton(tr("Use this key"), this)),
      clear_(new QPushButton(tr("No key"), this)),
      reset_(new QPushButton(tr("As it was shipped"), this)) {
  setWindowTitle(tr("Keyboard shortcuts"));
  resize(680, 560);
  filter_->setPlaceholderText(tr("Filter actions"));
  filter_->setClearButtonEnabled(true);
  tree_->setHeaderLabels({tr("Action"), tr("Menu"), tr("Keys")});
  tree_->setRootIsDecorated(false);
  tree_->setUniformRowHeights(true);
  tree_->header()->setSectionResizeMode(0, QHeaderView::Stretch);
  message_->setProperty("tone", "bad");
  message_->setWordWrap(true);
  auto* keys = new QHBoxLayout;
  keys->addWidget(key_, 1);
  keys->addWidget(assign_);
  keys->addWidget(clear_);
  keys->addWidget(reset_);
  auto* buttons = new QDialogButtonBox(QDialogButtonBox::Close, this);
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(16, 16, 16, 16);
  column->addWidget(filter_);
  column->addWidget(tree_, 1);
  column->addLayout(keys);
  column->addWidget(message_);
  column->addWidget(buttons);
  connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
  connect(filter_, &QLineEdit::textChanged, this, &ShortcutEditor::fill);
  connect(tree_, &QTreeWidget::currentItemChanged, this, [this] {
    const QAction* action = actions_.action(current_id());
    key_->setKeySequence(action == nullptr ? QKeySequence() : action->shortcut());
    message_->clear();
  });
  connect(assign_, &QPushButton::clicked, this, [this] { assign(current_id(), key_->keySequence()); });
  connect(clear_, &QPushButton::clicked, this, [this] { assign(current_id(), {}); });
  connect(reset_, &QPushButton::clicked, this, [this] {
    actions_.set_shortcuts(current_id(), actions_.defaults(current_id()));
    if (tree_->currentItem() != nullptr) show_keys(tree_->currentItem());
  });
  fill();
}

QString ShortcutEditor::current_id() const {
  return tree_->currentItem() == nullptr ? QString() : tree_->currentItem()->data(0, Qt::UserRole).toString();
}

QString ShortcutEditor::message() const { return message_->text(); }

void ShortcutEditor::show_keys(QTreeWidgetItem* item) const {
  const QAction* action = actions_.action(item->data(0, Qt::UserRole).toString());
  QStringList keys;
  for (const QKeySequence& key : action->shortcuts()) keys << key.toString(QKeySequence::NativeText);
  item->setText(2, keys.join(QStringLiteral(", ")));
}

void ShortcutEditor::fill() {
  const QString before = current_id();
  tree_->clear();
  for (const QAction* action : actions_.actions()) {
    const QString text = ActionRegistry::plain_text(action);
    if (!text.contains(filter_->text(), Qt::CaseInsensitive)) continue;
    auto* item = new QTreeWidgetItem(tree_, {text, QString::fromLatin1(ActionRegistry::row(action).menu)});
    item->setData(0, Qt::UserRole, ActionRegistry::id(action));
    item->setToolTip(0, QString::fromUtf8(ActionRegistry::row(action).hint));
    show_keys(item);
    if (ActionRegistry::id(action) == before) tree_->setCurrentItem(item);
  }
  if (tree_->currentItem() == nullptr && tree_->topLevelItemCount() > 0)
    tree_->setCurrentItem(tree_->topLevelItem(0));
}

bool ShortcutEditor::assign(const QString& id, const QKeySequence& key) {
  const QAction* target = actions_.action(id);
  if (target == nullptr) return false;
  for (const QAction* other : actions_.actions()) {
    if (key.isEmpty() || other == target || !other->shortcuts().contains(key)) continue;
    message_->setText(tr("%1 belongs to “%2”. Take it from there first.")
                          .arg(key.toString(QKeySequence::NativeText), ActionRegistry::plain_text(other)));
    return false;
  }
  actions_.set_shortcuts(id, key.isEmpty() ? QList<QKeySequence>() : QList<QKeySequence>{key});
  message_->clear();
  for (int i = 0; i < tree_->topLevelItemCount(); ++i) show_keys(tree_->topLevelItem(i));
  return true;
}

}  // namespace hmmscope::app
