#include "app/cli/cli.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstring>
#include <exception>
#include <optional>
#include <string_view>
#include <vector>

#include "app/cli/command.h"
#include "app/cli/display.h"
#include "app/cli/paths.h"
#include "app/cli/window.h"

namespace hmmscope::app {
namespace {

struct Slot {
  std::unique_ptr<Command> command;
  CLI::App* app;
};

/// --json belongs to the program, and people type it anywhere: before the command and behind it.
void declare_json_everywhere(CLI::App& app, bool& json) {
  if (app.get_option_no_throw("--json") == nullptr) app.add_flag("--json", json, "Machine-readable output");
  for (CLI::App* child : app.get_subcommands([](const CLI::App*) { return true; }))
    declare_json_everywhere(*child, json);
}

class Program {
 public:
  explicit Program(const Frontend& frontend) : frontend_(frontend) {
    app_.require_subcommand(0, 1);
    app_.set_version_flag("--version", "hmmscope " HMMSCOPE_VERSION);
    Arguments own(&app_);
    own.option("FILE", file_, "A kernel trace, a scenario or a saved recording (default: the sample capture)");
    own.option("--kernel", kernel_, "Read FILE as a trace of this kernel model, whatever it says of itself");
    app_.add_flag("--fresh", fresh_, "Open the window as at the first start");
    add(make_decode_command());
    add(make_layouts_command());
    add(make_run_command());
    add(make_replay_command());
    add(make_check_command());
    add(make_export_command());
    add(make_extract_command());
    add(make_rules_command());
    add(make_explore_command());
    add(make_selftest_command());
    add(make_lesson_command());
    add(make_compare_sequences_command());
    if (frontend.screenshot != nullptr) add(frontend.screenshot());
    if (frontend.actions != nullptr) add(frontend.actions());
    declare_json_everywhere(app_, output_.json);
    app_.footer("Exit codes: 0 fine, 1 a check failed, 2 bad usage or input.");
  }

  int run(int argc, char** argv) {
    // A parse that fails may stop before it reaches --json; its error must be JSON all the same.
    const bool wants_json =
        std::any_of(argv, argv + argc, [](const char* arg) { return std::strcmp(arg, "--json") == 0; });
    std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
    if (const auto code = parse(std::move(arguments), wants_json)) return *code;
    for (const Slot& slot : slots_) {
      if (slot.app->parsed()) return slot.command->run(output_);
    }
    return open(argc, argv);
  }

 private:
  void add(std::unique_ptr<Command> command) {
    CLI::App* sub = app_.add_subcommand(std::string(command->name()), std::string(command->summary()));
    Arguments arguments(sub);
    command->declare(arguments);
    slots_.push_back({std::move(command), sub});
  }

  /// The exit code when the arguments already decide it: help, version, a mistake.
  std::optional<int> parse(std::vector<std::string> arguments, bool wants_json) {
    std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back
    try {
      app_.parse(arguments);
      return std::nullopt;
    } catch (const CLI::CallForHelp&) {
      output_.print(app_.help());
    } catch (const CLI::CallForAllHelp&) {
      output_.print(app_.help("", CLI::AppFormatMode::All));
    } catch (const CLI::CallForVersion& version) {
      output_.print(std::string(version.what()) + "\n");
    } catch (const CLI::ParseError& mistake) {
      output_.json = wants_json;
      return output_.bad_input({in_our_words(mistake.what()) + "; see '" + help_command() + "'", {}, 0, 0, false});
    }
    return exit_ok;
  }

  /// "Could not convert: --at = x" does not say to what; only numbers are converted.
  static std::string in_our_words(const std::string& mistake) {
    constexpr std::string_view prefix = "Could not convert: ", between = " = ";
    const size_t equals = mistake.find(between);
    if (!mistake.starts_with(prefix) || equals == std::string::npos) return mistake;
    return mistake.substr(prefix.size(), equals - prefix.size()) + ": '" + mistake.substr(equals + between.size()) +
           "' is not a number, or too large a one";
  }

  std::string help_command() const {
    std::string words = "hmmscope";
    for (const CLI::App* app = &app_; !app->get_subcommands().empty();) {
      app = app->get_subcommands().front();
      words += " " + app->get_name();
    }
    return words + " --help";
  }

  int open(int argc, char** argv) {
    if (!file_.empty() && !std::filesystem::exists(file_)) {
      const bool like_a_command = file_.find_first_of("./") == std::string::npos;
      const char* what = like_a_command ? "no such file or command; see 'hmmscope --help'" : "no such file";
      return output_.bad_input({what, file_, 0, 0, false});
    }
    const bool window = frontend_.run_window != nullptr && !output_.json && display_available();
    return window ? frontend_.run_window(argc, argv, {file_, kernel_, fresh_}) : play_as_text();
  }

  int play_as_text() {
    const std::string file = file_.empty() ? default_recording().string() : file_;
    if (!output_.json) {
      const std::string why =
          frontend_.run_window == nullptr ? "this build has no window" : "there is no display";
      const std::string note = "hmmscope: " + why + "; playing " + file + " as text\n";
      std::fwrite(note.data(), 1, note.size(), output_.err);
    }
    std::vector<std::string> arguments = {"replay", file, "--steps"};
    if (!kernel_.empty()) arguments.insert(arguments.end(), {"--kernel", kernel_});
    const bool json = output_.json;
    if (const auto code = parse(std::move(arguments), json)) return *code;
    output_.json = json;  // a new parse starts from the defaults
    for (const Slot& slot : slots_) {
      if (slot.app->parsed()) return slot.command->run(output_);
    }
    return exit_bad_input;
  }

  Frontend frontend_;
  CLI::App app_{"A visual, reversible debugger for Linux heterogeneous memory management (HMM).", "hmmscope"};
  std::vector<Slot> slots_;
  Output output_;
  std::string file_, kernel_;
  bool fresh_ = false;
};

}  // namespace

int run(int argc, char** argv, const Frontend& frontend) {
  const Output output;
  try {
    const int code = Program(frontend).run(argc, argv);
    // A full disk or a closed pipe shows at the latest now; silence would pass a cut-off output for a whole
    // one.
    if (std::fflush(output.out) != 0 || std::ferror(output.out) != 0) {
      return output.bad_input({"could not write the output", {}, 0, 0, false});
    }
    return code;
  } catch (const std::bad_alloc&) {
    return output.bad_input({"out of memory", {}, 0, 0, false});
  } catch (const std::exception& error) {
    return output.bad_input({error.what(), {}, 0, 0, false});
  }
}

}  // namespace hmmscope::app
