#include "traces/reader/text_scanner.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "traces/reader/text_decoder.h"
#include "traces/reader/text_fields.h"
#include "traces/reader/trace_info.h"

namespace hmmscope::traces {
namespace {

constexpr uint64_t bytes_a_report = 1u << 20;
constexpr uint64_t bytes_a_look = 1u << 16;    // bytes between two looks at cancelling and prefixes
constexpr size_t longest_name = 128;         // of an event; longer ones are not names
constexpr size_t quoted_part = 60;           // of a line, in an error
constexpr ptrdiff_t known_reach = 144;       // bytes of a line that the memos may look at

std::string quoted(std::string_view line) {
  std::string text;
  for (const char c : line.substr(0, quoted_part)) text += c >= ' ' && c <= '~' ? c : '?';
  return "\"" + text + (line.size() > quoted_part ? "...\"" : "\"");
}

/// Most payloads are short; the call pays only for the long ones.
inline const char* find_newline(const char* at, const char* end) {
  for (const char* const near = at + 64; at != near && end - at >= 16; at += 16) {
    if (const uint32_t found = equal_mask(at, '\n'); found != 0) return at + std::countr_zero(found);
  }
  return static_cast<const char*>(std::memchr(at, '\n', static_cast<size_t>(end - at)));
}

}  // namespace

TextScanner::TextScanner(std::string_view name, ReadWatch& watch, bool first)
    : watch_(watch), progress_(watch.progress()), first_(first) {
  parts_.info.name = name;
  parts_.info.format = "ftrace text";
}

bool TextScanner::scan(const std::shared_ptr<const Bytes>& text, uint64_t from, uint64_t to, uint64_t expected, size_t pieces) {
  if (stopped_) return false;
  bytes_ = text;
  begin_ = text->view().data();
  if (next_look_ == 0) next_look_ = from + bytes_a_look, next_report_ = from + bytes_a_report;
  const char* const end = begin_ + to;
  for (const char* at = begin_ + from; at != end;) {
    ++line_;
    if (const char* next = take_known(at, end); next != nullptr) {
      at = next;
    } else {
      const auto* newline = static_cast<const char*>(std::memchr(at, '\n', static_cast<size_t>(end - at)));
      if (newline == nullptr) {
        leave_out({at, static_cast<size_t>(end - at)});
        return true;
      }
      if (!take_line({at, static_cast<size_t>(newline - at)}, static_cast<uint64_t>(at - begin_))) {
        stop(std::move(error_));
        return false;
      }
      at = newline + 1;
    }
    if (const auto done = static_cast<uint64_t>(at - begin_); done >= next_look_) {
      next_look_ = done + bytes_a_look;
      if (progress_.cancelled()) {
        stop(Error{"cancelled", {}, 0, 0, false});
        return false;
      }
      look();
      if (done < next_report_) continue;
      if (first_) progress_.at("reading", expected == 0 ? done : std::min<uint64_t>(done * pieces, expected), expected);
      next_report_ = done + bytes_a_report;
    }
  }
  return true;
}

void TextScanner::end_at(std::string_view text, uint64_t from) {
  if (stopped_ || from == text.size()) return;
  ++line_;
  leave_out(text.substr(from));
}

void TextScanner::look() {
  if (first_ && watch_.due(parts_.events.size())) watch_.hand_out(prefix());
}

void TextScanner::stop(Error error) {
  if (stopped_) return;
  error_ = std::move(error);
  stopped_ = true;
}

bool TextScanner::set_error(std::string message) {
  error_ = Error::at_line(parts_.info.name, line_, std::move(message));
  return false;
}

/// A line without an end may be cut inside a number, which nobody can see: it is never taken for an event.
void TextScanner::leave_out(std::string_view rest) { unended_ = rest; }

Error TextScanner::at_end(std::string message) const { return Error::at_line(parts_.info.name, line_, std::move(message)); }

/// A line whose task, CPU, flags, seconds and event name were all met before: the byte behind it, or nullptr when it is
/// not such a line. What it does is what take_event does.
const char* TextScanner::take_known(const char* line, const char* end) {
  if (std::endian::native != std::endian::little || end - line < known_reach) return nullptr;
  const auto time = TimePlace::find(line);
  if (!time) return nullptr;
  const FrontMemo::Front* front = fronts_.find(line, time->point);
  const auto fraction = time->fraction(line);
  const char* const name = line + time->colon + 2;
  if (front == nullptr || !fraction || name[-1] != ' ' || *name == ' ') return nullptr;
  const size_t name_size = NameMemo::size_of(name);
  if (name_size == 0 || name_size > NameMemo::most) return nullptr;
  const NameMemo::Name* known = names_.find(name, name_size);
  if (known == nullptr) return nullptr;
  const char* payload = name + name_size + 1;
  const uint32_t blanks = equal_mask(payload, ' ') | equal_mask(payload + 16, ' ') << 16;   // names are padded to columns
  if (blanks == ~uint32_t{0}) return nullptr;
  payload += std::countr_one(blanks);
  const char* const newline = find_newline(payload, end);
  if (newline == nullptr || line_ > std::numeric_limits<uint32_t>::max()) return nullptr;
  if (known->form == PayloadForm::fields && !format_known_) note_format({payload, static_cast<size_t>(newline - payload)});
  last_form_ = known->form;
  last_event_ = {name, static_cast<size_t>(newline - name)};
  add(front->seconds_ns + *fraction,
      {0, static_cast<uint64_t>(line - begin_), 0, front->task, front->cpu, known->kind, static_cast<uint16_t>(payload - line),
       static_cast<uint16_t>(known->form)});
  return newline + 1;
}

/// For take_known: the event in parsed_ and name_, which was added last.
void TextScanner::remember(std::string_view line) {
  if (task_changes_ != tasks_.changes()) {  // a front would bring an old name back
    fronts_.forget();
    task_changes_ = tasks_.changes();
  }
  constexpr size_t comm_columns = 16;
  if (line.size() < static_cast<size_t>(known_reach) || parsed_.comm.data() + parsed_.comm.size() != line.data() + comm_columns) return;
  const auto time = TimePlace::find(line.data());
  if (!time || time->point < FrontMemo::least || time->colon + 2 != parsed_.event_at || time->digits != parsed_.digits) return;
  const auto fraction = time->fraction(line.data());
  if (!fraction) return;
  const TraceEvent event = parts_.events[parts_.events.size() - 1];
  fronts_.add(line.data(), time->point, {event.time_ns - *fraction, event.task, event.cpu});
  const char* const name = line.data() + parsed_.event_at;
  const size_t size = NameMemo::size_of(name);
  if (size != 0 && size <= NameMemo::most && !name_.add_enter && !name_.add_exit && name_.payload_at > size) names_.add(name, size, {event.kind, name_.form});
}

bool TextScanner::take_line(std::string_view line, uint64_t offset) {
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

bool TextScanner::take_event(std::string_view line, uint64_t offset) {
  const std::string_view event = line.substr(parsed_.event_at);
  const bool named = split_event(event, name_) && name_.name.size() <= longest_name;
  if (!named) name_ = {"other", PayloadForm::print, false, false, 0};  // e.g. "<stack trace>"
  const KindId kind = kinds_.find_or_add(name_);
  if (kind == no_kind) return set_error("more than 65534 different event names: this is not a trace");
  if (line_ > std::numeric_limits<uint32_t>::max()) return set_error("more than 4294967295 lines");
  if (name_.form == PayloadForm::fields && !format_known_) note_format(event.substr(name_.payload_at));
  parts_.info.clock_digits = std::max<uint32_t>(parts_.info.clock_digits, parsed_.digits);
  last_form_ = name_.form;
  last_event_ = event;
  add(parsed_.time, {0, offset, 0, tasks_.find_or_add(parsed_.pid, parsed_.tgid, parsed_.comm), static_cast<uint16_t>(parsed_.cpu), kind,
                     static_cast<uint16_t>(parsed_.event_at + name_.payload_at), static_cast<uint16_t>(name_.form)});
  if (named) remember(line);
  return true;
}

void TextScanner::add(int64_t time, TraceEvent event) {
  if (!marks_.empty()) settle_marks(time);
  sorted_ = sorted_ && time >= last_time_;
  last_time_ = time;
  event.time_ns = time;
  event.line = static_cast<uint32_t>(line_);
  parts_.events.push_back(event);
}

bool TextScanner::take_lost(uint64_t offset) {
  if (line_ > std::numeric_limits<uint32_t>::max()) return set_error("more than 4294967295 lines");
  const KindId kind = kinds_.find_or_add({"lost_events", PayloadForm::lost, false, false, 0});
  parts_.info.lost_events += parsed_.lost_known ? parsed_.lost : 1;
  last_form_ = PayloadForm::lost;
  marks_.push_back({0, offset, static_cast<uint32_t>(line_), tasks_.find_or_add(-1, 0, ""), static_cast<uint16_t>(parsed_.cpu), kind, 0,
                    static_cast<uint16_t>(PayloadForm::lost)});
  return true;
}

/// A mark has no time of its own; the gap it tells of ends with the event in the next line.
void TextScanner::settle_marks(int64_t time) {
  for (TraceEvent& mark : marks_) {
    mark.time_ns = time;
    parts_.events.push_back(mark);
  }
  marks_.clear();
}

/// What a comment says counts from its place on: only the first piece knows what was said before it.
bool TextScanner::take_comment(std::string_view line) {
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
bool TextScanner::take_other(std::string_view line) {
  const bool before_events = parts_.events.empty() && marks_.empty();
  if (before_events && line.starts_with("cpus=")) {
    if (const auto cpus = parse_number(line.substr(5), false); cpus && *cpus <= 1u << 16) {
      parts_.info.cpus = static_cast<uint32_t>(*cpus);
    }
    return true;
  }
  const size_t start = line.find_first_not_of(' ');
  const bool stack = start != std::string_view::npos && line.substr(start).starts_with("=>");
  const bool free_text = last_form_ == PayloadForm::print ||
                         (last_form_ == PayloadForm::fields && last_event_.find('=') == std::string_view::npos);
  verbose_ = verbose_ || (before_events && line.find("ms (+") != std::string_view::npos);
  if (!before_events && !stack && !free_text) return set_error("not a line of an ftrace text: " + quoted(line));
  if (parts_.info.unparsed_lines++ == 0) parts_.info.first_unparsed_line = line_;
  return true;
}

/// The first probe event tells trace-cmd's two ways of printing from the kernel's.
void TextScanner::note_format(std::string_view payload) {
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

void TextScanner::take_over(TextScanner&& next) {
  if (stopped_) return;
  for (const auto& [line, number] : next.comments_) {
    if (auto said = read_comment(line, line_ + number, parts_.info); !said) return stop(std::move(said.error()));
  }
  if (line_ + next.line_ > std::numeric_limits<uint32_t>::max()) {
    set_error("more than 4294967295 lines");
    return stop(std::move(error_));
  }
  if (!next.parts_.events.empty()) {
    const int64_t time = next.parts_.events[0].time_ns;
    settle_marks(time);
    sorted_ = sorted_ && time >= last_time_;
  }
  std::vector<KindId> kinds;
  for (std::string& kind : next.kinds_.take()) kinds.push_back(kinds_.find_or_add_canonical(std::move(kind)));
  if (std::find(kinds.begin(), kinds.end(), no_kind) != kinds.end()) {
    set_error("more than 65534 different event names: this is not a trace");
    return stop(std::move(error_));
  }
  std::vector<uint32_t> tasks;
  for (const TraceTask& task : next.tasks_.take()) tasks.push_back(tasks_.find_or_add(task.pid, task.tgid, task.name));
  const auto here = [&](TraceEvent event) {
    event.line += static_cast<uint32_t>(line_);
    event.kind = kinds[event.kind];
    event.task = tasks[event.task];
    return event;
  };
  parts_.events.append(next.parts_.events, kinds, tasks, static_cast<uint32_t>(line_));
  for (const TraceEvent& mark : next.marks_) marks_.push_back(here(mark));
  if (next.stopped_ && next.error_.line != 0) next.error_.line += line_;
  unended_ = next.unended_;
  take_over_info(next);
  if (next.stopped_) stop(std::move(next.error_));
}

void TextScanner::take_over_info(const TextScanner& next) {
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
  sorted_ = sorted_ && next.sorted_;
}

/// The events read so far. A mark of lost events has no time before the event behind it.
Trace::Parts TextScanner::prefix() const {
  Trace::Parts parts;
  parts.info = parts_.info;
  parts.events = parts_.events;
  if (!sorted_) parts.events.sort_by_time();
  parts.tasks = tasks_.tasks();
  parts.kinds = kinds_.kinds();
  parts.decoder = std::make_unique<TextDecoder>(bytes_, parts.kinds);
  return parts;
}

/// Why the text is not all of what was written. A last line that is an event as far as it goes, and the last one that is
/// announced, lacks nothing but perhaps its own end: it is left out, and that is noted.
std::optional<Error> TextScanner::missing() {
  TraceInfo& info = parts_.info;
  const LineKind last = unended_ ? parse_line(*unended_, parsed_) : LineKind::blank;
  if (last != LineKind::blank && last != LineKind::event && last != LineKind::comment)
    return at_end("the file ends in the middle of this line: " + quoted(*unended_) + " (a truncated copy?)");
  if (last == LineKind::event) info.left_out_line = line_;
  const uint64_t seen = parts_.events.size() + info.lost_events + (last == LineKind::event ? 1 : 0);
  if (!info.has_entry_counts || seen >= info.entries_in_buffer) return std::nullopt;
  return at_end("the header announces " + std::to_string(info.entries_in_buffer) + " events, but the file ends after " +
                std::to_string(parts_.events.size()) + " (a truncated copy? if events were left out on purpose, " +
                "remove the entries-in-buffer line)");
}

Result<Trace::Parts> TextScanner::finish(const std::shared_ptr<const Bytes>& text) {
  settle_marks(last_time_);
  bytes_ = text;
  if (!stopped_) parts_.info.incomplete = missing();
  if (!stopped_ && parts_.events.empty() && verbose_)
    stop(Error{"is in the verbose latency format, which is not read here: record with the trace option noverbose", parts_.info.name, 0, 0, false});
  if (!stopped_ && parts_.events.empty()) {
    stop(parts_.info.incomplete ? *parts_.info.incomplete
                                : Error{"holds no events (" + std::to_string(line_) + " lines read)", parts_.info.name, 0, 0, false});
  }
  if (stopped_ || parts_.info.incomplete) {
    if (watch_.owes(parts_.events.size())) watch_.hand_out(prefix());
    if (stopped_) return fail(std::move(error_));
  }
  if (!sorted_) parts_.events.sort_by_time();
  parts_.tasks = tasks_.take();
  parts_.kinds = kinds_.take();
  parts_.decoder = std::make_unique<TextDecoder>(bytes_, parts_.kinds);
  progress_.at("reading", text->view().size(), text->view().size());
  return std::move(parts_);
}

}  // namespace hmmscope::traces
