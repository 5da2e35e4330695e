#include "traces/extract/extract.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "engine/base/errno_name.h"
#include "traces/extract/call_facts.h"
#include "traces/extract/migration_scenario.h"
#include "traces/extract/page_states.h"
#include "traces/extract/scenario_parts.h"

namespace hmmscope::traces {
namespace {

using Json = nlohmann::ordered_json;
using scenario_parts::hex;

class FaultWriter {
 public:
  FaultWriter(const Document& document, const ExtractableCall& call, CallFacts facts)
      : document_(document), call_(call), facts_(std::move(facts)), pages_(document.model, facts_) {}

  Result<std::string> run() {
    // A call that never came back ends in the engine's own way.
    const std::string expected(facts_.result == -EDEADLK ? "deadlock" : errno_name(facts_.result).value_or(""));
    if (expected.empty())
      return fail(fmt::format("it returns {}, which a scenario cannot expect", facts_.result));
    Json root;
    root["hmmscope-scenario"] = 1;
    root["title"] = fmt::format("{}, call {}", document_.title, call_.number);
    root["description"] =
        fmt::format("hmm_range_fault of {:#x}-{:#x}{}: what the kernel read, as a scenario.{}", facts_.start,
                    facts_.end, call_.line != 0 ? fmt::format(" in line {} of the trace", call_.line) : "",
                    scenario_parts::open_text(*document_.recording, call_.call));
    root["kernel"] = document_.model.id;
    if (const std::string config = document_.recording->meta("config"); !config.empty())
      root["config"] = config;
    root["levels"] = document_.model.config.levels;
    if (const auto zero = pages_.zero_pfn()) root["zero_pfn"] = hex(*zero);
    root["devices"] = pages_.devices();
    root["vmas"] = scenario_parts::vmas(facts_.vmas);
    Json initial = pages_.declare(facts_.entries);
    Json operations = Json::array();
    scenario_parts::hold(operations, facts_.refused);
    operations.push_back(range_fault(expected));
    expectations(operations);
    if (!pages_.failure().empty()) return fail(pages_.failure());
    root["pages"] = std::move(initial);
    root["operations"] = std::move(operations);
    return root.dump(1) + "\n";
  }

 private:
  Json range_fault(const std::string& expected) {
    Json op = {{"op", "range-fault"},
               {"array", "pfns"},
               {"at", hex(facts_.start)},
               {"pages", (facts_.end - facts_.start) >> page_bits}};
    op["device"] = PageStates::caller;
    op["default"] = hex(facts_.default_flags);
    op["mask"] = hex(facts_.mask);
    if (Json slots = words_in(); !slots.empty()) op["slots"] = std::move(slots);
    op["rounds"] = facts_.splits_pud && facts_.result == 0 ? 2 : 1;
    if (facts_.prepares) {
      op["prepares"] = {{"migration", "m"}, {"select", scenario_parts::select(document_.model, *facts_.prepares)}};
      if (facts_.owner == 0) op["prepares"]["owner"] = false;
    }
    if (facts_.stale) op["stale"] = true;
    Json faults = Json::array(), waits = Json::array();
    for (const FactBatch& batch : facts_.batches) {
      Json item = {{"at", hex(batch.start)}, {"pages", (batch.end - batch.start) >> page_bits}};
      if (!batch.wait) item["result"] = batch.result == 0 ? "ok" : hex(batch.result);
      if (batch.invalidates) item["invalidates"] = true;
      if (Json then = pages_.declare(batch.then); !then.empty()) item["then"] = std::move(then);
      (batch.wait ? waits : faults).push_back(std::move(item));
    }
    if (!faults.empty()) op["faults"] = std::move(faults);
    if (!waits.empty()) op["waits"] = std::move(waits);
    op["expect"] = expected;
    return op;
  }

  Json words_in() const {
    Json slots = Json::array();
    const std::vector<uint64_t>& words = facts_.in;
    for (size_t at = 0; at < words.size();) {
      size_t end = at + 1;
      while (end < words.size() && words[end] == words[at]) ++end;
      if (words[at] != 0) slots.push_back({{"index", at}, {"count", end - at}, {"value", hex(words[at])}});
      at = end;
    }
    return slots;
  }

