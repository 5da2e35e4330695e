#include "app/cli/facts_text.h"

#include <fmt/format.h>

#include <iterator>
#include <map>

#include "engine/model/word_layout.h"
#include "traces/check/facts.h"

namespace hmmscope::app {
namespace {

using Json = nlohmann::ordered_json;

/// "inferred by trace.cpu_fault (step 7, line 12)", "unknown: probe ..."
std::string source_text(const Recording& recording, const traces::Fact& fact) {
  std::string text(evidence_name(fact.evidence));
  if (fact.step != no_step) {
    text += fmt::format(" by {} (step {}", fact.rule, fact.step + 1);
    if (const uint64_t line = recording.line_of(fact.step); line != 0) text += fmt::format(", line {}", line);
    text += ")";
  }
  if (fact.not_shown != 0) text += "; which page it is no event shows";
  if (!fact.probe.empty()) text += fmt::format("; {} would tell", fact.probe);
  return text;
}

const Region* region_of(const Recording& recording, WordIndex word) {
  const RegionId id = recording.region_of(word);
  return id == no_region ? nullptr : &recording.regions()[id];
}

std::string value_text(const traces::Document& document, const traces::Fact& fact) {
  const Region* region = region_of(*document.recording, fact.first);
  if (fact.evidence == Evidence::unknown || region == nullptr) return {};
  std::string text = describe_word(document.model, region->kind, fact.value);
  if (fact.not_shown != 0) {
    for (const std::string_view name : {"pfn 0x", "table 0x"}) {
      const size_t at = text.find(name);
      if (at == std::string::npos) continue;
      const size_t number = at + name.size() - 2, end = text.find_first_not_of("0123456789abcdef", number + 2);
      text.replace(number, (end == std::string::npos ? text.size() : end) - number, "?");
    }
  }
  text = fmt::format("  {:#x}  {}", fact.value & ~fact.not_shown, text);
  if (fact.count > 1 && fact.stride != 0) text += fmt::format("  (each {:#x} more)", fact.stride);
  return text;
}

/// "pid 742: " where the name of the word does not say so.
std::string space_text(const Recording& recording, WordIndex word) {
  const Region* region = region_of(recording, word);
  if (region == nullptr || region->kind == RegionKind::folio || region->kind == RegionKind::mm) return {};
  for (const Region& space : recording.regions())
    if (space.kind == RegionKind::mm && space.owner == region->owner) return space.name + ": ";
  return {};
}

}  // namespace

std::string facts_text(const traces::Document& document, StepIndex at) {
  const Recording& recording = *document.recording;
  std::string text = fmt::format("facts after step {} of {}\n", at, recording.steps());
  const auto out = std::back_inserter(text);
  std::map<Evidence, uint64_t> words;
  std::map<std::string_view, std::string_view> rules;
  for (const traces::Fact& fact : traces::facts_at(document, at)) {
    words[fact.evidence] += fact.count;
    if (fact.evidence == Evidence::inferred) rules.emplace(fact.rule, fact.statement);
    fmt::format_to(out, "  {}{}{}{}\n      {}\n", space_text(recording, fact.first), recording.word_name(fact.first),
                   fact.count > 1 ? fmt::format(" .. +{}", fact.count - 1) : "", value_text(document, fact),
                   source_text(recording, fact));
  }
  for (const auto& [rule, statement] : rules) fmt::format_to(out, "rule {}: {}\n", rule, statement);
  for (const Gap& gap : document.gaps)
    if (gap.step < at)
      fmt::format_to(out, "gap: {} (step {})\n", gap_text(gap), gap.step + 1);
  fmt::format_to(out, "words: observed {}, inferred {}, unknown {}\n", words[Evidence::observed],
                 words[Evidence::inferred], words[Evidence::unknown]);
  return text;
}

Json facts_json(const traces::Document& document, StepIndex at) {
  const Recording& recording = *document.recording;
  Json facts = Json::array(), gaps = Json::array();
  for (const traces::Fact& fact : traces::facts_at(document, at)) {
    Json row = {{"word", recording.word_name(fact.first)}, {"count", fact.count}};
    row["evidence"] = evidence_name(fact.evidence);
    if (const Region* region = region_of(recording, fact.first)) {
      row["kind"] = region_kind_name(region->kind);
      row["space"] = region->owner;
    }
    if (fact.evidence != Evidence::unknown) row["value"] = fmt::format("{:#x}", fact.value & ~fact.not_shown);
    if (fact.evidence != Evidence::unknown && fact.stride != 0) row["stride"] = fmt::format("{:#x}", fact.stride);
    if (fact.not_shown != 0) row["unknown_bits"] = fmt::format("{:#x}", fact.not_shown);
    if (fact.step != no_step) {
      row["rule"] = fact.rule;
      row["step"] = fact.step + 1;
      if (const uint64_t line = recording.line_of(fact.step); line != 0) row["line"] = line;
    }
    if (!fact.probe.empty()) row["probe"] = fact.probe;
    facts.push_back(std::move(row));
  }
  for (const Gap& gap : document.gaps)
    gaps.push_back({{"step", gap.step + 1},
                    {"cpu", gap.cpu},
                    {"lost", gap.lost},
                    {"from_ns", gap.from_ns},
                    {"to_ns", gap.to_ns}});
  return {{"at", at}, {"steps", recording.steps()}, {"facts", std::move(facts)}, {"gaps", std::move(gaps)}};
}

}  // namespace hmmscope::app
