#include "traces/reader/ftrace_text.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <future>
#include <limits>
#include <thread>
#include <utility>
#include <vector>

#include "traces/reader/huge_pages.h"
#include "traces/reader/intern.h"
#include "traces/reader/text_decoder.h"
#include "traces/reader/text_fields.h"
#include "traces/reader/text_line.h"
#include "traces/reader/trace_info.h"

namespace hmmscope::traces {
namespace {

constexpr uint64_t progress_block = 1u << 20;
constexpr size_t longest_name = 128;         // of an event; longer ones are not names
constexpr size_t least_piece = 8u << 20;     // of text that a thread of its own is worth
constexpr unsigned most_pieces = 8;
constexpr int longest_search = 4096;         // lines looked at for an event to cut at
constexpr size_t quoted_part = 60;           // of a line, in an error

std::string quoted(std::string_view line) {
  std::string text;
  for (const char c : line.substr(0, quoted_part)) text += c >= ' ' && c <= '~' ? c : '?';
  return "\"" + text + (line.size() > quoted_part ? "...\"" : "\"");
}

/// Scans one piece of the text. The first piece takes the others over, in their order, and hands the whole out: what
/// comes out is what one scanner over the whole text would give.
class Scanner {
 public:
  Scanner(std::shared_ptr<const Bytes> bytes, std::string_view name, const Progress& progress)
      : bytes_(std::move(bytes)), text_(bytes_->view()), progress_(progress) {
    parts_.info.name = name;
    parts_.info.format = "ftrace text";
  }

  /// Scans [begin, end) of the text: whole lines, and behind the first piece the first of them is an event. `pieces` of
  /// the same size are scanned at once; the first one reports for all. An error stays in the scanner.
  void scan(size_t begin_at, size_t end_at, size_t pieces) {
    first_ = begin_at == 0;
    reserve(begin_at, first_ ? text_.size() : end_at);
    uint64_t next_report = begin_at + progress_block;
    const char* const begin = text_.data();
    const char* const end = begin + end_at;
    for (const char* at = begin + begin_at; at != end;) {
      const auto* newline = static_cast<const char*>(std::memchr(at, '\n', static_cast<size_t>(end - at)));
      ++line_;
      if (newline == nullptr) return stop(cut_short(static_cast<uint64_t>(at - begin)));
      const std::string_view line(at, static_cast<size_t>(newline - at));
      if (!take_line(line, static_cast<uint64_t>(at - begin))) return stop(std::move(error_));
      at = newline + 1;
      if (const auto done = static_cast<uint64_t>(at - begin); done >= next_report) {
        if (progress_.cancelled()) return stop(Error{"cancelled", {}, 0, 0, false});
        if (first_) progress_.at("reading", std::min<uint64_t>(done * pieces, text_.size()), text_.size());
        next_report = done + progress_block;
      }
    }
  }

  /// Appends the piece behind this one.
  void take_over(Scanner&& next) {
    if (stopped_) return;
    for (const auto& [line, number] : next.comments_) {
      if (auto said = read_comment(line, line_ + number, parts_.info); !said) return stop(std::move(said.error()));
    }
    if (next.stopped_) {
      if (next.error_.line != 0) next.error_.line += line_;
      return stop(std::move(next.error_));
    }
    if (line_ + next.line_ > std::numeric_limits<uint32_t>::max()) {
      set_error("more than 4294967295 lines");
      return stop(std::move(error_));
    }
    if (const auto& events = next.parts_.events; !events.empty()) {
      for (; untimed_lost_ != 0; --untimed_lost_) parts_.events[parts_.events.size() - untimed_lost_].time_ns = events[0].time_ns;
      if (events[0].time_ns < last_time_) sorted_ = false;
    }
    std::vector<KindId> kinds;
    for (std::string& kind : next.kinds_.take()) kinds.push_back(kinds_.find_or_add_canonical(std::move(kind)));
    if (std::find(kinds.begin(), kinds.end(), no_kind) != kinds.end()) {
      set_error("more than 65534 different event names: this is not a trace");
      return stop(std::move(error_));
    }
    std::vector<uint32_t> tasks;
    for (const TraceTask& task : next.tasks_.take()) tasks.push_back(tasks_.find_or_add(task.pid, task.tgid, task.name));
    parts_.events.reserve(parts_.events.size() + next.parts_.events.size());
    for (TraceEvent event : next.parts_.events) {
      event.line += static_cast<uint32_t>(line_);
      event.kind = kinds[event.kind];
      event.task = tasks[event.task];
      parts_.events.push_back(event);
    }
    take_over_info(next);
  }

  Result<Trace::Parts> finish() {
    if (stopped_) return fail(std::move(error_));
    return finished();
  }

 private:
  void stop(Error error) {
    error_ = std::move(error);
    stopped_ = true;
  }

