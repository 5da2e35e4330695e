#pragma once
/// A command of the command line: one file each (cmd_NAME.cpp), listed once in cli.cpp.

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "app/cli/arguments.h"
#include "engine/base/result.h"

namespace hmmscope::app {

/// Where a command writes. `json` is the global --json: machine-readable output on `out`, nothing else there.
struct Output {
  std::FILE* out = stdout;
  std::FILE* err = stderr;
  bool json = false;

  void print(std::string_view text) const { std::fwrite(text.data(), 1, text.size(), out); }
  /// Prints "hmmscope: <error>" to err ({"error": ...} to out with --json) and returns 2.
  int bad_input(const Error& error) const;
};

inline constexpr int exit_ok = 0;
inline constexpr int exit_check_failed = 1;
inline constexpr int exit_bad_input = 2;

class Command {
 public:
  virtual ~Command() = default;
  virtual std::string_view name() const = 0;
  virtual std::string_view summary() const = 0;       ///< one line for --help
  virtual void declare(Arguments& arguments) = 0;     ///< options and subcommands
  virtual int run(const Output& output) = 0;          ///< after a successful parse; returns the exit code
};

std::unique_ptr<Command> make_decode_command();
std::unique_ptr<Command> make_layouts_command();
std::unique_ptr<Command> make_run_command();
std::unique_ptr<Command> make_replay_command();
std::unique_ptr<Command> make_check_command();
std::unique_ptr<Command> make_export_command();
std::unique_ptr<Command> make_extract_command();
std::unique_ptr<Command> make_rules_command();
std::unique_ptr<Command> make_explore_command();
std::unique_ptr<Command> make_selftest_command();
std::unique_ptr<Command> make_lesson_command();
std::unique_ptr<Command> make_compare_sequences_command();
std::unique_ptr<Command> make_screenshot_command();   ///< app/gui; absent without the GUI

}  // namespace hmmscope::app
