#include <algorithm>

#include "traces/check/summary.h"
#include "traces/export/call_array.h"
#include "traces/export/export.h"
#include "traces/export/text_writer.h"

namespace hmmscope::traces {
namespace {

/// Timestamps of the format are microseconds; a fraction keeps the nanoseconds exact.
struct Micro {
  int64_t ns;
};

class Chrome {
 public:
  Chrome(const Document& document, Sink& sink)
      : document_(document), recording_(*document.recording), out_(sink) {}

  void run() {
    out_.raw("{\"displayTimeUnit\":\"ns\",\"otherData\":{\"title\":").json(document_.title);
    out_.raw(",\"model\":")
        .json(document_.model.id)
        .raw(",\"kernel\":")
        .json(recording_.meta("kernel"))
        .raw("},\n\"traceEvents\":[");
    for (size_t i = 0; i < recording_.tasks().size(); ++i) task(i);
    of_call_ = check_of_calls(recording_);
    for (CallId i = 0; i < recording_.calls().size(); ++i) call(i);
    for (const Event& event : recording_.events()) instant(event);
    for (const CallCheck& check : recording_.checks())
      if (check.verdict != Verdict::agreed) judgement(check);
    for (size_t i = 0; i < document_.gaps.size(); ++i) gap(document_.gaps[i], i == 0);
    out_.raw("\n]}\n");
  }

 private:
  void begin() {
    out_.raw(first_ ? "\n" : ",\n");
    first_ = false;
  }
  void time(std::string_view name, Micro at) {
    const uint64_t magnitude = at.ns < 0 ? 0 - static_cast<uint64_t>(at.ns) : static_cast<uint64_t>(at.ns);
    out_.print(",\"{}\":{}{}.{:03}", name, at.ns < 0 ? "-" : "", magnitude / 1000, magnitude % 1000);
  }
  void place(uint32_t task) {
    // Marks of lost events have no task: -1, which readers refuse.
    const int32_t pid = task < recording_.tasks().size() ? std::max(recording_.tasks()[task].pid, 0) : 0;
    out_.print(",\"pid\":{},\"tid\":{}", pid, pid);
  }
  void task(size_t index) {
    const Task& task = recording_.tasks()[index];
    for (const char* kind : {"process_name", "thread_name"}) {
      begin();
      out_.print("{{\"ph\":\"M\",\"name\":\"{}\"", kind);
      place(static_cast<uint32_t>(index));
      out_.raw(",\"args\":{\"name\":").json(task.name).raw("}}");
    }
  }
  void call(CallId id) {
    const Call& call = recording_.calls()[id];
    const CallTime span = time_of_call(recording_, call);
    begin();
    out_.raw("{\"ph\":\"X\",\"cat\":\"call\",\"name\":").json(recording_.function_name_of(id));
    place(call.task);
    time("ts", {span.begin_ns});
    time("dur", {span.end_ns - span.begin_ns});
    out_.print(",\"args\":{{\"call\":{},\"first step\":{}", id, call.first_step + 1);
    const auto arguments = recording_.arguments(id);
    for (size_t k = 0; k < arguments.size(); ++k) out_.print(",\"argument {}\":\"{:#x}\"", k, arguments[k]);
    if (call.returned) out_.print(",\"result\":{}", call.result);
    if (of_call_[id] != no_check) {
      out_.print(",\"check\":\"{}\"", verdict_name(recording_.checks()[of_call_[id]].verdict));
    }
    out_.raw("}}");
  }
  void instant(const Event& event) {
    begin();
    out_.raw("{\"ph\":\"i\",\"s\":\"t\",\"cat\":\"event\",\"name\":");
    out_.json(event.kind < recording_.event_kinds().size() ? recording_.event_kinds()[event.kind] : "event");
    place(event.task);
    time("ts", {event.time_ns});
    out_.print(",\"args\":{{\"line\":{},\"cpu\":{}}}}}", event.line, event.cpu);
  }
  void judgement(const CallCheck& check) {
    begin();
    out_.print("{{\"ph\":\"i\",\"s\":\"p\",\"cat\":\"check\",\"name\":\"{}\"", verdict_name(check.verdict));
    place(check.call != no_call ? recording_.calls()[check.call].task : 0);
    time("ts", {check.step != no_step && recording_.steps() != 0 ? time_of_step(recording_, check.step) : 0});
    out_.raw(",\"args\":{\"reason\":")
        .json(check.reason)
        .raw(",\"where\":")
        .json(explain(recording_, document_.model, check).what)
        .raw("}}");
  }

  /// On a track of its own for each CPU.
  void gap(const Gap& gap, bool first) {
    if (first) {
      begin();
      out_.print("{{\"ph\":\"M\",\"name\":\"process_name\",\"pid\":{},\"tid\":0,\"args\":{{\"name\":\"lost events\"}}}}",
                 no_process);
    }
    begin();
    out_.print("{{\"ph\":\"X\",\"cat\":\"gap\",\"name\":\"lost events\",\"pid\":{},\"tid\":{}", no_process, gap.cpu);
    time("ts", {gap.from_ns});
    time("dur", {gap.to_ns - gap.from_ns});
    out_.print(",\"args\":{{\"lost\":{},\"first step\":{}}}}}", gap.lost, gap.step + 1);
  }

  /// One above the largest pid that a kernel gives (PID_MAX_LIMIT).
  static constexpr int32_t no_process = 4194305;

  const Document& document_;
  const Recording& recording_;
  TextWriter out_;
  std::vector<uint32_t> of_call_;
  bool first_ = true;
};

}  // namespace

void write_chrome(const Document& document, Sink& sink) { Chrome(document, sink).run(); }

}  // namespace hmmscope::traces