  void take_over_info(const Scanner& next) {
    TraceInfo& info = parts_.info;
    const TraceInfo& later = next.parts_.info;
    if (!format_known_ && next.format_known_) {
      info.format = later.format;
      info.arrays_reliable = later.arrays_reliable;
      format_known_ = true;
    }
    info.clock_digits = std::max(info.clock_digits, later.clock_digits);
    info.lost_events += later.lost_events;
    if (info.unparsed_lines == 0 && later.unparsed_lines != 0) info.first_unparsed_line = later.first_unparsed_line + line_;
    info.unparsed_lines += later.unparsed_lines;
    line_ += next.line_;
    last_time_ = next.last_time_;
    untimed_lost_ = next.untimed_lost_;
    sorted_ = sorted_ && next.sorted_;
  }

  /// A guess from the first part of the text saves the index from growing by copies.
  void reserve(size_t begin, size_t end) {
    const size_t size = end - begin;
    const std::string_view head = text_.substr(begin, std::min<size_t>(size, progress_block));
    const auto lines = static_cast<uint64_t>(std::count(head.begin(), head.end(), '\n')) + 1;
    const uint64_t guess = head.size() < size ? lines * (size / progress_block + 1) : lines;
    parts_.events.reserve(guess + guess / 16);
    use_huge_pages(parts_.events.data(), parts_.events.capacity() * sizeof(TraceEvent));
  }

  bool set_error(std::string message) {
    error_ = Error::at_line(parts_.info.name, line_, std::move(message));
    return false;
  }

  Error cut_short(uint64_t offset) const {
    return Error::at_line(parts_.info.name, line_, "the file ends in the middle of this line: " +
                          quoted(text_.substr(offset)) + " (a truncated copy?)");
  }

  bool take_line(std::string_view line, uint64_t offset) {
    switch (parse_line(line, parsed_)) {
      case LineKind::event: return take_event(line, offset);
      case LineKind::lost: return take_lost(offset);
      case LineKind::comment: return take_comment(line);
      case LineKind::bad: return set_error(std::string(parsed_.problem) + ": " + quoted(line));
      case LineKind::blank: return true;
      case LineKind::other: break;
    }
    return take_other(line);
  }

  bool take_event(std::string_view line, uint64_t offset) {
    const std::string_view event = line.substr(parsed_.event_at);
    if (!split_event(event, name_) || name_.name.size() > longest_name) {
      name_ = {"other", PayloadForm::print, false, false, 0};  // e.g. "<stack trace>"
    }
    const KindId kind = kinds_.find_or_add(name_);
    if (kind == no_kind) return set_error("more than 65534 different event names: this is not a trace");
    if (name_.form == PayloadForm::fields && !format_known_) note_format(event.substr(name_.payload_at));
    settle_lost_times();
    if (parsed_.time < last_time_) sorted_ = false;
    last_time_ = parsed_.time;
    parts_.info.clock_digits = std::max<uint32_t>(parts_.info.clock_digits, parsed_.digits);
    last_form_ = name_.form;
    last_event_ = event;
    return push({parsed_.time, offset, 0, tasks_.find_or_add(parsed_.pid, parsed_.tgid, parsed_.comm),
                 static_cast<uint16_t>(parsed_.cpu), kind, static_cast<uint16_t>(parsed_.event_at + name_.payload_at),
                 static_cast<uint16_t>(name_.form)});
  }

  bool push(TraceEvent event) {
    if (line_ > std::numeric_limits<uint32_t>::max()) return set_error("more than 4294967295 lines");
    event.line = static_cast<uint32_t>(line_);
    parts_.events.push_back(event);
    return true;
  }

  bool take_lost(uint64_t offset) {
    const KindId kind = kinds_.find_or_add({"lost_events", PayloadForm::lost, false, false, 0});
    parts_.info.lost_events += parsed_.lost_known ? parsed_.lost : 1;
    ++untimed_lost_;
    last_form_ = PayloadForm::lost;
    return push({last_time_, offset, 0, tasks_.find_or_add(-1, 0, ""), static_cast<uint16_t>(parsed_.cpu), kind, 0,
                 static_cast<uint16_t>(PayloadForm::lost)});
  }

  /// A mark has no time of its own; the gap it tells of ends with the event in the next line.
  void settle_lost_times() {
    for (; untimed_lost_ != 0; --untimed_lost_) parts_.events[parts_.events.size() - untimed_lost_].time_ns = parsed_.time;
  }

  /// What a comment says counts from its place on: only the first piece knows what was said before it.
  bool take_comment(std::string_view line) {
    if (!first_) {
      comments_.emplace_back(line, line_);
      return true;
    }
    auto said = read_comment(line, line_, parts_.info);
    if (said) return true;
    error_ = std::move(said.error());
    return false;
  }

