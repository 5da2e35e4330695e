#include "engine/rules/rule.h"
#include "traces/export/call_array.h"
#include "traces/export/export.h"
#include "traces/export/text_writer.h"

namespace hmmscope::traces {
namespace {

class JsonLines {
 public:
  JsonLines(const Document& document, Sink& sink)
      : document_(document), recording_(*document.recording), out_(sink) {}

  void run() {
    header();
    for (size_t i = 0; i < recording_.tasks().size(); ++i) task(i);
    for (RegionId i = 0; i < recording_.regions().size(); ++i) region(i);
    initial_words();
    for (size_t i = 0; i < recording_.event_kinds().size(); ++i) {
      out_.print("{{\"type\":\"event_kind\",\"kind\":{},\"name\":", i)
          .json(recording_.event_kinds()[i])
          .raw("}\n");
    }
    for (size_t i = 0; i < recording_.events().size(); ++i) event(i);
    for (CallId i = 0; i < recording_.calls().size(); ++i) call(i);
    for (StepIndex i = 0; i < recording_.steps(); ++i) step(i);
    for (size_t i = 0; i < recording_.checks().size(); ++i) check(i);
    out_.print("{{\"type\":\"end\",\"steps\":{}}}\n", recording_.steps());
  }

 private:
  void header() {
    out_.print("{{\"type\":\"header\",\"format\":\"hmmscope-jsonl\",\"version\":{},\"title\":", jsonl_version)
        .json(document_.title);
    out_.raw(",\"model\":").json(document_.model.id);
    out_.raw(",\"layout\":").json(document_.model.hmm_pfn != nullptr ? document_.model.hmm_pfn->id : "");
    for (const auto& [key, value] : recording_.meta()) {
      if (key != "title" && key != "model" && key != "layout") out_.raw(",").json(key).raw(":").json(value);
    }
    out_.print(",\"steps\":{},\"calls\":{},\"events\":{},\"checks\":{}}}\n", recording_.steps(),
               recording_.calls().size(), recording_.events().size(), recording_.checks().size());
  }
  void task(size_t index) {
    const Task& task = recording_.tasks()[index];
    out_.print("{{\"type\":\"task\",\"task\":{},\"pid\":{},\"name\":", index, task.pid)
        .json(task.name)
        .raw("}\n");
  }
  void region(RegionId index) {
    const Region& region = recording_.regions()[index];
    out_.print("{{\"type\":\"region\",\"region\":{},\"kind\":", index)
        .json(region_kind_name(region.kind))
        .raw(",\"name\":")
        .json(region.name);
    out_.print(",\"owner\":{},\"first\":{},\"count\":{},\"address\":\"{:#x}\",\"stride\":\"{:#x}\"}}\n",
               region.owner, region.first, region.count, region.address, region.stride);
  }
  /// Only words that are not 0.
  void initial_words() {
    const auto words = recording_.initial();
    for (WordIndex word = 0; word < words.size(); ++word) {
      if (words[word] != 0)
        out_.print("{{\"type\":\"initial\",\"word\":{},\"value\":\"{:#x}\"}}\n", word, words[word]);
    }
  }
  void event(size_t index) {
    const Event& event = recording_.events()[index];
    out_.print(
        "{{\"type\":\"event\",\"event\":{},\"time_ns\":{},\"line\":{},\"task\":{},\"cpu\":{},\"kind\":{}}}\n",
        index, event.time_ns, event.line, event.task, event.cpu, event.kind);
  }
  void call(CallId id) {
    const Call& call = recording_.calls()[id];
    out_.print("{{\"type\":\"call\",\"call\":{}", id);
    if (call.parent != no_call) out_.print(",\"parent\":{}", call.parent);
    out_.raw(",\"function\":")
        .json(recording_.function_name_of(id))
        .print(",\"task\":{},\"first_step\":{}", call.task, call.first_step);
    if (call.end_step != no_step) out_.print(",\"end_step\":{}", call.end_step);
    if (call.returned) out_.print(",\"result\":{}", call.result);
    out_.raw(",\"arguments\":[");
    bool first = true;
    for (const uint64_t argument : recording_.arguments(id)) {
      if (!first) out_.raw(",");
      first = false;
      out_.hex(argument);
    }
    out_.raw("]}\n");
  }
  void step(StepIndex index) {
    out_.print("{{\"type\":\"step\",\"step\":{},\"rule\":", index).json(recording_.rule_name(index));
    if (const CallId call = recording_.call_of(index); call != no_call) out_.print(",\"call\":{}", call);
    if (const EventIndex event = recording_.event_of(index); event != no_event)
      out_.print(",\"event\":{}", event);
    const auto operands = recording_.operands(index);
    if (!operands.empty()) {
      const Rule& fired = rule(recording_.rule_of(index));
      out_.raw(",\"operands\":{");
      for (uint32_t k = 0; k < operands.size(); ++k) {
        const std::string_view name = fired.operand_name(k);
        if (k != 0) out_.raw(",");
        if (name.empty())
          out_.print("\"operand{}\"", k);
        else
          out_.json(name);
        out_.raw(":").hex(operands[k]);
      }
      out_.raw("}");
    }
    if (const uint32_t writes = recording_.write_count(index); writes != 0) {
      out_.raw(",\"writes\":[");
      for (uint32_t k = 0; k < writes; ++k) {
        if (k != 0) out_.raw(",");
        write(recording_.write(index, k));
      }
      out_.raw("]");
    }
    out_.raw("}\n");
  }
  void write(const WriteView& write) {
    out_.print("{{\"word\":{},\"name\":", write.first)
        .json(recording_.word_name(write.first))
        .raw(",\"evidence\":")
        .json(evidence_name(write.evidence));
    if (write.count == 1) {
      out_.raw(",\"old\":").hex(write.old_at(0)).raw(",\"new\":").hex(write.new_at(0)).raw("}");
      return;
    }
    out_.print(",\"count\":{}", write.count);
    values("old", write.count, write.old_shape, write.old_base, write.old_stride, write.old_literal);
    values("new", write.count, write.new_shape, write.new_base, write.new_stride, write.new_literal);
    out_.raw("}");
  }
  /// Equally spaced values stay short: {"base":"0x..","stride":"0x.."}.
  void values(std::string_view name, uint32_t count, WriteShape shape, uint64_t base, uint64_t stride,
              const uint64_t* literal) {
    out_.print(",\"{}\":", name);
    if (shape != WriteShape::literal) {
      out_.raw("{\"base\":").hex(base).raw(",\"stride\":").hex(stride).raw("}");
      return;
    }
    out_.raw("[");
    for (uint32_t k = 0; k < count; ++k) {
      if (k != 0) out_.raw(",");
      out_.hex(literal[k]);
    }
    out_.raw("]");
  }
  void check(size_t index) {
    const CallCheck& check = recording_.checks()[index];
    out_.print("{{\"type\":\"check\",\"check\":{},\"verdict\":\"{}\"", index, verdict_name(check.verdict));
    if (check.call != no_call) out_.print(",\"call\":{}", check.call);
    if (check.step != no_step) out_.print(",\"step\":{}", check.step);
    if (check.verdict == Verdict::diverged) {
      if (check.word != no_word)
        out_.print(",\"word\":{},\"name\":", check.word).json(recording_.word_name(check.word));
      out_.raw(",\"kernel\":")
          .hex(check.kernel)
          .raw(",\"engine\":")
          .hex(check.engine)
          .raw(",\"known\":")
          .hex(check.known);
      out_.raw(",\"rule\":").json(recording_.rule_name_of_check(index));
    }
    out_.print(",\"words_compared\":{},\"words_unknown\":{},\"reason\":", check.words_compared,
               check.words_unknown)
        .json(check.reason)
        .raw("}\n");
  }

  const Document& document_;
  const Recording& recording_;
  TextWriter out_;
};

}  // namespace

void write_jsonl(const Document& document, Sink& sink) { JsonLines(document, sink).run(); }

}  // namespace hmmscope::traces
