#pragma once
/// The row under the menu: run buttons, step number, layout, kernel and machine, search.

#include <QWidget>
#include <vector>

#include "app/gui/action_registry.h"
#include "app/gui/bar_fields.h"
#include "app/gui/session.h"

class QToolButton;

namespace hmmscope::app {

class ToolBar : public QWidget {
  Q_OBJECT
 public:
  /// Both must outlive the bar.
  ToolBar(Session& session, ActionRegistry& actions, QWidget* parent);

  StepField& step_field() { return *step_; }
  ChoiceButton& layout_choice() { return *layout_; }
  ChoiceButton& machine_choice() { return *machine_; }
  SearchButton& search() { return *search_; }
  void set_zoom(double zoom);
  /// The kernel model that was asked for; empty = as the file says. Ticked in the menu.
  void set_kernel(const QString& asked) { kernel_ = asked; }

 Q_SIGNALS:
  /// A kernel model was chosen; empty = as the file says. The document has to be opened again with it.
  void kernel_chosen(const QString& id);

 protected:
  void paintEvent(QPaintEvent* event) override;

 private:
  void fill_layouts();
  void fill_machines();
  void show_reading();

  Session& session_;
  std::vector<QToolButton*> buttons_;
  StepField* step_;
  ChoiceButton *layout_, *machine_;
  SearchButton* search_;
  QMenu *layouts_, *machines_;
  QString kernel_;
};

}  // namespace hmmscope::app
