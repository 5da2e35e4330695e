#pragma once
/// The command line. Every command is a client of the same libraries as the window and works without a display.
/// Exit codes: 0 fine, 1 a check failed, 2 bad usage or input.

namespace hmmscope::app {

int run(int argc, char** argv);

}  // namespace hmmscope::app
