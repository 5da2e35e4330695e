// The one program: the window when no command is given, the command line otherwise.
#include "app/cli/cli.h"
#include "app/cli/window.h"

int main(int argc, char** argv) {
  hmmscope::app::Frontend frontend;
#if HMMSCOPE_HAS_GUI
  frontend.run_window = hmmscope::app::run_window;
  frontend.screenshot = hmmscope::app::make_screenshot_command;
  frontend.actions = hmmscope::app::make_actions_command;
#endif
  return hmmscope::app::run(argc, argv, frontend);
}
