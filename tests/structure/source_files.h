#pragma once
/// The files of the project, as the structure tests see them.

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace hmmscope::structure {

inline const std::filesystem::path root = HMMSCOPE_SOURCE_DIR;

struct SourceFile {
  std::string path;  ///< relative to the root, with slashes
  std::string text;

  std::string room() const { return path.substr(0, path.find('/')); }
  bool has_suffix(std::initializer_list<std::string_view> suffixes) const {
    for (const std::string_view suffix : suffixes) {
      if (path.ends_with(suffix)) return true;
    }
    return false;
  }
  bool is_source() const { return has_suffix({".cpp", ".h", ".def"}); }
};

inline std::string read(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return (std::ostringstream() << stream.rdbuf()).str();
}

/// What git keeps or would keep; everything but build directories where there is no git.
inline std::vector<std::string> file_names() {
  std::vector<std::string> names;
  const std::string command =
      "git -C '" + root.string() + "' ls-files -z --cached --others --exclude-standard 2>/dev/null";
  if (FILE* listing = popen(command.c_str(), "r"); listing != nullptr) {
    std::string name;
    for (int c = std::fgetc(listing); c != EOF; c = std::fgetc(listing)) {
      if (c != 0) {
        name += static_cast<char>(c);
      } else if (std::filesystem::is_regular_file(root / name)) {
        names.push_back(std::exchange(name, {}));
      } else {
        name.clear();
      }
    }
    pclose(listing);
  }
  if (!names.empty()) return names;
  for (std::filesystem::recursive_directory_iterator entry(root), end; entry != end; ++entry) {
    const std::string name = std::filesystem::relative(entry->path(), root).generic_string();
    if (entry->is_directory() && (name.starts_with("build") || name == ".git"))
      entry.disable_recursion_pending();
    if (entry->is_regular_file()) names.push_back(name);
  }
  return names;
}

/// Text files only: captures and pictures are looked at by their own tests.
inline std::vector<SourceFile> source_files() {
  std::vector<SourceFile> files;
  for (const std::string& name : file_names()) {
    SourceFile file{name, {}};
    if (!file.is_source() && !file.has_suffix({".txt", ".md", ".json", ".cmake", ".sh", "/run"})) continue;
    if (name.starts_with("traces/samples/") || name.starts_with("tests/golden/") ||
        name.starts_with("tests/fuzz/corpus/"))
      continue;
    file.text = read(root / name);
    files.push_back(std::move(file));
  }
  return files;
}

}  // namespace hmmscope::structure
