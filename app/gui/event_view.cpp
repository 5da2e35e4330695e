#include "app/gui/event_view.h"

#include <QHBoxLayout>
#include <QHeaderView>
#include <QKeyEvent>
#include <QLabel>
#include <QLineEdit>
#include <QStyledItemDelegate>
#include <QTableView>
#include <QTimer>
#include <QVBoxLayout>

#include "app/gui/event_model.h"
#include "app/gui/fonts.h"
#include "app/gui/icons.h"
#include "app/gui/text_format.h"
#include "app/gui/theme.h"

namespace hmmscope::app {
namespace {

/// Processes of one program differ in the end of "name-pid": what does not fit is left out of the middle.
class MiddleElided : public QStyledItemDelegate {
 public:
  using QStyledItemDelegate::QStyledItemDelegate;

 protected:
  void initStyleOption(QStyleOptionViewItem* option, const QModelIndex& index) const override {
    QStyledItemDelegate::initStyleOption(option, index);
    option->textElideMode = Qt::ElideMiddle;
  }
};

}  // namespace

EventView::EventView(Session& session, QWidget* parent)
    : QWidget(parent),
      session_(session),
      filter_(new QLineEdit(this)),
      count_(new QLabel(this)),
      table_(new QTableView(this)),
      model_(new EventModel(this)) {
  filter_->setPlaceholderText(tr("Filter: rule, function, task, event or 0xoperand"));
  filter_->setClearButtonEnabled(true);
  filter_->setAccessibleName(tr("Filter of the event table"));
  count_->setProperty("tone", "muted");
  table_->setModel(model_);
  table_->setAccessibleName(tr("Steps and events"));
  table_->setShowGrid(false);
  table_->setWordWrap(false);
  table_->setSelectionBehavior(QAbstractItemView::SelectRows);
  table_->setSelectionMode(QAbstractItemView::SingleSelection);
  table_->setEditTriggers(QAbstractItemView::NoEditTriggers);
  table_->setTabKeyNavigation(false);
  table_->setItemDelegateForColumn(EventModel::task, new MiddleElided(this));
  table_->verticalHeader()->hide();
  table_->verticalHeader()->setSectionResizeMode(QHeaderView::Fixed);
  table_->horizontalHeader()->setStretchLastSection(true);
  table_->horizontalHeader()->setHighlightSections(false);
  table_->installEventFilter(this);
  auto* line = new QHBoxLayout;
  line->setContentsMargins(12, 8, 12, 6);
  line->setSpacing(12);
  line->addWidget(filter_, 1);
  line->addWidget(count_);
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  column->addLayout(line);
  column->addWidget(table_, 1);
  setFocusProxy(table_);
  connect(filter_, &QLineEdit::textChanged, model_, &EventModel::set_filter);
  connect(model_, &EventModel::filter_progressed, this, &EventView::show_count);
  connect(model_, &EventModel::filter_progressed, this, &EventView::follow);
  connect(table_, &QTableView::doubleClicked, this,
          [this](const QModelIndex& index) { go_to_row(index.row()); });
  connect(&session_, &Session::position_changed, this, &EventView::follow);
  connect(&session_, &Session::document_changed, this, &EventView::refill);
  connect(&session_, &Session::document_changed, this, &EventView::show_marks);
  connect(&session_, &Session::breakpoints_changed, this, &EventView::show_marks);
  connect(&session_, &Session::bookmarks_changed, this, &EventView::show_marks);
  connect(&session_, &Session::reading_changed, this, &EventView::show_look);
  set_zoom(1);
  show_look();
}

void EventView::set_zoom(double zoom) {
  const QFont mono = mono_font(zoom, 12);
  table_->setFont(mono);
  const QFontMetrics metrics(mono);
  table_->verticalHeader()->setDefaultSectionSize(metrics.height() + 6);
  const int widths[] = {12, 16, 6, 20, 28, 30, 40};
  for (int i = 0; i < EventModel::column_count; ++i)
    table_->setColumnWidth(i, metrics.averageCharWidth() * widths[i]);
}

void EventView::show_marks() { model_->set_marks(session_.bookmarks(), session_.breakpoints()); }

void EventView::show_look() {
  const Colours& c = colours(session_.theme());
  model_->set_icons(make_icon(Icon::bookmark, c.accent, c.dim), make_icon(Icon::stop, c.text, c.dim));
}

void EventView::showEvent(QShowEvent* event) {
  QWidget::showEvent(event);
  refill();
  // Once the table has its height: until then nothing can be scrolled into view.
  QTimer::singleShot(0, table_, [this] {
    table_->scrollTo(table_->currentIndex(), QAbstractItemView::PositionAtCenter);
  });
}

void EventView::refill() {
  // A view of ten million rows takes a quarter of a second to set up: not before somebody looks at it.
  const auto recording = session_.document() == nullptr ? nullptr : session_.document()->recording;
  if (recording != model_->recording()) {
    model_->set_recording(isVisible() ? recording : nullptr);
    if (isVisible() && !filter_->text().isEmpty()) model_->set_filter(filter_->text());
  }
  show_count();
  follow();
}

void EventView::follow() {
  if (!isVisible() || model_->recording() == nullptr || session_.position() == 0) {
    if (session_.position() == 0) table_->clearSelection();
    return;
  }
  const int row = model_->row_of(session_.position() - 1);
  if (row < 0 || (table_->currentIndex().row() == row && !table_->selectionModel()->selection().isEmpty()))
    return;
  table_->setCurrentIndex(model_->index(row, 0));
}

void EventView::go_to_row(int row) {
  if (row >= 0) session_.seek(model_->step_at(row) + 1);
}

void EventView::show_count() {
  const auto rows = static_cast<uint64_t>(model_->rowCount());
  const QString all = grouped(session_.steps());
  QString text =
      filter_->text().isEmpty() ? tr("%1 steps").arg(all) : tr("%1 of %2 steps").arg(grouped(rows), all);
  if (model_->filtering()) text += QStringLiteral("…");
  count_->setText(text);
}

bool EventView::eventFilter(QObject* watched, QEvent* event) {
  if (event->type() == QEvent::KeyPress) {
    const int key = static_cast<QKeyEvent*>(event)->key();
    if (key == Qt::Key_Return || key == Qt::Key_Enter) {
      go_to_row(table_->currentIndex().row());
      return true;
    }
  }
  return QWidget::eventFilter(watched, event);
}

}  // namespace hmmscope::app
