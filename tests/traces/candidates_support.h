#pragma once
// A trace from text, opened from a file of its own so that other models can be tried, and what explains it.
#include <unistd.h>

#include <fstream>

#include "tests/traces/replay_support.h"
#include "traces/check/candidates.h"

namespace hmmscope::traces {

class CandidatesOfText : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(file_); }
  std::shared_ptr<const Document> open_text(const std::string& text, const std::string& kernel = "") {
    std::ofstream(file_, std::ios::binary) << text;
    auto opened = open_document(file_, {kernel, {}});
    EXPECT_TRUE(opened) << (opened ? "" : opened.error().to_string());
    return opened ? *opened : nullptr;
  }
  static const CallCheck* first_finding(const Document& document) {
    for (const CallCheck& check : document.recording->checks())
      if (check.verdict != Verdict::agreed) return &check;
    return nullptr;
  }
  static std::vector<CandidateKind> kinds(const std::vector<Candidate>& list) {
    std::vector<CandidateKind> found;
    for (const Candidate& candidate : list) {
      EXPECT_FALSE(candidate.text.empty());
      EXPECT_FALSE(candidate.evidence.empty());
      found.push_back(candidate.kind);
    }
    return found;
  }
  const std::filesystem::path file_ =
      std::filesystem::temp_directory_path() / ("hmmscope-candidates-" + std::to_string(::getpid()) + ".txt");
};

inline std::string without_header(std::string text) {
  while (text.starts_with("# hmmscope-capture")) text.erase(0, text.find('\n') + 1);
  return text;
}

/// The text without the lines that hold `what`.
inline std::string without_lines(const std::string& text, std::string_view what) {
  std::string kept;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size() - 1);
    const std::string_view line = std::string_view(text).substr(at, end - at + 1);
    if (line.find(what) == std::string_view::npos) kept += line;
    at = end + 1;
  }
  return kept;
}

}  // namespace hmmscope::traces
