#pragma once
/// The grammar of one line of ftrace text: `trace`, `trace_pipe` and `trace-cmd report`, with or without the columns
/// for latency flags and thread group.
///
///   <comm>-<pid> [(<tgid>)] [<cpu>] [<flags>] <time>: <event...>       the normal form
///   <comm>-<pid> <cpu><flags> <time>: <event...>                       the latency form
/// (trace-cmd report --ts-diff puts "(+<ticks>)" in front of the event.)
///   CPU:<n> [LOST <n> EVENTS]   CPU:<n> [<n> EVENTS DROPPED]           lost events
///
/// A comm may hold anything (spaces, dashes, brackets, digits, colons). The kernel and trace-cmd right-align it in 16
/// columns (8 in the latency form) and a comm has at most 15 bytes, so the dash before the pid stands in that column;
/// only lines that were shortened by other tools are searched for the first place where the grammar fits.

#include <cstdint>
#include <string_view>

namespace hmmscope::traces {

enum class LineKind : uint8_t {
  other,     ///< none of the others
  blank,
  comment,   ///< begins with '#'
  event,
  lost,      ///< a lost-event mark
  bad,       ///< the form of an event with a number that cannot be; `problem` says which
};

struct ParsedLine {
  std::string_view comm;     ///< without padding
  int64_t time = 0;          ///< nanoseconds; a plain count when digits is 0
  int32_t pid = 0;
  int32_t tgid = 0;
  uint32_t cpu = 0;
  uint32_t event_at = 0;     ///< offset in the line of what follows "time: "
  uint8_t digits = 0;        ///< digits behind the point of the time; 0 = a count
  bool lost_known = false;   ///< lost marks: the number is known
  uint64_t lost = 0;
  const char* problem = nullptr;
};

/// `line` without its newline. Time is linear in the part of the line before the event.
LineKind parse_line(std::string_view line, ParsedLine& out);

/// Blanks and carriage returns behind a line are of tools that copied it.
inline std::string_view without_line_end(std::string_view line) {
  while (!line.empty() && (line.back() == ' ' || line.back() == '\t' || line.back() == '\r')) line.remove_suffix(1);
  return line;
}

/// Bytes of the mark that some tools put in front of UTF-8.
inline size_t byte_order_mark(std::string_view text) { return text.starts_with("\xef\xbb\xbf") ? 3 : 0; }

/// How the payload of an event is written.
enum class PayloadForm : uint8_t {
  fields,      ///< "(probe) name=value ..."
  enter,       ///< system call: "name: value, name: value"
  exit,        ///< system call: the return value
  print,       ///< free text
  lost,        ///< a lost-event mark
};

struct EventName {
  std::string_view name;     ///< canonical, but for the prefix of system calls
  PayloadForm form = PayloadForm::fields;
  bool add_enter = false;    ///< canonical name is "sys_enter_" + name
  bool add_exit = false;
  uint32_t payload_at = 0;   ///< offset in `event`
};
/// Splits "rf_in: (hmm...", "sys_mmap(addr: 0, ...", "sys_mmap -> 0x7f", "func <-caller", "name:   payload".
/// False when there is no name.
bool split_event(std::string_view event, EventName& out);

}  // namespace hmmscope::traces
