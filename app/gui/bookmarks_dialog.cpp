#include "app/gui/bookmarks_dialog.h"

#include <QDialogButtonBox>
#include <QHeaderView>
#include <QLabel>
#include <QPushButton>
#include <QTreeWidget>
#include <QVBoxLayout>
#include <bit>

#include "app/gui/text_format.h"
#include "ui/words.h"

namespace hmmscope::app {

BookmarksDialog::BookmarksDialog(Session& session, QWidget* parent)
    : QDialog(parent),
      session_(session),
      tree_(new QTreeWidget(this)),
      empty_(new QLabel(tr("No bookmarks and no breakpoints yet.\nCtrl+B marks the step you are at; F9 stops runs where "
                           "the selected word or bit changes."),
                        this)) {
  setWindowTitle(tr("Bookmarks and breakpoints"));
  resize(640, 400);
  tree_->setAccessibleName(windowTitle());
  tree_->setHeaderLabels({tr("Step"), tr("What happens there"), tr("Note (double click to write)")});
  tree_->setRootIsDecorated(false);
  tree_->header()->setStretchLastSection(true);
  auto* buttons = new QDialogButtonBox(QDialogButtonBox::Close, this);
  go_ = buttons->addButton(tr("Go there"), QDialogButtonBox::ActionRole);
  remove_ = buttons->addButton(tr("Remove"), QDialogButtonBox::ActionRole);
  empty_->setWordWrap(true);
  empty_->setAlignment(Qt::AlignCenter);
  empty_->setProperty("tone", "muted");
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(16, 16, 16, 16);
  column->addWidget(tree_, 1);
  column->addWidget(empty_, 1);
  column->addWidget(buttons);
  const auto position = [this]() -> std::optional<StepIndex> {
    const QTreeWidgetItem* item = tree_->currentItem();
    if (item == nullptr || !item->data(0, Qt::UserRole).isValid()) return std::nullopt;
    return item->data(0, Qt::UserRole).toUInt();
  };
  const auto breakpoint = [this](QTreeWidgetItem* item) -> std::optional<Breakpoint> {
    if (item == nullptr || item->data(0, Qt::UserRole).isValid()) return std::nullopt;
    const auto index = static_cast<size_t>(tree_->indexOfTopLevelItem(item)) - session_.bookmarks().size();
    return index < session_.breakpoints().size() ? std::optional(session_.breakpoints()[index]) : std::nullopt;
  };
  connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
  // A breakpoint has no place of its own: going there shows the word, where it changes next is F8's business.
  const auto visit = [this, position, breakpoint] {
    if (const auto place = position()) {
      session_.seek(*place);
    } else if (const auto point = breakpoint(tree_->currentItem())) {
      session_.select(point->word, std::has_single_bit(point->mask) ? std::countr_zero(point->mask) : -1);
    }
  };
  connect(go_, &QPushButton::clicked, this, visit);
  connect(remove_, &QPushButton::clicked, this, [this, position, breakpoint] {
    if (const auto place = position()) {
      session_.toggle_bookmark(*place);
    } else if (const auto point = breakpoint(tree_->currentItem())) {
      session_.toggle_breakpoint(point->word, point->mask);
    }
  });
  connect(tree_, &QTreeWidget::itemDoubleClicked, this, [this, visit](QTreeWidgetItem* item, int column_clicked) {
    if (column_clicked == 2 && item->flags().testFlag(Qt::ItemIsEditable)) {
      tree_->editItem(item, 2);
    } else {
      visit();
    }
  });
  connect(tree_, &QTreeWidget::itemChanged, this, [this](QTreeWidgetItem* item) {
    if (!filling_) session_.note_bookmark(item->data(0, Qt::UserRole).toUInt(), item->text(2));
  });
  connect(&session_, &Session::bookmarks_changed, this, &BookmarksDialog::fill, Qt::QueuedConnection);
  connect(&session_, &Session::breakpoints_changed, this, &BookmarksDialog::fill, Qt::QueuedConnection);
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
  for (const Breakpoint& point : session_.breakpoints()) {
    const QString what = QString::fromStdString(ui::breakpoint_text(*session_.recording(), point));
    new QTreeWidgetItem(tree_, {tr("break"), tr("when %1 changes").arg(what)});
  }
  tree_->resizeColumnToContents(1);
  filling_ = false;
  const bool any = tree_->topLevelItemCount() > 0;
  empty_->setVisible(!any);
  tree_->setVisible(any);
  if (any && tree_->currentItem() == nullptr) tree_->setCurrentItem(tree_->topLevelItem(0));
  go_->setEnabled(any);
  remove_->setEnabled(any);
}

}  // namespace hmmscope::app
