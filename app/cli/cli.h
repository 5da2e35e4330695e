#pragma once
/// The command line. Every command is a client of the same libraries as the window and works without a
/// display. Exit codes: 0 fine, 1 a check failed, 2 bad usage or input.

namespace hmmscope::app {

struct Frontend;

/// Runs the program. Without a command: the window when `frontend` has one and a display is there, else the
/// recording as text. Never throws.
int run(int argc, char** argv, const Frontend& frontend);

}  // namespace hmmscope::app
