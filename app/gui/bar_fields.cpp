#include "app/gui/bar_fields.h"

#include <QHBoxLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QLineEdit>
#include <QMenu>
#include <QPainter>
#include <algorithm>

#include "app/gui/fonts.h"
#include "app/gui/icons.h"
#include "app/gui/text_format.h"

namespace hmmscope::app {
namespace {

constexpr int field_height = 32;

double zoom_of(const QWidget& widget) {
  return widget.font().pixelSize() > 0 ? widget.font().pixelSize() / 14.0 : 1;
}

int scaled_height(const QWidget& widget) {
  return std::max(field_height, qRound(field_height * zoom_of(widget)));
}

void paint_field(QPainter& painter, const QAbstractButton& widget, QPalette::ColorRole face) {
  painter.setRenderHint(QPainter::Antialiasing);
  const QPalette& palette = widget.palette();
  const bool lit = widget.hasFocus();
  painter.setPen(QPen(lit ? palette.color(QPalette::Link) : palette.color(QPalette::Dark), 1));
  painter.setBrush(widget.underMouse() ? palette.color(QPalette::Light) : palette.color(face));
  painter.drawRoundedRect(QRectF(widget.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6);
}

}  // namespace

StepField::StepField(QWidget* parent)
    : QFrame(parent),
      label_(new QLabel(tr("step"), this)),
      total_(new QLabel(this)),
      number_(new QLineEdit(this)) {
  setProperty("look", "field");
  label_->setProperty("tone", "muted");
  total_->setProperty("tone", "muted");
  number_->setProperty("look", "plain");
  number_->setAlignment(Qt::AlignRight);
  number_->setFrame(false);
  number_->setAccessibleName(tr("Step number"));
  number_->setToolTip(tr("Type a step number and press Enter"));
  number_->installEventFilter(this);
  auto* row = new QHBoxLayout(this);
  row->setContentsMargins(10, 0, 10, 0);
  row->setSpacing(6);
  row->addWidget(label_);
  row->addWidget(number_);
  row->addWidget(total_);
  connect(number_, &QLineEdit::returnPressed, this, &StepField::accept);
  set_zoom(1);
}

void StepField::set_zoom(double zoom) {
  for (QWidget* part :
       {static_cast<QWidget*>(label_), static_cast<QWidget*>(total_), static_cast<QWidget*>(number_)}) {
    part->setFont(mono_font(zoom));
  }
  setFixedHeight(std::max(field_height, qRound(field_height * zoom)));
  fit();
}

void StepField::fit() {
  const int width =
      QFontMetrics(number_->font()).horizontalAdvance(grouped(std::max<StepIndex>(steps_, 999)));
  number_->setFixedWidth(width + 6);
}

void StepField::show_position(StepIndex position, StepIndex steps) {
  const bool fresh = steps != steps_;
  position_ = position;
  steps_ = steps;
  if (fresh || total_->text().isEmpty()) {
    total_->setText(QStringLiteral("/ ") + grouped(steps));
    fit();
  }
  number_->setText(grouped(position));
}

void StepField::edit() {
  number_->setFocus(Qt::ShortcutFocusReason);
  number_->selectAll();
}

void StepField::accept() {
  const auto wanted = parse_grouped(number_->text());
  if (!wanted || *wanted > steps_) {
    Q_EMIT rejected(tr("Steps of this recording are 0 to %1").arg(grouped(steps_)));
    show_position(position_, steps_);
    number_->selectAll();
    return;
  }
  number_->clearFocus();
  Q_EMIT asked(static_cast<StepIndex>(*wanted));
}

bool StepField::eventFilter(QObject* watched, QEvent* event) {
  if (event->type() == QEvent::FocusOut) show_position(position_, steps_);
  const bool key = event->type() == QEvent::KeyPress || event->type() == QEvent::ShortcutOverride;
  if (key && static_cast<QKeyEvent*>(event)->key() == Qt::Key_Escape) {
    // Here it gives up the number, not the work that is under way.
    event->accept();
    if (event->type() == QEvent::KeyPress) number_->clearFocus();
    return true;
  }
  return QFrame::eventFilter(watched, event);
}

ChoiceButton::ChoiceButton(const QString& label, QWidget* parent) : QAbstractButton(parent), label_(label) {
  setFocusPolicy(Qt::TabFocus);
  setAttribute(Qt::WA_Hover);
  setSizePolicy(QSizePolicy::Maximum, QSizePolicy::Fixed);
  setAccessibleName(label);
  connect(this, &QAbstractButton::clicked, this, &ChoiceButton::open);
}

void ChoiceButton::set_value(const QString& value, const QString& brief) {
  if (value == value_ && brief == brief_) return;
  value_ = value;
  brief_ = brief;
  setAccessibleDescription(value);
  setToolTip(label_ + QStringLiteral(": ") + value);
  updateGeometry();
  update();
}

void ChoiceButton::set_menu(QMenu* menu) { menu_ = menu; }

void ChoiceButton::open() {
  if (menu_ != nullptr) menu_->popup(mapToGlobal(QPoint(0, height() + 4)));
}

QSize ChoiceButton::sizeHint() const {
  const double zoom = zoom_of(*this);
  const QFontMetrics mono(mono_font(zoom));
  const int label = QFontMetrics(resized(font(), zoom, 13)).horizontalAdvance(label_) + qRound(58 * zoom);
  const int most = qRound(430 * zoom), whole = label + mono.horizontalAdvance(value_);
  if (whole <= most) return {whole, scaled_height(*this)};
  // Too long for the bar: as wide as what is shown instead.
  const int brief = label + mono.horizontalAdvance(brief_.isEmpty() ? value_ : brief_);
  return {std::min(brief, most), scaled_height(*this)};
}

QSize ChoiceButton::minimumSizeHint() const {
  return {std::min(sizeHint().width(), qRound(128 * zoom_of(*this))), scaled_height(*this)};
}

void ChoiceButton::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  paint_field(painter, *this, QPalette::Button);
  const double zoom = zoom_of(*this);
  const QRect inside = rect().adjusted(12, 0, -10, 0);
  const QFont text = resized(font(), zoom, 13);
  painter.setFont(text);
  painter.setPen(palette().color(QPalette::PlaceholderText));
  int label_width = QFontMetrics(text).horizontalAdvance(label_) + 12;
  const int icon = qRound(16 * zoom);
  const QFont mono = mono_font(zoom);
  // In a narrow bar the value says more than the label.
  if (!brief_.isEmpty() &&
      QFontMetrics(mono).horizontalAdvance(brief_) > inside.width() - label_width - icon - 4) {
    label_width = 0;
  } else {
    painter.drawText(inside, Qt::AlignVCenter | Qt::AlignLeft, label_);
  }
  painter.setFont(mono);
  painter.setPen(palette().color(QPalette::WindowText));
  const QRect value = inside.adjusted(label_width, 0, -icon - 4, 0);
  const bool whole = brief_.isEmpty() || QFontMetrics(mono).horizontalAdvance(value_) <= value.width();
  painter.drawText(value, Qt::AlignVCenter | Qt::AlignLeft,
                   QFontMetrics(mono).elidedText(whole ? value_ : brief_, Qt::ElideRight, value.width()));
  paint_icon(painter, Icon::chevron, QRectF(inside.right() - icon + 1, (height() - icon) / 2.0, icon, icon),
             palette().color(QPalette::PlaceholderText));
}

void ChoiceButton::keyPressEvent(QKeyEvent* event) {
  if (event->key() == Qt::Key_Down || event->key() == Qt::Key_Return || event->key() == Qt::Key_Enter) {
    open();
    return;
  }
  QAbstractButton::keyPressEvent(event);
}

SearchButton::SearchButton(QWidget* parent) : QAbstractButton(parent) {
  setFocusPolicy(Qt::TabFocus);
  setAttribute(Qt::WA_Hover);
  setCursor(Qt::IBeamCursor);
  setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Fixed);
  setText(tr("step, address, pfn, flag, function…"));
  setAccessibleName(tr("Search"));
}

