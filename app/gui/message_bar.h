#pragma once
/// Lines under the tool bar: a failure that stays until it is dismissed, and the progress of a load with
/// Cancel. And a note that comes and goes at the foot of the window.

#include <QFrame>
#include <QLabel>
#include <QTimer>

class QProgressBar;
class QPushButton;

namespace hmmscope::app {

class MessageBar : public QFrame {
  Q_OBJECT
 public:
  explicit MessageBar(QWidget* parent);
  /// Beside "Dismiss": after a file that could not be opened, a button for another.
  enum class Offer : uint8_t { nothing, another_file };
  /// `what` happened, and `advice`: what to do about it.
  void show_error(const QString& what, const QString& advice, Offer offer = Offer::nothing);
  QString text() const;

 Q_SIGNALS:
  void open_asked();

 private:
  QLabel *what_, *advice_;
  QPushButton* open_;
};

/// Shown only when a load takes longer than a moment.
class ProgressBar : public QFrame {
  Q_OBJECT
 public:
  explicit ProgressBar(QWidget* parent);
  void start(const QString& what);
  void progress(const QString& stage, quint64 done, quint64 total);
  void stop();

 Q_SIGNALS:
  void cancelled();

 private:
  QLabel* text_;
  QProgressBar* bar_;
  QString what_;
  QTimer delay_;
};

/// Holds the two above the panels of `parent`, under its header: what comes and goes must not push the panels
/// about. As wide as reads well.
class NoteStack : public QWidget {
 public:
  /// `header` is the widget to stay below.
  NoteStack(QWidget* parent, QWidget* header);
  void add(QWidget* note);

 protected:
  bool event(QEvent* event) override;
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  void place();
  QWidget* header_;
};

/// A note at the foot of `parent` for a few seconds.
class Toast : public QLabel {
  Q_OBJECT
 public:
  explicit Toast(QWidget* parent);
  void say(const QString& text);

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  void place();
  QTimer hide_;
};

}  // namespace hmmscope::app
