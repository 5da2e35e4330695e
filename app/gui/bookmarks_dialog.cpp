#include "app/gui/bookmarks_dialog.h"

#include <QDialogButtonBox>
#include <QHeaderView>
#include <QPushButton>
#include <QTreeWidget>
#include <QVBoxLayout>

#include "app/gui/text_format.h"

namespace hmmscope::app {

BookmarksDialog::BookmarksDialog(Session& session, QWidget* parent)
    : QDialog(parent), session_(session), tree_(new QTreeWidget(this)) {
  setWindowTitle(tr("Bookmarks"));
  resize(560, 400);
  tree_->setHeaderLabels({tr("Step"), tr("What happens there"), tr("Note (double click to write)")});
  tree_->setRootIsDecorated(false);
  tree_->header()->setStretchLastSection(true);
  auto* buttons = new QDialogButtonBox(QDialogButtonBox::Close, this);
  auto* go = buttons->addButton(tr("Go there"), QDialogButtonBox::ActionRole);
  auto* remove = buttons->addButton(tr("Remove"), QDialogButtonBox::ActionRole);
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(16, 16, 16, 16);
  column->addWidget(tree_, 1);
  column->addWidget(buttons);
  const auto position = [this]() -> std::optional<StepIndex> {
    const QTreeWidgetItem* item = tree_->currentItem();
    return item == nullptr ? std::nullopt : std::optional<StepIndex>(item->data(0, Qt::UserRole).toUInt());
  };
  connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
  connect(go, &QPushButton::clicked, this, [this, position] {
    if (const auto place = position()) session_.seek(*place);
  });
  connect(remove, &QPushButton::clicked, this, [this, position] {
    if (const auto place = position()) session_.toggle_bookmark(*place);
  });
  connect(tree_, &QTreeWidget::itemDoubleClicked, this, [this](QTreeWidgetItem* item, int column_clicked) {
    if (column_clicked == 2) {
      tree_->editItem(item, 2);
    } else {
      session_.seek(item->data(0, Qt::UserRole).toUInt());
    }
  });
  connect(tree_, &QTreeWidget::itemChanged, this, [this](QTreeWidgetItem* item) {
    if (!filling_) session_.note_bookmark(item->data(0, Qt::UserRole).toUInt(), item->text(2));
  });
  connect(&session_, &Session::bookmarks_changed, this, &BookmarksDialog::fill, Qt::QueuedConnection);
  fill();
}

void BookmarksDialog::fill() {
  filling_ = true;
  tree_->clear();
  for (const Bookmark& mark : session_.bookmarks()) {
    QString what = tr("the start");
    if (mark.position > 0) {
      const std::string_view id = rule(session_.recording()->rule_of(mark.position - 1)).id;
      what = QString::fromUtf8(id.data(), static_cast<qsizetype>(id.size()));
    }
    auto* item = new QTreeWidgetItem(tree_, {grouped(mark.position), what, mark.note});
    item->setData(0, Qt::UserRole, mark.position);
    item->setFlags(item->flags() | Qt::ItemIsEditable);
  }
  tree_->resizeColumnToContents(1);
  filling_ = false;
}

}  // namespace hmmscope::app
