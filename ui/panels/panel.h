#pragma once
/// A panel draws one canvas. Panels are listed in a small registry; the window makes a dock of each,
/// `screenshot
/// --panel NAME` finds them by id.

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ui/view.h"

namespace hmmscope::ui {

/// The same facts as the picture, for screen readers, copying and tests: rows of cells with a header.
struct Table {
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;
};

class Panel {
 public:
  virtual ~Panel() = default;
  virtual std::string_view id() const = 0;     ///< "walk", "bits", "decision", "history", "timeline"
  virtual std::string_view title() const = 0;  ///< shown in capitals on the dock
  /// Right-aligned on the title line: where we are. May be empty.
  virtual std::string subtitle(const ViewContext& view) const = 0;
  /// Called inside an ImGui frame with a full-size window begun. Must not allocate per step of the recording.
  virtual void draw(const ViewContext& view, Intents& intents) = 0;
  virtual Table table(const ViewContext& view) const = 0;
};

/// One new panel of every kind, in the order of the window.
std::vector<std::unique_ptr<Panel>> make_panels();
std::unique_ptr<Panel> make_panel(std::string_view id);  ///< nullptr when unknown

}  // namespace hmmscope::ui
