#include "app/gui/command_palette.h"

#include <QApplication>
#include <QKeyEvent>
#include <QLineEdit>
#include <QPainter>
#include <QPointer>
#include <QStyledItemDelegate>
#include <QVBoxLayout>

#include "app/gui/fonts.h"

namespace hmmscope::app {
namespace {

constexpr int detail_role = Qt::UserRole, action_role = Qt::UserRole + 1, hit_role = Qt::UserRole + 2,
              key_role = Qt::UserRole + 3;

/// Title at the left, quiet detail behind it, keys at the right.
class RowDelegate : public QStyledItemDelegate {
 public:
  using QStyledItemDelegate::QStyledItemDelegate;
  QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex&) const override {
    return {100, option.fontMetrics.height() + 14};
  }
  void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override {
    painter->save();
    painter->setRenderHint(QPainter::Antialiasing);
    const QPalette& palette = option.palette;
    if (option.state.testFlag(QStyle::State_Selected)) {
      painter->setPen(Qt::NoPen);
      painter->setBrush(palette.color(QPalette::Highlight));
      painter->drawRoundedRect(option.rect.adjusted(2, 1, -2, -1), 6, 6);
    }
    QRect inside = option.rect.adjusted(12, 0, -12, 0);
    const double zoom = option.font.pixelSize() > 0 ? option.font.pixelSize() / 14.0 : 1;
    const QString keys = index.data(key_role).toString();
    painter->setFont(mono_font(zoom, 11));
    painter->setPen(palette.color(QPalette::PlaceholderText));
    painter->drawText(inside, Qt::AlignVCenter | Qt::AlignRight, keys);
    inside.setRight(inside.right() - painter->fontMetrics().horizontalAdvance(keys) -
                    (keys.isEmpty() ? 0 : 16));
    painter->setFont(option.font);
    painter->setPen(palette.color(QPalette::WindowText));
    const QString title =
        painter->fontMetrics().elidedText(index.data().toString(), Qt::ElideRight, inside.width());
    painter->drawText(inside, Qt::AlignVCenter | Qt::AlignLeft, title);
    inside.setLeft(inside.left() + painter->fontMetrics().horizontalAdvance(title) + 12);
    painter->setFont(resized(option.font, zoom, 12));
    painter->setPen(palette.color(QPalette::PlaceholderText));
    painter->drawText(inside, Qt::AlignVCenter | Qt::AlignLeft,
                      painter->fontMetrics().elidedText(index.data(detail_role).toString(), Qt::ElideRight,
                                                        std::max(0, inside.width())));
    painter->restore();
  }
};

/// Every word of the query occurs.
bool fits(const QString& text, const QStringList& words) {
  return std::all_of(words.begin(), words.end(),
                     [&](const QString& word) { return text.contains(word, Qt::CaseInsensitive); });
}

}  // namespace

CommandPalette::CommandPalette(Session& session, ActionRegistry& actions, QWidget* parent)
    : QFrame(parent),
      session_(session),
      actions_(actions),
      field_(new QLineEdit(this)),
      list_(new QListWidget(this)) {
  setProperty("look", "popup");
  field_->setPlaceholderText(tr("step, address, pfn, flag, function, or what to do"));
  field_->setAccessibleName(tr("Find or run anything"));
  field_->installEventFilter(this);
  list_->setItemDelegate(new RowDelegate(list_));
  list_->setFocusPolicy(Qt::NoFocus);
  list_->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  list_->setAccessibleName(tr("Found"));
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(10, 10, 10, 10);
  column->addWidget(field_);
  column->addWidget(list_, 1);
  connect(field_, &QLineEdit::textChanged, this, &CommandPalette::fill);
  connect(field_, &QLineEdit::returnPressed, this, &CommandPalette::run_current);
  connect(list_, &QListWidget::itemClicked, this, &CommandPalette::run_current);
  hide();
}

