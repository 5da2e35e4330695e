#pragma once
/// What the search field finds: a step number, words by address, pfn, value or name, bits by field name, the
/// next call of a function, the next step of a rule. Free of widgets.

#include <QString>
#include <vector>

#include "app/gui/session.h"

namespace hmmscope::app {

struct Hit {
  QString group;  ///< "Step", "Word", "Bit", "Function", "Rule"
  QString title;
  QString detail;
  std::vector<ui::Intent> intents;  ///< what choosing it does
};

/// At most `limit` hits of each group, best first. Empty text finds nothing.
std::vector<Hit> search(const Session& session, const QString& text, size_t limit = 8);

}  // namespace hmmscope::app
