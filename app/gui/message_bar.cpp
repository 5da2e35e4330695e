#include "app/gui/message_bar.h"

#include <QEvent>
#include <QHBoxLayout>
#include <QProgressBar>
#include <QPushButton>
#include <QVBoxLayout>
#include <algorithm>

#include "app/gui/text_format.h"
#include "app/gui/trial_progress.h"

namespace hmmscope::app {

MessageBar::MessageBar(QWidget* parent) : QFrame(parent), what_(new QLabel(this)), advice_(new QLabel(this)) {
  setProperty("look", "bad");
  what_->setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard);
  what_->setWordWrap(true);
  what_->setTextFormat(Qt::PlainText);
  what_->setProperty("tone", "bad");
  advice_->setWordWrap(true);
  advice_->setTextFormat(Qt::PlainText);
  open_ = new QPushButton(tr("Open another file…"), this);
  auto* dismiss = new QPushButton(tr("Dismiss"), this);
  auto* text = new QVBoxLayout;
  text->setSpacing(2);
  text->addWidget(what_);
  text->addWidget(advice_);
  auto* row = new QHBoxLayout(this);
  row->setContentsMargins(14, 10, 10, 10);
  row->addLayout(text, 1);
  row->addWidget(open_);
  row->addWidget(dismiss);
  connect(open_, &QPushButton::clicked, this, [this] {
    hide();
    Q_EMIT open_asked();
  });
  connect(dismiss, &QPushButton::clicked, this, &QWidget::hide);
  hide();
}

void MessageBar::show_error(const QString& what, const QString& advice, Offer offer) {
  open_->setVisible(offer == Offer::another_file);
  what_->setText(what);
  advice_->setText(advice);
  advice_->setVisible(!advice.isEmpty());
  setAccessibleName(what);
  show();
}

QString MessageBar::text() const { return what_->text(); }

ProgressBar::ProgressBar(QWidget* parent)
    : QFrame(parent), text_(new QLabel(this)), bar_(new QProgressBar(this)) {
  setProperty("look", "card");
  bar_->setTextVisible(false);
  auto* cancel = new QPushButton(tr("Cancel"), this);
  auto* column = new QVBoxLayout;
  column->addWidget(text_);
  column->addWidget(bar_);
  auto* row = new QHBoxLayout(this);
  row->setContentsMargins(14, 8, 10, 8);
  row->addLayout(column, 1);
  row->addWidget(cancel);
  connect(cancel, &QPushButton::clicked, this, &ProgressBar::cancelled);
  delay_.setSingleShot(true);
  delay_.setInterval(250);
  connect(&delay_, &QTimer::timeout, this, &QWidget::show);
  hide();
}

void ProgressBar::start(const QString& what) {
  what_ = what;
  text_->setText(what);
  bar_->setRange(0, 0);
  delay_.start();
}

namespace {

/// "34.1 of 812.0 MB" where the numbers are bytes, "40 %" of trials, else "1 200 of 34 000".
QString amount(const QString& stage, quint64 done, quint64 total) {
  if (TrialProgress::is_stage(stage.toStdString())) return QObject::tr("%1 %").arg(done * 100 / std::max<quint64>(1, total));
  if (!stage.startsWith(QLatin1String("reading")) && stage != QLatin1String("unpacking") &&
      !stage.contains(QLatin1String("bytes")))
    return total == 0 ? grouped(done) : QObject::tr("%1 of %2").arg(grouped(done), grouped(total));
  const auto mega = [](quint64 bytes) { return QString::number(static_cast<double>(bytes) / 1e6, 'f', 1); };
  return total == 0 ? QObject::tr("%1 MB").arg(mega(done)) : QObject::tr("%1 of %2 MB").arg(mega(done), mega(total));
}

}  // namespace

void ProgressBar::progress(const QString& stage, quint64 done, quint64 total) {
  text_->setText(stage.isEmpty()             ? what_
                 : done == 0 && total == 0 ? QStringLiteral("%1: %2").arg(what_, stage)
                                           : QStringLiteral("%1: %2, %3").arg(what_, stage, amount(stage, done, total)));
  bar_->setRange(0, total == 0 ? 0 : 1000);
  if (total != 0)
    bar_->setValue(static_cast<int>(static_cast<double>(done) / static_cast<double>(total) * 1000));
}

void ProgressBar::stop() {
  delay_.stop();
  hide();
}

NoteStack::NoteStack(QWidget* parent, QWidget* header) : QWidget(parent), header_(header) {
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(8);
  parent->installEventFilter(this);
  header->installEventFilter(this);
  place();
}

void NoteStack::add(QWidget* note) {
  note->setAutoFillBackground(true);
  layout()->addWidget(note);
}

bool NoteStack::event(QEvent* event) {
  const bool done = QWidget::event(event);
  if (event->type() == QEvent::LayoutRequest) place();
  return done;
}

bool NoteStack::eventFilter(QObject* watched, QEvent* event) {
  if (event->type() == QEvent::Resize) place();
  return QWidget::eventFilter(watched, event);
}

void NoteStack::place() {
  constexpr int widest = 1040, margin = 8;
  const int room = parentWidget()->width() - 2 * margin;
  const int width = std::min(room, widest);
  const int height = layout()->hasHeightForWidth() ? layout()->totalHeightForWidth(width)
                                                   : layout()->totalSizeHint().height();
  const QPoint under = header_->mapTo(parentWidget(), QPoint(0, header_->height()));
  setGeometry((parentWidget()->width() - width) / 2, under.y() + margin, width, std::max(0, height));
  raise();
}

Toast::Toast(QWidget* parent) : QLabel(parent) {
  setObjectName(QStringLiteral("toast"));
  setTextFormat(Qt::PlainText);
  setAttribute(Qt::WA_TransparentForMouseEvents);
  setFrameStyle(QFrame::StyledPanel);
  setProperty("look", "toast");
  setContentsMargins(14, 8, 14, 8);
  hide_.setSingleShot(true);
  hide_.setInterval(4000);
  connect(&hide_, &QTimer::timeout, this, &QWidget::hide);
  parent->installEventFilter(this);
  hide();
}

void Toast::say(const QString& text) {
  setText(text);
  adjustSize();
  place();
  show();
  raise();
  hide_.start();
}

void Toast::place() {
  const QSize room = parentWidget()->size();
  move((room.width() - width()) / 2, room.height() - height() - 24);
}

bool Toast::eventFilter(QObject* watched, QEvent* event) {
  if (event->type() == QEvent::Resize && isVisible()) place();
  return QLabel::eventFilter(watched, event);
}

}  // namespace hmmscope::app
