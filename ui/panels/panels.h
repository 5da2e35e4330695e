#pragma once
/// The panels there are; each is made in the file of its name.

#include <memory>

#include "ui/panels/panel.h"

namespace hmmscope::ui {

std::unique_ptr<Panel> make_walk_panel();
std::unique_ptr<Panel> make_bits_panel();
std::unique_ptr<Panel> make_decision_panel();
std::unique_ptr<Panel> make_history_panel();
std::unique_ptr<Panel> make_timeline_panel();

}  // namespace hmmscope::ui