void SearchButton::set_key(const QString& key) {
  key_ = key;
  update();
}

QSize SearchButton::sizeHint() const { return {qRound(340 * zoom_of(*this)), scaled_height(*this)}; }
QSize SearchButton::minimumSizeHint() const { return {qRound(132 * zoom_of(*this)), scaled_height(*this)}; }

void SearchButton::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  paint_field(painter, *this, QPalette::Base);
  const double zoom = zoom_of(*this);
  const int icon = qRound(15 * zoom);
  const QColor quiet = palette().color(QPalette::PlaceholderText);
  paint_icon(painter, Icon::search, QRectF(11, (height() - icon) / 2.0, icon, icon), quiet);
  const QFont mono = mono_font(zoom, 11), words = resized(font(), zoom, 13);
  const int key_width = key_.isEmpty() ? 0 : QFontMetrics(mono).horizontalAdvance(key_) + 12;
  const QRect inside = rect().adjusted(11 + icon + 7, 0, -12 - key_width, 0);
  painter.setFont(words);
  painter.setPen(quiet);
  // Half a list of what can be searched says less than the one word.
  const bool whole = QFontMetrics(words).horizontalAdvance(text()) <= inside.width();
  painter.drawText(inside, Qt::AlignVCenter | Qt::AlignLeft, whole ? text() : tr("Search"));
  painter.setFont(mono);
  painter.drawText(rect().adjusted(0, 0, -12, 0), Qt::AlignVCenter | Qt::AlignRight, key_);
}

}  // namespace hmmscope::app
