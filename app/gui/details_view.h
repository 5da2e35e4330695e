#pragma once
/// The current step as selectable text: call path with arguments, rule with operands, every word it wrote
/// with both values and what they mean.

#include <QTextBrowser>

#include "app/gui/session.h"

namespace hmmscope::app {

/// HTML for the step that just happened at `session`'s position.
QString describe_step(const Session& session);

class DetailsView : public QTextBrowser {
  Q_OBJECT
 public:
  DetailsView(Session& session, QWidget* parent);

 protected:
  void showEvent(QShowEvent* event) override;

 private:
  void refresh();
  Session& session_;
};

}  // namespace hmmscope::app