  /// Runs of equal words, and runs whose pfn counts up, in one operation each.
  void expectations(Json& operations) const {
    const std::vector<uint64_t>& words = facts_.out;
    const uint64_t pfn_mask = document_.model.hmm_pfn->mask(Role::pfn),
                   order_mask = document_.model.hmm_pfn->mask(Role::order);
    const bool counts = (pfn_mask & 1) != 0 && (pfn_mask & order_mask) == 0;
    const auto shown = [&](size_t at) { return facts_.shown_out.empty() || facts_.shown_out[at]; };
    for (size_t at = 0; at < words.size();) {
      if (!shown(at)) {
        ++at;
        continue;
      }
      size_t same = at + 1, counting = at + 1;
      while (same < words.size() && shown(same) && words[same] == words[at]) ++same;
      while (counts && counting < words.size() && shown(counting) && words[counting] == words[at] + (counting - at) &&
             ((words[counting] ^ words[at]) & ~pfn_mask) == 0)
        ++counting;
      Json op = {{"op", "expect"}, {"array", "pfns"}, {"index", at}};
      if (counting > same) {
        op["count"] = counting - at;
        op["flags"] = hex(words[at] & ~pfn_mask & ~order_mask);
        if (order_mask != 0) op["order"] = document_.model.hmm_pfn->field(Role::order)->get(words[at]);
        op["pfn"] = hex(words[at] & pfn_mask);
      } else {
        op["count"] = same - at;
        op["word"] = hex(words[at]);
      }
      operations.push_back(std::move(op));
      at = std::max(same, counting);
    }
  }

  const Document& document_;
  const ExtractableCall& call_;
  CallFacts facts_;
  PageStates pages_;
};

}  // namespace

std::vector<ExtractableCall> extractable_calls(const Recording& recording) {
  std::vector<ExtractableCall> calls;
  const std::vector<uint32_t> of_call = check_of_calls(recording);
  for (CallId id = 0; id < recording.calls().size(); ++id) {
    const Call& call = recording.calls()[id];
    const bool extractable =
        call.function == Function::hmm_range_fault || call.function == Function::migrate_vma_setup;
    if (!extractable || of_call[id] == no_check) continue;
    ExtractableCall row;
    row.function = call.function;
    row.number = static_cast<uint32_t>(calls.size() + 1);
    row.call = id;
    const auto arguments = recording.arguments(id);
    if (arguments.size() >= 2) row.start = arguments[0], row.end = arguments[1];
    row.result = call.result;
    row.verdict = recording.checks()[of_call[id]].verdict;
    if (call.first_step < recording.steps()) {
      const EventIndex event = recording.event_of(call.first_step);
      if (event != no_event) row.line = recording.events()[event].line;
    }
    calls.push_back(row);
  }
  return calls;
}

Result<std::string> extract_call(const Document& document, uint32_t number) {
  const auto calls = extractable_calls(*document.recording);
  if (calls.empty())
    return fail(Error{"holds no judged call of hmm_range_fault or migrate_vma_setup", document.path.string(),
                      0, 0, false});
  if (number == 0 || number > calls.size()) {
    return fail(Error{fmt::format("has no call {}: they are numbered from 1 to {}", number, calls.size()),
                      document.path.string(), 0, 0, false});
  }
  const ExtractableCall& call = calls[number - 1];
  const auto named = [&](const Error& error) {
    return fail(Error{fmt::format("call {} cannot become a scenario: {}", number, error.message),
                      document.path.string(), call.line, 0, false});
  };
  if (call.function == Function::migrate_vma_setup) {
    auto text = migration_scenario(document, call);
    if (!text) return named(text.error());
    return text;
  }
  auto facts = facts_of_call(document, call.call);
  if (!facts) return named(facts.error());
  auto text = FaultWriter(document, call, std::move(*facts)).run();
  if (!text) return named(text.error());
  return text;
}

}  // namespace hmmscope::traces
