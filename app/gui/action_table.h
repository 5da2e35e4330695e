#pragma once
/// Every action of the window, once: menus, tool bar, shortcut editor, command palette and listings are made
/// from this table. What an action does is bound by the window (ActionRegistry::bind).

#include <span>

#include "app/gui/icons.h"

namespace hmmscope::app {

struct ActionRow {
  const char* id;         ///< stable; names the action in settings and listings: "run.step_over"
  const char* menu;       ///< "File", "Edit", "Run", "View", "Lessons", "Traces", "Help"; "" = in no menu
  const char* text;       ///< with the menu mnemonic
  const char* shortcuts;  ///< default keys in portable text, "; " between alternatives; may be ""
  Icon icon;
  bool separator_before;  ///< in its menu
  const char* hint;       ///< one sentence: tool tip and palette
};

std::span<const ActionRow> action_table();

}  // namespace hmmscope::app
