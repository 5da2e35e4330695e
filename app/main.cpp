// The one program: the window when no command is given, the command line otherwise.
#include "app/cli/cli.h"

int main(int argc, char** argv) { return hmmscope::app::run(argc, argv); }
