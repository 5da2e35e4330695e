#pragma once
/// Where a learner answers: one editor for each kind of task.

#include <QWidget>
#include <functional>
#include <optional>

#include "app/gui/lesson_loader.h"
#include "app/gui/session.h"

namespace hmmscope::app {

class AnswerEditor : public QWidget {
  Q_OBJECT
 public:
  using QWidget::QWidget;
  /// Nothing while the answer is not complete.
  virtual std::optional<lessons::Answer> answer() const = 0;
  virtual void set(const lessons::Answer& answer) = 0;

 Q_SIGNALS:
  void changed();
  void submitted();  ///< Enter was pressed in the editor
};

/// For the task of `view`. `session` gives the cursor to go-to tasks and must outlive the editor. `sample`:
/// the document the task is about, nullptr when it is about none.
AnswerEditor* make_answer_editor(const lessons::TaskView& view, Session& session, DocumentPtr sample,
                                 double zoom, QWidget* parent);

}  // namespace hmmscope::app
