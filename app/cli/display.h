#pragma once

namespace hmmscope::app {

/// Whether a window has somewhere to go: a platform the user named (QT_QPA_PLATFORM), a Wayland compositor,
/// or an X server that answers.
bool display_available();

}  // namespace hmmscope::app
