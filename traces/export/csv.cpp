#include "traces/export/call_array.h"
#include "traces/export/export.h"
#include "traces/export/text_writer.h"

namespace hmmscope::traces {
void write_calls_csv(const Document& document, Sink& sink) {
  const Recording& recording = *document.recording;
  TextWriter out(sink);
  out.raw(
      "call,parent,function,begin_ns,end_ns,line,pid,task,first_step,end_step,arguments,result,verdict,"
      "words_compared,words_unknown,reason\n");
  const std::vector<uint32_t> of_call = check_of_calls(recording);
  for (CallId id = 0; id < recording.calls().size(); ++id) {
    const Call& call = recording.calls()[id];
    const CallTime span = time_of_call(recording, call);
    out.print("{},", id);
    if (call.parent != no_call) out.print("{}", call.parent);
    out.raw(",").csv(recording.function_name_of(id));
    out.print(",{},{},{},", span.begin_ns, span.end_ns, recording.line_of(call.first_step));
    const bool known = call.task < recording.tasks().size();
    out.print("{},", known ? recording.tasks()[call.task].pid : 0)
        .csv(known ? recording.tasks()[call.task].name : "");
    out.print(",{},", call.first_step);
    if (call.end_step != no_step) out.print("{}", call.end_step);
    out.raw(",");
    bool first = true;
    for (const uint64_t argument : recording.arguments(id)) {
      out.print("{}{:#x}", first ? "" : " ", argument);
      first = false;
    }
    out.raw(",");
    if (call.returned) out.print("{}", call.result);
    if (of_call[id] == no_check) {
      out.raw(",,,,\n");
      continue;
    }
    const CallCheck& check = recording.checks()[of_call[id]];
    out.print(",{},{},{},", verdict_name(check.verdict), check.words_compared, check.words_unknown)
        .csv(check.reason)
        .raw("\n");
  }
}

void write_pfns_csv(const Document& document, Sink& sink) {
  const Recording& recording = *document.recording;
  const Layout* layout = document.model.hmm_pfn;
  TextWriter out(sink);
  out.raw("call,slot,address,before,after");
  if (layout != nullptr)
    for (const Field& field : layout->fields) out.raw(",").csv(field.name);
  out.raw("\n");
  Cursor cursor(document.recording, document.keyframes);
  std::vector<uint64_t> before;
  for (CallId id = 0; id < recording.calls().size(); ++id) {
    const auto array = array_of_call(recording, id);
    if (!array) continue;
    const Call& call = recording.calls()[id];
    cursor.seek(call.first_step);
    const auto words = [&] { return cursor.words(array->first, array->count); };
    before.assign(words().begin(), words().end());
    // The kernel's own words replace the engine's just behind the call.
    StepIndex end = call.end_step == no_step ? recording.steps() : call.end_step;
    while (end < recording.steps() && (recording.rule_of(end) == RuleId::check_diverged ||
                                       recording.rule_of(end) == RuleId::check_unknown ||
                                       recording.rule_of(end) == RuleId::trace_array_result ||
                                       recording.rule_of(end) == RuleId::check_flow)) {
      ++end;
    }
    cursor.seek(end);
    for (uint32_t slot = 0; slot < array->count; ++slot) {
      const uint64_t after = words()[slot];
      out.print("{},{},{:#x},{:#x},{:#x}", id, slot, array->address + (uint64_t{slot} << 12), before[slot],
                after);
      if (layout != nullptr)
        for (const Field& field : layout->fields) out.print(",{:#x}", field.get(after));
      out.raw("\n");
    }
  }
}

}  // namespace hmmscope::traces
