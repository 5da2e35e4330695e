#pragma once
/// 64 bits to be set by hand, highest first, sixteen in a row, in the colours of a layout's fields. Click or
/// Space flips a bit, arrows walk.

#include <QWidget>

#include "app/gui/core.h"

namespace hmmscope::app {

class BitEditor : public QWidget {
  Q_OBJECT
 public:
  explicit BitEditor(QWidget* parent = nullptr);
  /// `layout` names and colours the bits; nullptr: plain.
  void set_layout(const Layout* layout, ui::ThemeKind theme);
  uint64_t word() const { return word_; }
  void set_word(uint64_t word);
  QSize sizeHint() const override;
  QSize minimumSizeHint() const override;

 Q_SIGNALS:
  void word_changed(quint64 word);

 protected:
  bool event(QEvent* event) override;
  void paintEvent(QPaintEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;

 private:
  QRectF cell(int bit) const;
  int bit_at(const QPointF& point) const;  ///< -1: none
  const Field* field_of(int bit) const;
  void flip(int bit);

  const Layout* layout_ = nullptr;
  ui::ThemeKind theme_ = ui::ThemeKind::dark;
  uint64_t word_ = 0;
  int current_ = 63;
};

}  // namespace hmmscope::app