void CommandPalette::open(const QWidget* anchor, const QString& text) {
  focus_before_ = QApplication::focusWidget();
  const QRect room = parentWidget()->rect();
  const QPoint corner = anchor->mapTo(parentWidget(), anchor->rect().topRight());
  const int width = std::min(room.width() - 32, std::max(620, anchor->width()));
  const int height = std::min(room.height() - corner.y() - 24, 460);
  setGeometry(std::max(16, corner.x() - width + 1), corner.y(), width, std::max(height, 160));
  field_->setText(text);
  fill();
  show();
  raise();
  field_->setFocus(Qt::PopupFocusReason);
  field_->selectAll();
}

void CommandPalette::set_text(const QString& text) { field_->setText(text); }
int CommandPalette::count() const { return list_->count(); }
QString CommandPalette::title_at(int row) const { return list_->item(row)->text(); }

void CommandPalette::fill() {
  list_->clear();
  const QString text = field_->text().trimmed();
  hits_ = search(session_, text);
  for (size_t i = 0; i < hits_.size(); ++i) {
    auto* item = new QListWidgetItem(hits_[i].title, list_);
    item->setData(detail_role, hits_[i].detail);
    item->setData(key_role, hits_[i].group);
    item->setData(hit_role, static_cast<int>(i));
  }
  actions_.refresh();
  const QStringList words = text.split(QLatin1Char(' '), Qt::SkipEmptyParts);
  for (const QAction* action : actions_.actions()) {
    const QString title = ActionRegistry::plain_text(action);
    const QString hint = QString::fromUtf8(ActionRegistry::row(action).hint);
    if (!action->isEnabled() || !fits(title + QLatin1Char(' ') + hint, words)) continue;
    auto* item = new QListWidgetItem(title, list_);
    item->setData(detail_role, hint);
    item->setData(action_role, ActionRegistry::id(action));
    item->setData(key_role, action->shortcut().toString(QKeySequence::NativeText));
  }
  list_->setCurrentRow(0);
}

void CommandPalette::run_current() {
  const QListWidgetItem* item = list_->currentItem();
  if (item == nullptr) return;
  const QVariant hit = item->data(hit_role);
  const QString id = item->data(action_role).toString();
  close_palette();
  if (hit.isValid()) {
    session_.apply(hits_[static_cast<size_t>(hit.toInt())].intents);
  } else if (QAction* action = actions_.action(id)) {
    action->trigger();
  }
}

void CommandPalette::close_palette() {
  hide();
  if (focus_before_ != nullptr && parentWidget()->isAncestorOf(focus_before_)) focus_before_->setFocus();
  focus_before_ = nullptr;
}

bool CommandPalette::eventFilter(QObject* watched, QEvent* event) {
  if (event->type() == QEvent::FocusOut && isVisible() &&
      static_cast<QFocusEvent*>(event)->reason() != Qt::ActiveWindowFocusReason) {
    focus_before_ = nullptr;
    hide();
  }
  if (event->type() == QEvent::ShortcutOverride && static_cast<QKeyEvent*>(event)->key() == Qt::Key_Escape) {
    event->accept();  // it closes the palette; the work under way goes on
    return true;
  }
  if (event->type() == QEvent::KeyPress) {
    const auto& key = *static_cast<QKeyEvent*>(event);
    const int page = std::max(1, list_->height() / std::max(1, list_->sizeHintForRow(0)) - 1);
    const auto move = [&](int rows) {
      list_->setCurrentRow(std::clamp(list_->currentRow() + rows, 0, std::max(0, list_->count() - 1)));
      return true;
    };
    switch (key.key()) {
      case Qt::Key_Down:
        return move(1);
      case Qt::Key_Up:
        return move(-1);
      case Qt::Key_PageDown:
        return move(page);
      case Qt::Key_PageUp:
        return move(-page);
      case Qt::Key_Escape:
        close_palette();
        return true;
      default:
        break;
    }
  }
  return QFrame::eventFilter(watched, event);
}

}  // namespace hmmscope::app
