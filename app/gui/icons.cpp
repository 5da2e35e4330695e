#include "app/gui/icons.h"

#include <QIconEngine>
#include <QPainter>
#include <QPainterPath>

namespace hmmscope::app {
namespace {

// Icons are drawn in a box of 20 by 20.
constexpr double box = 20;

void triangle(QPainterPath& path, double x, double width, bool right) {
  const double tip = right ? x + width : x, flat = right ? x : x + width;
  path.moveTo(flat, 4.5);
  path.lineTo(tip, 10);
  path.lineTo(flat, 15.5);
  path.closeSubpath();
}

QPainterPath filled_part(Icon icon) {
  QPainterPath path;
  switch (icon) {
    case Icon::start:
      path.addRoundedRect(QRectF(4, 4.5, 2.2, 11), 0.6, 0.6);
      triangle(path, 7, 9, false);
      break;
    case Icon::end:
      path.addRoundedRect(QRectF(13.8, 4.5, 2.2, 11), 0.6, 0.6);
      triangle(path, 4, 9, true);
      break;
    case Icon::previous_call:
      triangle(path, 2, 8, false);
      triangle(path, 10, 8, false);
      break;
    case Icon::next_call:
      triangle(path, 2, 8, true);
      triangle(path, 10, 8, true);
      break;
    case Icon::back:
      triangle(path, 5, 9.5, false);
      break;
    case Icon::step:
      triangle(path, 5.5, 9.5, true);
      break;
    case Icon::run:
      triangle(path, 3.5, 8, true);
      path.addEllipse(QPointF(15, 10), 2.6, 2.6);
      break;
    case Icon::step_over:
      path.moveTo(12.2, 8.6);
      path.lineTo(17.6, 8.6);
      path.lineTo(15.6, 13.2);
      path.closeSubpath();
      path.addEllipse(QPointF(10, 14.6), 1.9, 1.9);
      break;
    case Icon::stop:
      path.addEllipse(QPointF(10, 10), 4.5, 4.5);
      break;
    case Icon::bookmark:
      path.moveTo(5.5, 3.5);
      path.lineTo(14.5, 3.5);
      path.lineTo(14.5, 16.5);
      path.lineTo(10, 13);
      path.lineTo(5.5, 16.5);
      path.closeSubpath();
      break;
    default:
      break;
  }
  return path;
}

QPainterPath stroked_part(Icon icon) {
  QPainterPath path;
  switch (icon) {
    case Icon::step_over:
      path.moveTo(3.5, 10.5);
      path.cubicTo(4.2, 3.6, 13.5, 3.2, 15.3, 9.4);
      break;
    case Icon::search:
      path.addEllipse(QPointF(8.8, 8.8), 4.6, 4.6);
      path.moveTo(12.2, 12.2);
      path.lineTo(16, 16);
      break;
    case Icon::close:
      path.moveTo(5.5, 5.5);
      path.lineTo(14.5, 14.5);
      path.moveTo(14.5, 5.5);
      path.lineTo(5.5, 14.5);
      break;
    case Icon::open:
      path.moveTo(3, 15.5);
      path.lineTo(3, 5);
      path.lineTo(8, 5);
      path.lineTo(9.5, 7);
      path.lineTo(17, 7);
      path.lineTo(17, 15.5);
      path.closeSubpath();
      break;
    case Icon::table:
      path.addRect(QRectF(3.5, 4.5, 13, 11));
      path.moveTo(3.5, 8.5);
      path.lineTo(16.5, 8.5);
      path.moveTo(8.5, 8.5);
      path.lineTo(8.5, 15.5);
      break;
    case Icon::chevron:
      path.moveTo(6, 8);
      path.lineTo(10, 12);
      path.lineTo(14, 8);
      break;
    default:
      break;
  }
  return path;
}

class PathIconEngine : public QIconEngine {
 public:
  PathIconEngine(Icon icon, const QColor& normal, const QColor& disabled)
      : icon_(icon), normal_(normal), disabled_(disabled) {}

  void paint(QPainter* painter, const QRect& rect, QIcon::Mode mode, QIcon::State) override {
    paint_icon(*painter, icon_, rect, mode == QIcon::Disabled ? disabled_ : normal_);
  }
  QPixmap pixmap(const QSize& size, QIcon::Mode mode, QIcon::State state) override {
    QPixmap picture(size);
    picture.fill(Qt::transparent);
    QPainter painter(&picture);
    paint(&painter, QRect(QPoint(), size), mode, state);
    return picture;
  }
  QIconEngine* clone() const override { return new PathIconEngine(*this); }

 private:
  Icon icon_;
  QColor normal_, disabled_;
};

}  // namespace

void paint_icon(QPainter& painter, Icon icon, const QRectF& rect, const QColor& colour) {
  const double side = std::min(rect.width(), rect.height());
  painter.save();
  painter.setRenderHint(QPainter::Antialiasing);
  painter.translate(rect.center() - QPointF(side / 2, side / 2));
  painter.scale(side / box, side / box);
  painter.fillPath(filled_part(icon), colour);
  const QPainterPath strokes = stroked_part(icon);
  if (!strokes.isEmpty()) {
    painter.setPen(QPen(colour, 1.6, Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin));
    painter.setBrush(Qt::NoBrush);
    painter.drawPath(strokes);
  }
  painter.restore();
}

QIcon make_icon(Icon icon, const QColor& normal, const QColor& disabled) {
  if (icon == Icon::none) return {};
  return QIcon(new PathIconEngine(icon, normal, disabled));
}

QIcon program_icon() {
  QIcon result;
  for (const int size : {16, 32, 48, 128}) {
    QPixmap picture(size, size);
    picture.fill(Qt::transparent);
    QPainter painter(&picture);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.scale(size / 32.0, size / 32.0);
    painter.setPen(Qt::NoPen);
    painter.setBrush(QColor(0x15, 0x1b, 0x23));
    painter.drawRoundedRect(QRectF(0, 0, 32, 32), 7, 7);
    const QColor cells[] = {QColor(0x2e, 0xb8, 0x8a), QColor(0xe6, 0x9f, 0x00), QColor(0x56, 0xb4, 0xe9),
                            QColor(0x33, 0x40, 0x50), QColor(0x56, 0xb4, 0xe9), QColor(0x33, 0x40, 0x50)};
    for (int i = 0; i < 6; ++i) {
      painter.setBrush(cells[i]);
      painter.drawRoundedRect(QRectF(4 + (i % 3) * 8.4, 6 + (i / 3) * 10.8, 7, 9.2), 1.8, 1.8);
    }
    painter.setBrush(Qt::NoBrush);
    painter.setPen(QPen(QColor(0xff, 0x5c, 0x57), 2));
    painter.drawRoundedRect(QRectF(12.4, 16.8, 7, 9.2), 1.8, 1.8);
    result.addPixmap(picture);
  }
  return result;
}

}  // namespace hmmscope::app
