#include "traces/reader/ftrace_text.h"

#include <algorithm>
#include <deque>
#include <future>
#include <thread>
#include <vector>

#include "traces/reader/text_line.h"
#include "traces/reader/text_scanner.h"

namespace hmmscope::traces {
namespace {

constexpr size_t least_piece = 8u << 20;     // of text that a thread of its own is worth
constexpr unsigned most_pieces = 8;
constexpr int longest_search = 4096;         // lines looked at for an event to cut at

/// Where the text is cut for `wanted` scanners: [0], ..., [text.size()]. Every cut is in front of an event, which makes
/// what follows independent of what went before.
std::vector<size_t> cuts_of(std::string_view text, size_t wanted) {
  std::vector<size_t> cuts = {0};
  ParsedLine parsed;
  for (size_t piece = 1; piece < wanted; ++piece) {
    size_t at = std::max(cuts.back(), text.size() / wanted * piece);
    for (int lines = 0; lines < longest_search; ++lines) {
      const size_t newline = text.find('\n', at);
      if (newline == std::string_view::npos || newline + 1 >= text.size()) break;
      at = newline + 1;
      if (parse_line(text.substr(at, text.find('\n', at) - at), parsed) != LineKind::event) continue;
      if (at > cuts.back()) cuts.push_back(at);
      break;
    }
  }
  cuts.push_back(text.size());
  return cuts;
}

class FtraceText final : public TraceSource {
 public:
  std::string_view name() const override { return "ftrace text"; }

  int recognise(std::string_view head) const override {
    head.remove_prefix(byte_order_mark(head));
    if (head.starts_with("# tracer:") || head.starts_with("# hmmscope-capture:")) return 100;
    ParsedLine parsed;
    for (int lines = 0; lines < 400 && !head.empty(); ++lines) {
      const size_t newline = head.find('\n');
      const std::string_view line = head.substr(0, newline);
      const LineKind kind = parse_line(line, parsed);
      if (kind == LineKind::event || kind == LineKind::lost) return 60;
      if (kind == LineKind::comment && line.starts_with("# tracer:")) return 90;
      if (newline == std::string_view::npos) break;
      head.remove_prefix(newline + 1);
    }
    return 0;
  }

  Result<Trace::Parts> read(std::shared_ptr<const Bytes> bytes, std::string_view name, ReadWatch& watch) const override {
    const size_t threads = std::clamp(std::thread::hardware_concurrency(), 1u, most_pieces);
    const size_t pieces = std::clamp<size_t>(bytes->view().size() / least_piece, 1, threads);
    return read_ftrace_text(std::move(bytes), name, watch, pieces);
  }
};

}  // namespace

Result<Trace::Parts> read_ftrace_text(const std::shared_ptr<const Bytes>& bytes, std::string_view name, ReadWatch& watch,
                                      size_t pieces) {
  const std::vector<size_t> cuts = cuts_of(bytes->view(), pieces);
  const size_t count = cuts.size() - 1, size = bytes->view().size();
  std::deque<TextScanner> scanners;  // they do not move
  for (size_t piece = 0; piece < count; ++piece) scanners.emplace_back(name, watch, piece == 0);
  std::vector<std::future<bool>> running;
  for (size_t piece = 1; piece < count; ++piece) {
    running.push_back(std::async(std::launch::async, [&, piece] {
      return scanners[piece].scan(bytes, cuts[piece], cuts[piece + 1], size, count);
    }));
  }
  scanners[0].scan(bytes, byte_order_mark(bytes->view()), cuts[1], size, count);
  for (std::future<bool>& one : running) one.wait();
  for (size_t piece = 1; piece < count; ++piece) scanners[0].take_over(std::move(scanners[piece]));
  return scanners[0].finish(bytes);
}

const TraceSource& ftrace_text_source() {
  static const FtraceText source;
  return source;
}

}  // namespace hmmscope::traces
