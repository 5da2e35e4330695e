#pragma once
/// The events of one kernel trace: a compact index over the trace's own bytes. Scanning fills the index; fields are
/// decoded from the bytes when asked for, without allocation. Every format (ftrace text, trace-cmd report, trace.dat)
/// yields the same kinds and field names, so consumers know one vocabulary.
///
/// Kind names are the event names of tracefs: "rf_in", "sched_process_fork", "sys_enter_mmap", "sys_exit_mmap" (text
/// prints those two as "sys_mmap(...)" and "sys_mmap -> "), "print" for trace_marker lines (field "buf"), and
/// "lost_events" (field "count") for a mark that the ring buffer overwrote events.
/// Field names are those of the event's format file: "start", "pfns", "ret" (sys_exit and return probes),
/// "parent_comm"/"parent_pid" (sched_process_fork, which text prints as comm/pid), "__probe_ip" (entry probes),
/// "__probe_func" and "__probe_ret_ip" (return probes).
///
/// Ownership: a Trace owns (or maps) the bytes; EventView and every string_view from it live as long as the Trace.
/// Threads: immutable after reading, any number of readers.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.h"
#include "traces/reader/event_table.h"

namespace hmmscope::traces {

inline constexpr uint32_t array_limit = 64;   ///< elements of an array a probe shows at most

/// A note of the capture scripts, "maps 123 start" and what it says, a line each.
struct TraceSection {
  std::string title;
  std::string text;
};

/// What the trace says of itself. Unknown texts are empty, unknown numbers 0.
struct TraceInfo {
  std::string name;            ///< file name as opened, for messages
  std::string format;          ///< "ftrace text", "trace-cmd report", "trace-cmd report -R", "trace.dat",
                               ///< "hmmscope capture"
  std::string kernel;          ///< uname release: "6.12.117-hmmcap"
  std::string arch;            ///< "x86_64"
  std::string patch;           ///< "none", "dma-mapped-v9-as-posted"; "" when the trace does not say
  std::string config;          ///< "DEVICE_PRIVATE=y,MIGRATION=y,..."
  std::string tracer;          ///< "nop"
  uint32_t page_shift = 0;
  uint32_t page_table_levels = 0;
  uint32_t cpus = 0;
  bool has_entry_counts = false;  ///< the two below were given
  uint64_t entries_in_buffer = 0;
  uint64_t entries_written = 0;
  uint64_t lost_events = 0;    ///< sum of the lost-event marks
  uint32_t clock_digits = 0;   ///< digits after the point: 6 us, 9 ns, 0 a counter clock (times are then plain counts)
  bool arrays_reliable = true; ///< false for `trace-cmd report` without -R, see unreliable_arrays
  uint64_t unparsed_lines = 0; ///< lines that are neither comment nor event (continuations of a marker, tool chatter)
  uint64_t first_unparsed_line = 0;
  uint64_t left_out_line = 0;  ///< the last line, an event without a newline behind it, which may be cut inside a number; 0: none
  std::optional<Error> incomplete;   ///< why this is not all that the file once held (ReadOptions::accept_incomplete)
  std::vector<TraceSection> sections;  ///< empty but for captures of the scripts in traces/capture

  /// What the section "about" of a capture says behind this key; empty when it does not.
  std::string_view about(std::string_view key) const;
};

struct TraceTask {
  int32_t pid = 0;             ///< -1: no task (lost-event marks)
  int32_t tgid = 0;            ///< 0 = not recorded
  std::string name;            ///< the name printed with the pid; "<...>" when the kernel had forgotten it
};

/// What makes every array of such a trace worthless: which element is printed for all of them, or 0 for all, depends
/// on the version of trace-cmd.
inline constexpr std::string_view unreliable_arrays =
    "the trace is of trace-cmd report without -R, which does not print the elements of arrays: use trace-cmd report -R";

/// Decodes the payload of one event. Implemented once a format.
class FieldDecoder {
 public:
  virtual ~FieldDecoder() = default;
  /// The number of a field; false when the field is absent, "(fault)" or not a number. (By reference: this is what a
  /// replay asks most, and an optional on its way through memory costs more than many a decoding.)
  virtual bool number(const TraceEvent& event, std::string_view name, uint64_t& number) const = 0;
  /// A string, symbol ("hmm_range_fault+0x4/0x80") or the printed form of a number.
  virtual std::optional<std::string_view> text(const TraceEvent& event, std::string_view name) const = 0;
  /// Fills `out` with as many elements as it holds, and returns how many the field has; nothing when absent or unreadable.
  virtual std::optional<uint32_t> array(const TraceEvent& event, std::string_view name, std::span<uint64_t> out) const = 0;
  /// The event has an array of this name, but it is cut short or holds something that is no number.
  virtual bool array_damaged(const TraceEvent& event, std::string_view name) const = 0;
  /// The printed payload of the event (for event tables); for binary sources made on demand, so owned by the result.
  virtual std::string payload(const TraceEvent& event) const = 0;
};

class Trace;

/// One event with its trace: cheap to copy, valid as long as the trace.
class EventView {
 public:
  EventView(const Trace& trace, const TraceEvent& event) : trace_(&trace), event_(event) {}

  int64_t time_ns() const { return event_.time_ns; }
  uint32_t line() const { return event_.line; }
  uint16_t cpu() const { return event_.cpu; }
  KindId kind() const { return event_.kind; }
  uint32_t task() const { return event_.task; }
  const TraceEvent& raw() const { return event_; }
  int32_t pid() const;
  std::string_view kind_name() const;

  std::optional<uint64_t> number(std::string_view name) const;
  /// As number, read as signed ("ret=-16").
  std::optional<int64_t> integer(std::string_view name) const;
  std::optional<std::string_view> text(std::string_view name) const;
  std::optional<uint32_t> array(std::string_view name, std::span<uint64_t> out) const;
  bool array_damaged(std::string_view name) const;
  std::string payload() const;
  /// "name:line" of this event, for errors.
  Error error(std::string message) const;

 private:
  const Trace* trace_;
  TraceEvent event_;
};

class Trace {
 public:
  /// The parts a reader hands over when it is done.
  struct Parts {
    TraceInfo info;
    EventTable events;
    std::vector<TraceTask> tasks;
    std::vector<std::string> kinds;
    std::unique_ptr<const FieldDecoder> decoder;
  };
  explicit Trace(Parts parts) : parts_(std::move(parts)) {}

  const TraceInfo& info() const { return parts_.info; }
  /// In the order of the trace (time order; equal times keep the order of the source).
  const EventTable& events() const { return parts_.events; }
  size_t size() const { return parts_.events.size(); }
  EventView operator[](size_t index) const { return {*this, parts_.events[index]}; }
  std::span<const TraceTask> tasks() const { return parts_.tasks; }
  /// Map names to your own numbers once, then compare KindIds.
  std::span<const std::string> kinds() const { return parts_.kinds; }
  KindId kind(std::string_view name) const;   ///< no_kind when no event has that name
  const FieldDecoder& decoder() const { return *parts_.decoder; }
  size_t index_bytes() const;                 ///< heap held by the index (not the bytes of the trace)

 private:
  Parts parts_;
};

inline std::optional<uint64_t> EventView::number(std::string_view name) const {
  uint64_t number;
  if (!trace_->decoder().number(event_, name, number)) return std::nullopt;
  return number;
}

}  // namespace hmmscope::traces
