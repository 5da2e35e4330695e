#include "app/gui/first_events.h"

#include <algorithm>

#include "engine/recording/keyframes.h"
#include "traces/check/named_model.h"
#include "traces/reader/source.h"
#include "traces/replay/replay.h"

namespace hmmscope::app {
namespace {

constexpr uint64_t head_bytes = uint64_t{1} << 20;  // of text: some thousand events
constexpr uint64_t large = uint64_t{8} << 20;       // bytes of a file that takes longer than a moment
constexpr uint64_t large_packed = uint64_t{1} << 20;

/// The whole lines at the start of the file, unpacked; empty when it is no large text.
std::string first_lines(std::string_view raw, const std::filesystem::path& path) {
  const traces::Packing packing = traces::detect_packing(raw);
  if (raw.size() < (packing == traces::Packing::none ? large : large_packed)) return {};
  std::string text;
  if (packing == traces::Packing::none) {
    text = raw.substr(0, head_bytes);
  } else {
    const auto head = traces::unpack_head(raw, packing, path.string(), head_bytes);
    if (!head) return {};
    text = (*head)->view();
  }
  if (text.find('\0') != std::string::npos) return {};  // trace.dat, a recording: not by lines
  text.resize(text.rfind('\n') + 1);
  // The header counts the events of the whole file: a part of it is no truncated copy.
  const size_t count = text.find("# entries-in-buffer");
  if (count != std::string::npos && (count == 0 || text[count - 1] == '\n')) {
    const size_t end = text.find('\n', count);
    std::fill(text.begin() + static_cast<ptrdiff_t>(count) + 1, text.begin() + static_cast<ptrdiff_t>(end), ' ');
  }
  return text;
}

}  // namespace

std::optional<FirstEvents> first_events(const std::filesystem::path& path, const std::string& kernel) {
  if (traces::is_standard_input(path)) return std::nullopt;
  const auto file = traces::open_bytes(path);
  if (!file) return std::nullopt;
  const std::string_view raw = (*file)->view();
  const std::string text = first_lines(raw, path);
  const size_t start = text.find_first_not_of(" \t\r\n");
  if (start == std::string::npos || text[start] == '{') return std::nullopt;
  auto bytes = traces::copy_bytes(text, path.string());
  if (!bytes) return std::nullopt;
  const auto trace = traces::open_trace(std::move(*bytes), path, traces::Progress{});
  if (!trace || (*trace)->size() == 0 || (kernel.empty() && (*trace)->info().kernel.empty())) return std::nullopt;
  const auto model = traces::model_of((*trace)->info(), kernel);
  if (!model) return std::nullopt;
  auto recording = traces::replay(**trace, {*model, {}});
  if (!recording || recording->steps() == 0) return std::nullopt;

  auto document = std::make_shared<traces::Document>();
  document->kind = traces::SourceKind::trace;
  document->path = path;
  document->title = traces::title_of(path);
  document->model = *model;
  document->recording = std::make_shared<const Recording>(std::move(*recording));
  document->keyframes = Keyframes::build(document->recording, {});
  document->history = std::make_shared<const History>(document->recording);
  // Of a packed file the share is that of the text it would unpack to, guessed from what the head gave.
  const bool packed = traces::detect_packing(raw) != traces::Packing::none;
  const uint64_t total = packed ? std::max<uint64_t>(raw.size() * 8, text.size() * 2) : raw.size();
  return FirstEvents{std::move(document), text.size(), total};
}

}  // namespace hmmscope::app
