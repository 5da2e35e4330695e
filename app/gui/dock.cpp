#include "app/gui/dock.h"

#include <QApplication>
#include <QPainter>
#include <QPainterPath>
#include <QVBoxLayout>

#include "app/gui/fonts.h"

namespace hmmscope::app {
namespace {

constexpr double radius = 8;
constexpr int title_margin = 14;

/// The outline of a card, of which a title or a body is the upper or lower part. The part that is cut off
/// lies outside of `rect`.
QPainterPath card(const QRectF& rect, bool upper) {
  QRectF whole = rect.adjusted(0.5, 0.5, -0.5, -0.5);
  if (upper) {
    whole.setBottom(rect.bottom() + 2 * radius);
  } else {
    whole.setTop(rect.top() - 2 * radius);
  }
  QPainterPath path;
  path.addRoundedRect(whole, radius, radius);
  return path;
}

void paint_card(QPainter& painter, const QWidget& widget, bool upper) {
  painter.setRenderHint(QPainter::Antialiasing);
  painter.setPen(QPen(widget.palette().color(QPalette::Mid), 1));
  painter.setBrush(widget.palette().color(QPalette::Window));
  painter.drawPath(card(widget.rect(), upper));
}

class DockBody : public QWidget {
 public:
  using QWidget::QWidget;

 protected:
  void paintEvent(QPaintEvent*) override {
    QPainter painter(this);
    paint_card(painter, *this, false);
  }
};

}  // namespace

class DockTitle : public QWidget {
 public:
  explicit DockTitle(Dock* dock) : QWidget(dock) {
    setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Fixed);
    connect(qApp, &QApplication::focusChanged, this, [this, dock](QWidget*, QWidget* now) {
      const bool within = now != nullptr && dock->isAncestorOf(now);
      if (within == active_) return;
      active_ = within;
      update();
    });
  }
  QSize sizeHint() const override { return {80, fontMetrics().height() + 16}; }
  QSize minimumSizeHint() const override { return {40, sizeHint().height()}; }

  QString title, subtitle;

 protected:
  void paintEvent(QPaintEvent*) override {
    QPainter painter(this);
    paint_card(painter, *this, true);
    painter.setPen(palette().color(QPalette::Mid));
    painter.drawLine(QPointF(1, height() - 0.5), QPointF(width() - 1, height() - 0.5));
    const double zoom = font().pixelSize() > 0 ? font().pixelSize() / 14.0 : 1;
    const QFont bold = title_font(zoom);
    painter.setFont(bold);
    painter.setPen(palette().color(active_ ? QPalette::WindowText : QPalette::PlaceholderText));
    const QRect inside = rect().adjusted(title_margin, 0, -title_margin, 0);
    const int title_width = QFontMetrics(bold).horizontalAdvance(title);
    painter.drawText(inside, Qt::AlignVCenter | Qt::AlignLeft,
                     QFontMetrics(bold).elidedText(title, Qt::ElideRight, inside.width()));
    const QFont mono = mono_font(zoom, 12);
    const int room = inside.width() - title_width - 24;
    if (subtitle.isEmpty() || room < 40) return;
    painter.setFont(mono);
    painter.setPen(palette().color(QPalette::PlaceholderText));
    painter.drawText(inside, Qt::AlignVCenter | Qt::AlignRight,
                     QFontMetrics(mono).elidedText(subtitle, Qt::ElideLeft, room));
  }
  void changeEvent(QEvent* event) override {
    if (event->type() == QEvent::FontChange) updateGeometry();
    QWidget::changeEvent(event);
  }

 private:
  bool active_ = false;
};

Dock::Dock(const QString& id, const QString& title, QWidget* parent)
    : QDockWidget(parent), title_(new DockTitle(this)), body_(new DockBody(this)) {
  setObjectName(QStringLiteral("dock.") + id);
  setAllowedAreas(Qt::AllDockWidgetAreas);
  setTitleBarWidget(title_);
  auto* layout = new QVBoxLayout(body_);
  layout->setContentsMargins(2, 0, 2, 6);
  layout->setSpacing(0);
  setWidget(body_);
  set_title(title);
}

void Dock::set_content(QWidget* content) {
  content_ = content;
  body_->layout()->addWidget(content);
  setFocusProxy(content);
}

void Dock::set_title(const QString& title) {
  setWindowTitle(title);
  if (title_->title == title.toUpper()) return;
  title_->title = title.toUpper();
  title_->update();
}

void Dock::set_subtitle(const QString& subtitle) {
  if (title_->subtitle == subtitle) return;
  title_->subtitle = subtitle;
  title_->setAccessibleName(windowTitle() + QStringLiteral(": ") + subtitle);
  title_->update();
}

void Dock::go_to() {
  show();
  raise();
  if (content_ != nullptr) content_->setFocus(Qt::ShortcutFocusReason);
}

}  // namespace hmmscope::app
