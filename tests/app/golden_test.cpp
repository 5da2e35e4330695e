// What commands print, word for word. Each file of tests/golden/cli holds commands and their output as a
// terminal would show them. HMMSCOPE_UPDATE_GOLDEN=1 writes them anew; read the difference before keeping it.

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/program.h"

namespace hmmscope {
namespace {

const std::filesystem::path golden = std::filesystem::path(HMMSCOPE_SOURCE_DIR) / "tests/golden/cli";
constexpr std::string_view prompt = "$ hmmscope";

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream stream(line);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

/// The transcript of running every command line that stands in `text`.
std::string transcript(const std::string& text) {
  std::istringstream lines(text);
  std::string result;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(prompt)) continue;
    const auto ran = testing_support::run_program(words_of(line.substr(prompt.size())));
    result += line + "\n" + ran.out + ran.err + "[exit " + std::to_string(ran.code) + "]\n\n";
  }
  return result;
}

std::vector<std::filesystem::path> golden_files() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(golden)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

TEST(GoldenOutput, IsAsItWas) {
  const auto files = golden_files();
  ASSERT_GE(files.size(), 5u);
  for (const auto& file : files) {
    const std::string expected = testing_support::content_of(file);
    const std::string actual = transcript(expected);
    ASSERT_FALSE(actual.empty()) << file << " holds no command";
    if (std::getenv("HMMSCOPE_UPDATE_GOLDEN") != nullptr) std::ofstream(file, std::ios::binary) << actual;
    EXPECT_EQ(actual, testing_support::content_of(file)) << file;
  }
}

}  // namespace
}  // namespace hmmscope
