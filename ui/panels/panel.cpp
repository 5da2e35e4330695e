#include "ui/panels/panel.h"

#include <array>

#include "ui/panels/panels.h"

namespace hmmscope::ui {
namespace {

struct Entry {
  std::string_view id;
  std::unique_ptr<Panel> (*make)();
};
constexpr std::array entries{Entry{"walk", make_walk_panel}, Entry{"bits", make_bits_panel},
                             Entry{"decision", make_decision_panel}, Entry{"history", make_history_panel},
                             Entry{"timeline", make_timeline_panel}};

}  // namespace

std::vector<std::unique_ptr<Panel>> make_panels() {
  std::vector<std::unique_ptr<Panel>> panels;
  for (const Entry& entry : entries) panels.push_back(entry.make());
  return panels;
}

std::unique_ptr<Panel> make_panel(std::string_view id) {
  for (const Entry& entry : entries) {
    if (entry.id == id) return entry.make();
  }
  return nullptr;
}

}  // namespace hmmscope::ui
