#pragma once
/// One field that finds and runs everything: actions, and what search() finds in the recording.

#include <QFrame>
#include <QListWidget>

#include "app/gui/action_registry.h"
#include "app/gui/search.h"

class QLineEdit;

namespace hmmscope::app {

class CommandPalette : public QFrame {
  Q_OBJECT
 public:
  /// Both must outlive the palette; `parent` is the window it lies over.
  CommandPalette(Session& session, ActionRegistry& actions, QWidget* parent);
  /// Opens below `anchor`, right-aligned with it.
  void open(const QWidget* anchor, const QString& text = {});
  void set_text(const QString& text);
  int count() const;
  QString title_at(int row) const;
  void run_current();

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  void fill();
  void close_palette();

  Session& session_;
  ActionRegistry& actions_;
  QLineEdit* field_;
  QListWidget* list_;
  std::vector<Hit> hits_;
  QWidget* focus_before_ = nullptr;
};

}  // namespace hmmscope::app
