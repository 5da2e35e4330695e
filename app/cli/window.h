#pragma once
/// The seam between the command line and the window. The command line knows these two functions only as
/// pointers, so that it builds and links without Qt; main.cpp fills them in when the window is part of the
/// build.

#include <filesystem>
#include <memory>
#include <string>

#include "app/cli/command.h"

namespace hmmscope::app {

/// What the window opens with.
struct WindowOptions {
  std::filesystem::path file;  ///< empty: whatever was open last, or the default recording at the first start
  std::string kernel;          ///< model id that overrides what the file says; empty = as the file says
  bool fresh = false;          ///< forget what earlier sessions left behind
};

struct Frontend {
  /// Shows the window and returns its exit code. argc and argv are the program's own (Qt takes its options
  /// from them) and must outlive the call.
  int (*run_window)(int argc, char** argv, const WindowOptions& options) = nullptr;
  std::unique_ptr<Command> (*screenshot)() = nullptr;
  std::unique_ptr<Command> (*actions)() = nullptr;   ///< lists the window's actions and their keys
};

#if HMMSCOPE_HAS_GUI
/// Implemented in app/gui.
int run_window(int argc, char** argv, const WindowOptions& options);
std::unique_ptr<Command> make_actions_command();
#endif

}  // namespace hmmscope::app
