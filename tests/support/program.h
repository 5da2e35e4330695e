#pragma once
/// Runs the built program as a user does: arguments in, exit code and both outputs out.

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace hmmscope::testing_support {

struct Ran {
  int code = -1;  ///< exit code; -1 when the program was killed by a signal
  std::string out, err;
};

/// A directory that is removed at the end of the test.
class ScratchDirectory {
 public:
  ScratchDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "hmmscope-test-XXXXXX").string();
    if (mkdtemp(name.data()) != nullptr) path_ = name;
  }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  ~ScratchDirectory() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path write(const std::string& name, const std::string& content) const {
    std::ofstream(path_ / name, std::ios::binary) << content;
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

inline std::string content_of(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return (std::ostringstream() << stream.rdbuf()).str();
}

/// Runs in the source directory, without a display. `environment` adds NAME=VALUE; `out` replaces the output
/// file, `in` the empty standard input.
inline Ran run_program(const std::vector<std::string>& arguments,
                       const std::vector<std::string>& environment = {}, const std::string& out = {},
                       const std::string& in = "/dev/null") {
  const ScratchDirectory scratch;
  const std::string out_name = out.empty() ? (scratch.path() / "out").string() : out;
  const std::string err_name = (scratch.path() / "err").string();

  std::vector<std::string> words = {HMMSCOPE_PROGRAM};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<std::string> settings = environment;
  for (const char* kept : {"PATH", "HOME", "ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"}) {
    if (const char* value = std::getenv(kept); value != nullptr)
      settings.push_back(std::string(kept) + "=" + value);
  }
  const auto pointers = [](std::vector<std::string>& strings) {
    std::vector<char*> list;
    for (std::string& string : strings) list.push_back(string.data());
    list.push_back(nullptr);
    return list;
  };

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, in.c_str(), O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out_name.c_str(), O_WRONLY | O_CREAT | O_TRUNC,
                                   0600);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, err_name.c_str(), O_WRONLY | O_CREAT | O_TRUNC,
                                   0600);
  posix_spawn_file_actions_addchdir_np(&actions, HMMSCOPE_SOURCE_DIR);
  pid_t pid = 0;
  const auto argv = pointers(words), envp = pointers(settings);
  const int failed = posix_spawn(&pid, HMMSCOPE_PROGRAM, &actions, nullptr, argv.data(), envp.data());
  posix_spawn_file_actions_destroy(&actions);
  Ran ran;
  if (failed != 0) return ran;
  int status = 0;
  waitpid(pid, &status, 0);
  ran.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  if (out.empty()) ran.out = content_of(out_name);
  ran.err = content_of(err_name);
  return ran;
}

}  // namespace hmmscope::testing_support
