#pragma once
/// The fields of the tool bar: the editable step number, a choice with its label, and the search field that
/// opens the palette.

#include <QAbstractButton>
#include <QFrame>
#include <QString>

#include "app/gui/core.h"

class QLabel;
class QLineEdit;
class QMenu;

namespace hmmscope::app {

/// "step 1 184 / 5 620"; typing a number and Enter asks to go there, Escape gives up.
class StepField : public QFrame {
  Q_OBJECT
 public:
  explicit StepField(QWidget* parent = nullptr);
  void show_position(StepIndex position, StepIndex steps);
  void set_zoom(double zoom);
  void edit();  ///< takes the focus with everything selected

 Q_SIGNALS:
  void asked(hmmscope::StepIndex position);
  void rejected(const QString& why);

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  void accept();
  void fit();

  QLabel *label_, *total_;
  QLineEdit* number_;
  StepIndex position_ = 0, steps_ = 0;
};

/// A label, the present choice and a mark that a menu opens.
class ChoiceButton : public QAbstractButton {
  Q_OBJECT
 public:
  ChoiceButton(const QString& label, QWidget* parent = nullptr);
  /// `brief` is shown where there is no room for the value.
  void set_value(const QString& value, const QString& brief = {});
  void set_menu(QMenu* menu);  ///< takes no ownership
  void open();
  QSize sizeHint() const override;
  QSize minimumSizeHint() const override;

 protected:
  void paintEvent(QPaintEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;

 private:
  QString label_, value_, brief_;
  QMenu* menu_ = nullptr;
};

/// Looks like a text field; a click or a key opens the palette.
class SearchButton : public QAbstractButton {
  Q_OBJECT
 public:
  explicit SearchButton(QWidget* parent = nullptr);
  void set_key(const QString& key);
  QSize sizeHint() const override;
  QSize minimumSizeHint() const override;

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  QString key_;
};

}  // namespace hmmscope::app
