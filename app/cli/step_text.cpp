#include "app/cli/step_text.h"

#include <fmt/format.h>

#include <iterator>
#include <nlohmann/json.hpp>

#include "engine/model/word_layout.h"

namespace hmmscope::app {

namespace {

using nlohmann::json;

std::string hex(uint64_t value) { return fmt::format("{:#x}", value); }
std::string word_hex(uint64_t value) { return fmt::format("{:#018x}", value); }

RegionKind kind_of(const Recording& recording, WordIndex word) {
  const RegionId region = recording.region_of(word);
  return region == no_region ? RegionKind::counters : recording.regions()[region].kind;
}

/// Seconds with the clock's nanoseconds; "" for steps without an event.
std::string time_text(const Recording& recording, StepIndex step) {
  const EventIndex index = recording.event_of(step);
  if (index == no_event) return {};
  const int64_t ns = recording.events()[index].time_ns;
  return fmt::format("{}.{:09}", ns / 1'000'000'000, ns % 1'000'000'000);
}

std::string operands_text(const Recording& recording, StepIndex step) {
  std::string text;
  const Rule& fired = rule(recording.rule_of(step));
  uint32_t index = 0;
  for (const uint64_t value : recording.operands(step)) {
    const std::string_view name = fired.operand_name(index++);
    fmt::format_to(std::back_inserter(text), " {}={}", name.empty() ? "operand" : name, hex(value));
  }
  return text;
}

std::string write_text(const traces::Document& document, const WriteView& write) {
  const Recording& recording = *document.recording;
  const RegionKind kind = kind_of(recording, write.first);
  std::string text = "        " + recording.word_name(write.first);
  if (write.count > 1) fmt::format_to(std::back_inserter(text), " .. +{}", write.count - 1);
  fmt::format_to(std::back_inserter(text), "  {} -> {}  {}", word_hex(write.old_at(0)), word_hex(write.new_at(0)),
                 describe_word(document.model, kind, write.new_at(0)));
  if (write.count > 1) fmt::format_to(std::back_inserter(text), "  (last {})", word_hex(write.new_at(write.count - 1)));
  if (write.evidence != Evidence::computed) fmt::format_to(std::back_inserter(text), "  [{}]", evidence_name(write.evidence));
  return text + '\n';
}

json write_json(const traces::Document& document, const WriteView& write) {
  const Recording& recording = *document.recording;
  const RegionKind kind = kind_of(recording, write.first);
  return {{"word", recording.word_name(write.first)},
          {"count", write.count},
          {"old", word_hex(write.old_at(0))},
          {"new", word_hex(write.new_at(0))},
          {"reads", describe_word(document.model, kind, write.new_at(0))},
          {"evidence", evidence_name(write.evidence)}};
}

}  // namespace

std::string call_path_text(const Recording& recording, CallId call) {
  std::string text;
  if (call == no_call) return text;
  for (const CallId id : recording.path(call)) {
    if (!text.empty()) text += " > ";
    text += function_name(recording.calls()[id].function);
  }
  return text;
}

std::string step_text(const traces::Document& document, StepIndex step) {
  const Recording& recording = *document.recording;
  const CallId call = recording.call_of(step);
  const uint32_t depth = call == no_call ? 0 : recording.calls()[call].depth;
  const std::string_view function = call == no_call ? "" : function_name(recording.calls()[call].function);
  const std::string time = time_text(recording, step);
  std::string text = fmt::format("{:>7}", step + 1);
  if (!time.empty()) text += "  " + time;
  fmt::format_to(std::back_inserter(text), "  {:{}}{}  {}{}\n", "", depth * 2, function, rule(recording.rule_of(step)).id,
                 operands_text(recording, step));
  for (uint32_t k = 0; k < recording.write_count(step); ++k) text += write_text(document, recording.write(step, k));
  return text;
}

json step_json(const traces::Document& document, StepIndex step) {
  const Recording& recording = *document.recording;
  const Rule& fired = rule(recording.rule_of(step));
  json path = json::array();
  if (const CallId call = recording.call_of(step); call != no_call) {
    for (const CallId id : recording.path(call)) path.push_back(function_name(recording.calls()[id].function));
  }
  json operands = json::object();
  uint32_t index = 0;
  for (const uint64_t value : recording.operands(step)) {
    std::string name(fired.operand_name(index));
    if (name.empty()) name = "operand" + std::to_string(index);
    operands[name] = hex(value);
    ++index;
  }
  json writes = json::array();
  for (uint32_t k = 0; k < recording.write_count(step); ++k) writes.push_back(write_json(document, recording.write(step, k)));
  json result = {{"step", step + 1}, {"path", path}, {"rule", fired.id}, {"statement", fired.statement},
                 {"operands", operands}, {"writes", writes}};
  if (const std::string time = time_text(recording, step); !time.empty()) result["time"] = time;
  return result;
}

std::string moment_text(const traces::Document& document, StepIndex position) {
  const Recording& recording = *document.recording;
  if (position == 0) return fmt::format("step 0 of {}: the initial state\n", recording.steps());
  const StepIndex step = position - 1;
  const Rule& fired = rule(recording.rule_of(step));
  std::string text = fmt::format("step {} of {}\n", position, recording.steps());
  if (const std::string time = time_text(recording, step); !time.empty()) text += "time       " + time + "\n";
  text += "call       " + call_path_text(recording, recording.call_of(step)) + "\n";
  text += fmt::format("rule       {}: {}\n", fired.id, fired.statement);
  if (const std::string operands = operands_text(recording, step); !operands.empty()) text += "operands  " + operands + "\n";
  for (uint32_t k = 0; k < recording.write_count(step); ++k) {
    const WriteView write = recording.write(step, k);
    const RegionKind kind = kind_of(recording, write.first);
    text += fmt::format("word       {}{}\n", recording.word_name(write.first),
                        write.count > 1 ? fmt::format(" and {} more", write.count - 1) : "");
    text += fmt::format("  before   {}  {}\n", word_hex(write.old_at(0)), describe_word(document.model, kind, write.old_at(0)));
    text += fmt::format("  after    {}  {}  [{}]\n", word_hex(write.new_at(0)), describe_word(document.model, kind, write.new_at(0)),
                        evidence_name(write.evidence));
  }
  return text;
}

json moment_json(const traces::Document& document, StepIndex position) {
  if (position == 0) return {{"step", 0}, {"steps", document.recording->steps()}};
  json result = step_json(document, position - 1);
  result["steps"] = document.recording->steps();
  return result;
}

std::string summary_text(const traces::Document& document) {
  const Recording& recording = *document.recording;
  std::string text = document.title + "\n";
  const auto line = [&](std::string_view label, const std::string& value) {
    if (!value.empty()) fmt::format_to(std::back_inserter(text), "  {:<10} {}\n", label, value);
  };
  line("kernel", recording.meta("kernel"));
  line("patch", recording.meta("patch"));
  line("model", document.model.id + " (" + document.model.title + ")");
  line("layout", document.model.hmm_pfn != nullptr ? document.model.hmm_pfn->id : "");
  line("steps", std::to_string(recording.steps()));
  line("calls", std::to_string(recording.calls().size()));
  line("words", std::to_string(recording.word_count()));
  line("left out", document.left_out);
  return text;
}

json summary_json(const traces::Document& document) {
  const Recording& recording = *document.recording;
  json result = {{"title", document.title}, {"kernel", recording.meta("kernel")}, {"patch", recording.meta("patch")},
          {"model", document.model.id}, {"layout", document.model.hmm_pfn != nullptr ? document.model.hmm_pfn->id : ""},
          {"steps", recording.steps()}, {"calls", recording.calls().size()}, {"words", recording.word_count()}};
  if (!document.left_out.empty()) result["left_out"] = document.left_out;
  return result;
}

}  // namespace hmmscope::app
