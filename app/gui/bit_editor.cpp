#include "app/gui/bit_editor.h"

#include <QHelpEvent>
#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QToolTip>
#include <algorithm>

#include "app/gui/fonts.h"
#include "ui/theme/theme.h"

namespace hmmscope::app {
namespace {

constexpr int bit_columns = 16, bit_rows = 4;
constexpr double gap = 2, row_height = 24, label_width = 20;

QColor colour(ui::Color c) {
  return QColor(static_cast<int>(c & 0xff), static_cast<int>((c >> 8) & 0xff),
                static_cast<int>((c >> 16) & 0xff));
}

}  // namespace

BitEditor::BitEditor(QWidget* parent) : QWidget(parent) {
  setFocusPolicy(Qt::StrongFocus);
  setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
  setAccessibleName(tr("Bits of the word"));
}

void BitEditor::set_layout(const Layout* layout, ui::ThemeKind theme) {
  layout_ = layout;
  theme_ = theme;
  update();
}

void BitEditor::set_word(uint64_t word) {
  if (word == word_) return;
  word_ = word;
  update();
}

QSize BitEditor::sizeHint() const { return {300, static_cast<int>(bit_rows * row_height)}; }
QSize BitEditor::minimumSizeHint() const { return {200, sizeHint().height()}; }

QRectF BitEditor::cell(int bit) const {
  const int place = 63 - bit;
  const double width = (this->width() - label_width) / bit_columns;
  return QRectF(label_width + (place % bit_columns) * width, (place / bit_columns) * row_height, width, row_height)
      .adjusted(gap / 2, gap, -gap / 2, -gap);
}

int BitEditor::bit_at(const QPointF& point) const {
  for (int bit = 0; bit < 64; ++bit) {
    if (cell(bit).adjusted(-1, -gap, 1, gap).contains(point)) return bit;
  }
  return -1;
}

const Field* BitEditor::field_of(int bit) const {
  if (layout_ == nullptr) return nullptr;
  for (const Field& field : layout_->fields) {
    if ((field.mask() >> static_cast<unsigned>(bit)) & 1) return &field;
  }
  return nullptr;
}

void BitEditor::flip(int bit) {
  current_ = bit;
  word_ ^= uint64_t{1} << static_cast<unsigned>(bit);
  update();
  Q_EMIT word_changed(word_);
}

void BitEditor::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  painter.setRenderHint(QPainter::Antialiasing);
  const ui::Theme& theme = ui::theme(theme_);
  painter.setFont(mono_font(1, 11));
  for (int row = 0; row < bit_rows; ++row) {
    painter.setPen(colour(theme.text_faint));
    painter.drawText(QRectF(0, row * row_height, label_width - 4, row_height),
                     Qt::AlignRight | Qt::AlignVCenter, QString::number(63 - row * bit_columns));
  }
  for (int bit = 0; bit < 64; ++bit) {
    const bool set = (word_ >> static_cast<unsigned>(bit)) & 1;
    const Field* field = field_of(bit);
    const Role role = field == nullptr ? Role::none : field->role;
    const QColor own = colour(theme.field(role));
    painter.setPen(QPen(hasFocus() && bit == current_             ? colour(theme.accent)
                        : (field == nullptr || role == Role::pfn) ? colour(theme.border_strong)
                                                                  : own,
                        hasFocus() && bit == current_ ? 2 : 1));
    painter.setBrush(set ? own : colour(theme.sunken));
    painter.drawRoundedRect(cell(bit), 3, 3);
    painter.setPen(set ? colour(theme.on_field) : colour(theme.text_muted));
    painter.drawText(cell(bit), Qt::AlignCenter, set ? QStringLiteral("1") : QStringLiteral("0"));
  }
}

bool BitEditor::event(QEvent* event) {
  if (event->type() == QEvent::ShortcutOverride) {
    switch (static_cast<QKeyEvent*>(event)->key()) {
      case Qt::Key_Left:
      case Qt::Key_Right:
      case Qt::Key_Up:
      case Qt::Key_Down:
      case Qt::Key_Space:
        event->accept();
        return true;
      default:
        break;
    }
  }
  if (event->type() == QEvent::ToolTip) {
    const auto& help = *static_cast<QHelpEvent*>(event);
    const int bit = bit_at(help.pos());
    const Field* field = bit < 0 ? nullptr : field_of(bit);
    if (bit >= 0) {
      const QString name = field == nullptr ? tr("no field") : QString::fromUtf8(field->name);
      QToolTip::showText(help.globalPos(), tr("bit %1: %2").arg(bit).arg(name), this);
    }
    return true;
  }
  return QWidget::event(event);
}

void BitEditor::mousePressEvent(QMouseEvent* event) {
  const int bit = bit_at(event->position());
  if (bit >= 0) flip(bit);
}

void BitEditor::keyPressEvent(QKeyEvent* event) {
  const auto move = [this](int by) {
    current_ = std::clamp(current_ + by, 0, 63);
    update();
  };
  switch (event->key()) {
    case Qt::Key_Left:
      move(1);
      break;
    case Qt::Key_Right:
      move(-1);
      break;
    case Qt::Key_Up:
      move(bit_columns);
      break;
    case Qt::Key_Down:
      move(-bit_columns);
      break;
    case Qt::Key_Space:
      flip(current_);
      break;
    default:
      QWidget::keyPressEvent(event);
  }
}

}  // namespace hmmscope::app
