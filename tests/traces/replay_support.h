#pragma once
// What the replay and check tests share: samples as text, replaying text, finding output words in it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "engine/model/kernel_model.h"
#include "traces/check/named_model.h"
#include "traces/check/summary.h"
#include "traces/reader/bytes.h"
#include "traces/reader/source.h"
#include "traces/replay/replay.h"

namespace hmmscope::traces {

inline const std::filesystem::path samples_dir =
    std::filesystem::path(HMMSCOPE_SOURCE_DIR) / "traces" / "samples";

inline std::vector<std::filesystem::path> sample_files() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(samples_dir))
    if (entry.path().string().find(".trace.txt") != std::string::npos) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

inline std::string sample_text(const std::filesystem::path& path) {
  const auto file = open_bytes(path);
  if (!file) return {};
  const std::string_view raw = (*file)->view();
  if (detect_packing(raw) == Packing::none) return std::string(raw);
  const auto text = unpack(raw, detect_packing(raw), path.string(), Progress{});
  return text ? std::string((*text)->view()) : std::string();
}

/// The text without the line that announces how many events follow, so that lines may be left out.
inline std::string without_counts(std::string text) {
  const size_t at = text.find("# entries-in-buffer");
  if (at != std::string::npos) text.erase(at, text.find('\n', at) + 1 - at);
  return text;
}

inline auto trace_of_text(std::string_view text, std::string_view name = "test.txt") {
  return read_trace({reinterpret_cast<const uint8_t*>(text.data()), text.size()}, name);
}

inline Result<Recording> replay_text(std::string_view text, std::string_view name = "test.txt") {
  const auto trace = trace_of_text(text, name);
  if (!trace) return tl::unexpected<Error>(trace.error());
  const auto model = model_of((*trace)->info(), "");
  if (!model) return tl::unexpected<Error>(model.error());
  return replay(**trace, {*model, {}});
}

/// The text with the first `from` behind `event` turned into `to`.
inline std::string with_replaced(std::string text, std::string_view event, std::string_view from, std::string_view to) {
  const size_t at = text.find(from, text.find(event));
  EXPECT_NE(at, std::string::npos) << event << " " << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

/// One word of an array that the kernel wrote, where it stands in the text of the trace.
struct OutputWord {
  size_t at = 0, length = 0;  ///< "0x.." in the text
  uint64_t value = 0;
  uint64_t slot = 0, start = 0;
};

inline uint64_t field_of(std::string_view line, std::string_view name) {
  const size_t at = line.find(" " + std::string(name) + "=");
  return at == std::string_view::npos
             ? 0
             : std::stoull(std::string(line.substr(at + name.size() + 2, 20)), nullptr, 0);
}

inline void words_of_array(std::string_view text, size_t from, size_t line_end, uint64_t first,
                           uint64_t pages, uint64_t start, std::vector<OutputWord>& words) {
  for (uint64_t slot = first; from < line_end && slot < pages; ++slot) {
    const size_t end = text.find_first_of(",}", from);
    if (end == std::string_view::npos || end > line_end) return;
    OutputWord word{from, end - from, std::stoull(std::string(text.substr(from, end - from)), nullptr, 16),
                    slot, start};
    words.push_back(word);
    if (text[end] == '}') return;
    from = end + 1;
  }
}

/// Every word that rf_out and its further windows show inside the array.
inline std::vector<OutputWord> output_words(std::string_view text) {
  std::vector<OutputWord> words;
  uint64_t pages = 0, start = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, end - at);
    if (line.find(": rf_out: ") != std::string_view::npos) {
      start = field_of(line, "start");
      pages = (field_of(line, "end") - start) >> 12;
      words_of_array(text, at + line.find("pfns={") + 6, end, 0, pages, start, words);
    } else if (line.find(": rf_out_") != std::string_view::npos) {
      uint64_t first = field_of(line, "first");
      for (const char name : std::string_view("abcdef")) {
        const size_t array = line.find(std::string(" ") + name + "={");
        if (array == std::string_view::npos) break;
        words_of_array(text, at + array + 4, end, first, pages, start, words);
        first += 64;
      }
    }
    at = end + 1;
  }
  return words;
}

inline std::string with_word(const std::string& text, const OutputWord& word, uint64_t value) {
  char hex[32];
  std::snprintf(hex, sizeof hex, "0x%llx", static_cast<unsigned long long>(value));
  return text.substr(0, word.at) + hex + text.substr(word.at + word.length);
}

}  // namespace hmmscope::traces