  /// Free text goes on in the next line (markers, stack traces), and tools print a few lines before the first event.
  /// Anything else in the middle of events is damage.
  bool take_other(std::string_view line) {
    if (parts_.events.empty() && line.starts_with("cpus=")) {
      if (const auto cpus = parse_number(line.substr(5), false); cpus && *cpus <= 1u << 16) {
        parts_.info.cpus = static_cast<uint32_t>(*cpus);
      }
      return true;
    }
    const size_t first = line.find_first_not_of(' ');
    const bool stack = first != std::string_view::npos && line.substr(first).starts_with("=>");
    const bool free_text = last_form_ == PayloadForm::print ||
                           (last_form_ == PayloadForm::fields && last_event_.find('=') == std::string_view::npos);
    if (!parts_.events.empty() && !stack && !free_text) {
      return set_error("not a line of an ftrace text: " + quoted(line));
    }
    if (parts_.info.unparsed_lines++ == 0) parts_.info.first_unparsed_line = line_;
    return true;
  }

  /// The first probe event tells trace-cmd's two ways of printing from the kernel's.
  void note_format(std::string_view payload) {
    if (payload.starts_with("__probe_")) {
      parts_.info.format = "trace-cmd report -R";
      format_known_ = true;
    } else if (payload.starts_with('(')) {
      const auto symbols = probe_symbols(payload);
      if (!symbols) return;
      const std::string_view place = symbols->func.empty() ? symbols->ip : symbols->func;
      if (parse_number(place, true)) {
        parts_.info.format = "trace-cmd report";
        parts_.info.arrays_reliable = false;
      }
      format_known_ = true;
    }
  }

  Result<Trace::Parts> finished() {
    TraceInfo& info = parts_.info;
    if (parts_.events.empty()) {
      return fail(Error{"holds no events (" + std::to_string(line_) + " lines read)", info.name, 0, 0, false});
    }
    settle_lost_at_end();
    if (info.has_entry_counts && parts_.events.size() + info.lost_events < info.entries_in_buffer) {
      std::string message = "the header announces " + std::to_string(info.entries_in_buffer) + " events, but the file ends after " +
                            std::to_string(parts_.events.size()) + " (a truncated copy? if events were left out on purpose, " +
                            "remove the entries-in-buffer line)";
      return fail(Error::at_line(info.name, line_, std::move(message)));
    }
    if (!sorted_) {
      std::stable_sort(parts_.events.begin(), parts_.events.end(),
                       [](const TraceEvent& a, const TraceEvent& b) { return a.time_ns < b.time_ns; });
    }
    if (parts_.events.capacity() > parts_.events.size() + parts_.events.size() / 4) parts_.events.shrink_to_fit();
    parts_.tasks = tasks_.take();
    parts_.kinds = kinds_.take();
    parts_.decoder = std::make_unique<TextDecoder>(bytes_, parts_.kinds);
    progress_.at("reading", text_.size(), text_.size());
    return std::move(parts_);
  }

  void settle_lost_at_end() {
    for (; untimed_lost_ != 0; --untimed_lost_) parts_.events[parts_.events.size() - untimed_lost_].time_ns = last_time_;
  }

  std::shared_ptr<const Bytes> bytes_;
  std::string_view text_;
  const Progress& progress_;
  Trace::Parts parts_;
  KindTable kinds_;
  TaskTable tasks_;
  ParsedLine parsed_;
  EventName name_;
  Error error_;
  uint64_t line_ = 0;
  int64_t last_time_ = std::numeric_limits<int64_t>::min();
  uint64_t untimed_lost_ = 0;
  PayloadForm last_form_ = PayloadForm::fields;
  std::string_view last_event_;
  bool format_known_ = false;
  bool sorted_ = true;
  bool first_ = true;      ///< this is the first piece
  bool stopped_ = false;   ///< by error_
  std::vector<std::pair<std::string_view, uint64_t>> comments_;   ///< of a later piece, with their lines in it
};

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

  Result<Trace::Parts> read(std::shared_ptr<const Bytes> bytes, std::string_view name,
                            const Progress& progress) const override {
    const size_t threads = std::clamp(std::thread::hardware_concurrency(), 1u, most_pieces);
    const size_t pieces = std::clamp<size_t>(bytes->view().size() / least_piece, 1, threads);
    return read_ftrace_text(std::move(bytes), name, progress, pieces);
  }
};

}  // namespace

Result<Trace::Parts> read_ftrace_text(const std::shared_ptr<const Bytes>& bytes, std::string_view name, const Progress& progress,
                                      size_t pieces) {
  const std::vector<size_t> cuts = cuts_of(bytes->view(), pieces);
  const size_t count = cuts.size() - 1;
  std::deque<Scanner> scanners;  // they do not move
  for (size_t piece = 0; piece < count; ++piece) scanners.emplace_back(bytes, name, progress);
  std::vector<std::future<void>> running;
  for (size_t piece = 1; piece < count; ++piece) {
    running.push_back(std::async(std::launch::async, [&, piece] { scanners[piece].scan(cuts[piece], cuts[piece + 1], count); }));
  }
  scanners[0].scan(0, cuts[1], count);
  for (std::future<void>& one : running) one.get();
  for (size_t piece = 1; piece < count; ++piece) scanners[0].take_over(std::move(scanners[piece]));
  return scanners[0].finish();
}

const TraceSource& ftrace_text_source() {
  static const FtraceText source;
  return source;
}

}  // namespace hmmscope::traces
