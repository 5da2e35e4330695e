#include "traces/reader/text_line.h"

#include <array>
#include <limits>

namespace hmmscope::traces {
namespace {

constexpr size_t comm_column = 16;          // "%16s-" of the normal form
constexpr size_t latency_comm_column = 8;   // "%8.8s-" of the latency form
constexpr size_t search_columns = 160;      // how far a shortened line is searched for its pid

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// A cursor over the line; every read is checked against the end.
struct Scan {
  const char* at;
  const char* end;

  bool done() const { return at == end; }
  char peek() const { return at == end ? '\0' : *at; }
  bool take(char c) {
    if (at == end || *at != c) return false;
    ++at;
    return true;
  }
  bool take(std::string_view text) {
    if (static_cast<size_t>(end - at) < text.size() || std::string_view(at, text.size()) != text) return false;
    at += text.size();
    return true;
  }
  bool spaces() {
    const char* const begin = at;
    while (at != end && *at == ' ') ++at;
    return at != begin;
  }
  /// At least one digit; `overflow` is set when the number does not fit 63 bits (the digits are still eaten).
  bool digits(uint64_t& value, bool& overflow, uint32_t& count) {
    const char* const begin = at;
    uint64_t v = 0;
    while (at != end && is_digit(*at)) v = v * 10 + static_cast<uint64_t>(*at++ - '0');
    const auto n = static_cast<uint64_t>(at - begin);
    overflow = n > 18;
    count = n > 99 ? 99 : static_cast<uint32_t>(n);
    value = v;
    return n != 0;
  }
};

constexpr std::array<int64_t, 10> scale_to_ns = {1000000000, 100000000, 10000000, 1000000, 100000,
                                                 10000,      1000,      100,      10,      1};

/// "75.446146:", "75.446146123:", "12345:", "123us+:"
LineKind parse_time(Scan& scan, ParsedLine& out) {
  uint64_t whole = 0;
  bool overflow = false;
  uint32_t count = 0;
  if (!scan.digits(whole, overflow, count)) return LineKind::other;
  if (scan.take('.')) {
    uint64_t fraction = 0;
    bool fraction_overflow = false;
    uint32_t digits = 0;
    if (!scan.digits(fraction, fraction_overflow, digits)) return LineKind::other;
    if (!scan.take(':')) return LineKind::other;
    if (overflow || whole > 9'000'000'000 || digits > 9) {
      out.problem = "the time is out of range";
      return LineKind::bad;
    }
    out.digits = static_cast<uint8_t>(digits);
    out.time = static_cast<int64_t>(whole) * 1'000'000'000 + static_cast<int64_t>(fraction) * scale_to_ns[digits];
    return LineKind::event;
  }
  // The latency form counts microseconds from the start of the buffer, with a mark for long gaps.
  const bool micro = scan.take("us");
  if (micro && !scan.done() && (*scan.at == '+' || *scan.at == '!' || *scan.at == '#' || *scan.at == '*' ||
                                *scan.at == '@' || *scan.at == '$')) {
    ++scan.at;
  }
  if (micro) scan.spaces();
  if (!scan.take(':')) return LineKind::other;
  if (overflow || (micro && whole > 9'000'000'000'000'000)) {
    out.problem = "the time is out of range";
    return LineKind::bad;
  }
  out.digits = micro ? 6 : 0;
  out.time = static_cast<int64_t>(whole) * (micro ? 1000 : 1);
  return LineKind::event;
}

/// "[001] d..1. " or, in the latency form, "1d..1. ". Flags are any characters that are not spaces; they are told
/// from a time by what follows them.
bool parse_cpu(Scan& scan, ParsedLine& out, bool& overflow) {
  uint64_t cpu = 0;
  uint32_t count = 0;
  const bool bracket = scan.take('[');
  if (!scan.digits(cpu, overflow, count)) return false;
  if (bracket) {
    if (!scan.take(']') || !scan.spaces()) return false;
  }
  overflow = overflow || cpu > std::numeric_limits<uint16_t>::max();
  out.cpu = static_cast<uint32_t>(cpu);
  if (!bracket && (scan.peek() == ' ' || scan.done())) return false;  // the latency form always has flags
  return true;
}

LineKind parse_flags_and_time(Scan& scan, ParsedLine& out) {
  const char* const begin = scan.at;
  LineKind kind = parse_time(scan, out);
  if (kind != LineKind::other) return kind;
  scan.at = begin;
  uint32_t length = 0;
  while (!scan.done() && *scan.at != ' ' && length < 12) ++scan.at, ++length;
  if (length == 0 || !scan.spaces()) return LineKind::other;
  return parse_time(scan, out);
}

/// "(+51)    ": trace-cmd report --ts-diff prints the time since the event before.
void skip_difference(Scan& scan) {
  Scan ahead = scan;
  uint64_t ticks = 0;
  bool overflow = false;
  uint32_t count = 0;
  if (ahead.take("(+") && ahead.digits(ticks, overflow, count) && ahead.take(')') && ahead.spaces()) scan = ahead;
}

/// `dash` is where the '-' before the pid would stand.
LineKind parse_at(std::string_view line, size_t dash, ParsedLine& out) {
  Scan scan{line.data() + dash, line.data() + line.size()};
  uint64_t pid = 0, tgid = 0;
  bool pid_overflow = false, tgid_overflow = false, cpu_overflow = false;
  uint32_t count = 0;
  if (!scan.take('-') || !scan.digits(pid, pid_overflow, count) || !scan.spaces()) return LineKind::other;
  if (scan.take('(')) {
    scan.spaces();
    if (scan.peek() == '-') {
      while (scan.take('-')) {
      }
    } else if (!scan.digits(tgid, tgid_overflow, count)) {
      return LineKind::other;
    }
    if (!scan.take(')') || !scan.spaces()) return LineKind::other;
  }
  if (!parse_cpu(scan, out, cpu_overflow)) return LineKind::other;
  const LineKind kind = parse_flags_and_time(scan, out);
  if (kind != LineKind::event && kind != LineKind::bad) return kind;
  if (!scan.spaces()) return LineKind::other;
  skip_difference(scan);
  constexpr uint64_t pid_max = std::numeric_limits<int32_t>::max();
  if (pid_overflow || pid > pid_max || tgid_overflow || tgid > pid_max) out.problem = "the pid is out of range";
  if (cpu_overflow) out.problem = "the cpu number is out of range";
  out.pid = static_cast<int32_t>(pid);
  out.tgid = static_cast<int32_t>(tgid);
  out.event_at = static_cast<uint32_t>(scan.at - line.data());
  size_t first = 0;
  while (first < dash && line[first] == ' ') ++first;
  out.comm = line.substr(first, dash - first);
  return out.problem != nullptr ? LineKind::bad : LineKind::event;
}

/// "CPU:1 [LOST 12 EVENTS]", "CPU:1 [LOST EVENTS]", "CPU:1 [12 EVENTS DROPPED]", "CPU:1 [EVENTS DROPPED]"
LineKind parse_lost(std::string_view line, ParsedLine& out) {
  Scan scan{line.data(), line.data() + line.size()};
  uint64_t cpu = 0;
  uint32_t count = 0;
  bool cpu_overflow = false, overflow = false;
  if (!scan.take("CPU:") || !scan.digits(cpu, cpu_overflow, count) || !scan.take(" [")) return LineKind::other;
  const bool kernel_form = scan.take("LOST ");
  out.lost_known = scan.digits(out.lost, overflow, count);
  if (out.lost_known && !scan.take(' ')) return LineKind::other;
  if (!scan.take(kernel_form ? "EVENTS]" : "EVENTS DROPPED]")) return LineKind::other;
  if (overflow) out.problem = "the number of lost events is out of range";
  if (cpu_overflow || cpu > std::numeric_limits<uint16_t>::max()) out.problem = "the cpu number is out of range";
  out.cpu = static_cast<uint32_t>(cpu);
  return out.problem != nullptr ? LineKind::bad : LineKind::lost;
}

LineKind try_column(std::string_view line, size_t column, ParsedLine& out) {
  if (line.size() <= column + 1 || line[column] != '-' || !is_digit(line[column + 1])) return LineKind::other;
  return parse_at(line, column, out);
}

LineKind search(std::string_view line, ParsedLine& out) {
  const std::string_view front = line.substr(0, search_columns);
  for (size_t dash = front.find('-'); dash != std::string_view::npos; dash = front.find('-', dash + 1)) {
    const LineKind kind = try_column(line, dash, out);
    if (kind != LineKind::other) return kind;
  }
  return LineKind::other;
}

constexpr std::array<bool, 256> make_name_chars() {
  std::array<bool, 256> table{};
  for (unsigned c = 0; c < 256; ++c) {
    table[c] = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
               c == '-' || c == '$';
  }
  return table;
}
constexpr std::array<bool, 256> name_chars = make_name_chars();

PayloadForm form_of_name(std::string_view& name) {
  switch (name.front()) {
    case 't':
    case 'p':
      if (name != "tracing_mark_write" && name != "print") break;
      name = "print";
      return PayloadForm::print;
    case 's':
      if (name.starts_with("sys_enter_")) return PayloadForm::enter;
      if (name.starts_with("sys_exit_")) return PayloadForm::exit;
      break;
    default: break;
  }
  return PayloadForm::fields;
}

}  // namespace

LineKind parse_line(std::string_view line, ParsedLine& out) {
  out.problem = nullptr;
  LineKind kind = try_column(line, comm_column, out);
  if (kind != LineKind::other) return kind;
  if (line.empty()) return LineKind::blank;
  kind = try_column(line, latency_comm_column, out);  // the names of tasks there may begin in the first column
  if (kind != LineKind::other) return kind;
  if (line.front() == '#') return LineKind::comment;
  if (line.front() == 'C') {
    kind = parse_lost(line, out);
    if (kind != LineKind::other) return kind;
  }
  kind = search(line, out);
  if (kind != LineKind::other) return kind;
  return line.find_first_not_of(" \t\r") == std::string_view::npos ? LineKind::blank : LineKind::other;
}

bool split_event(std::string_view event, EventName& out) {
  size_t n = 0;
  while (n < event.size() && name_chars[static_cast<uint8_t>(event[n])]) ++n;
  if (n == 0) return false;
  out.add_enter = out.add_exit = false;
  out.form = PayloadForm::fields;
  out.name = event.substr(0, n);
  const char next = n < event.size() ? event[n] : '\0';
  if (next == ':') {
    size_t at = n + 1;
    while (at < event.size() && event[at] == ' ') ++at;
    out.payload_at = static_cast<uint32_t>(at);
    out.form = form_of_name(out.name);
    return true;
  }
  if (out.name.starts_with("sys_") && next == '(') {
    out.name.remove_prefix(4);
    out.add_enter = true;
    out.form = PayloadForm::enter;
    out.payload_at = static_cast<uint32_t>(n + 1);
    return true;
  }
  if (out.name.starts_with("sys_") && event.substr(n).starts_with(" -> ")) {
    out.name.remove_prefix(4);
    out.add_exit = true;
    out.form = PayloadForm::exit;
    out.payload_at = static_cast<uint32_t>(n + 4);
    return true;
  }
  if (event.substr(n).starts_with(" <-")) {  // the function tracer
    out.name = "function";
    out.form = PayloadForm::print;
    out.payload_at = 0;
    return true;
  }
  return false;
}

}  // namespace hmmscope::traces
