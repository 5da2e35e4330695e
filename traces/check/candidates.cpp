#include "traces/check/candidates.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "traces/export/call_array.h"
#include "traces/reader/bytes.h"

namespace hmmscope::traces {
namespace {

EventIndex event_of_call(const Recording& recording, CallId call) {
  if (call == no_call || recording.calls()[call].first_step >= recording.steps()) return no_event;
  return recording.event_of(recording.calls()[call].first_step);
}

/// The same call in another replay of the same trace: the events have the same indices.
CallId same_call(const Recording& recording, CallId call, const Recording& other) {
  const EventIndex event = event_of_call(recording, call);
  if (event == no_event) return no_call;
  for (const CallCheck& check : other.checks())
    if (check.call != no_call && event_of_call(other, check.call) == event) return check.call;
  return no_call;
}

const CallCheck* check_of(const Recording& recording, CallId call) {
  for (const CallCheck& check : recording.checks())
    if (check.call == call) return &check;
  return nullptr;
}

/// The calls of a trial agree where the check's call is concerned.
bool agrees(const Document& document, const CallCheck& check, const ModelTrial& trial) {
  if (trial.document == nullptr) return false;
  const CallId call = same_call(*document.recording, check.call, *trial.document->recording);
  const CallCheck* found = call == no_call ? nullptr : check_of(*trial.document->recording, call);
  return found != nullptr && found->verdict == Verdict::agreed;
}

/// The rule by which the other model's engine came to the kernel's word.
std::string rule_of_word(const Document& document, const CallCheck& check, const ModelTrial& trial) {
  const Recording &mine = *document.recording, &other = *trial.document->recording;
  const CallId call = same_call(mine, check.call, other);
  const auto array = call == no_call ? std::nullopt : array_of_call(other, call);
  const auto own_array = array_of_call(mine, check.call);
  if (!array || !own_array || check.word == no_word || check.word < own_array->first) return {};
  const WordIndex word = array->first + (check.word - own_array->first);
  const Call& where = other.calls()[call];
  for (StepIndex step = std::min(where.end_step, other.steps()); step-- > where.first_step;)
    for (uint32_t k = 0; k < other.write_count(step); ++k)
      if (other.write(step, k).covers(word))
        return fmt::format("{}: {}", rule(other.rule_of(step)).id, rule(other.rule_of(step)).statement);
  return {};
}

void add_other_models(const Document& document, const CallCheck& check, std::span<const ModelTrial> trials,
                      std::vector<Candidate>& list) {
  std::vector<const ModelTrial*> fitting;
  for (const ModelTrial& trial : trials)
    if (agrees(document, check, trial)) fitting.push_back(&trial);
  std::stable_sort(fitting.begin(), fitting.end(), [](const ModelTrial* a, const ModelTrial* b) {
    return a->counts.diverged < b->counts.diverged;
  });
  if (fitting.empty()) return;
  std::string evidence;
  for (const ModelTrial* trial : fitting) {
    if (!evidence.empty()) evidence += "; ";
    evidence += fmt::format("{}: {}", trial->model, counts_text(trial->counts));
    if (evidence.size() > 400) break;
  }
  list.push_back({CandidateKind::other_model,
                  fmt::format("The kernel has the layout or the rules of {}: there this call agrees.",
                              fitting.front()->model),
                  evidence});
}

void add_concurrent(const Recording& recording, const CallCheck& check, std::vector<Candidate>& list) {
  if (check.call == no_call) return;
  const Call& call = recording.calls()[check.call];
  const auto arguments = recording.arguments(check.call);
  if (arguments.size() < 2) return;
  size_t found = 0;
  std::string first;
  const StepIndex end = std::min(call.end_step, recording.steps());
  for (StepIndex step = call.first_step; step < end; ++step) {
    const RuleId fired = recording.rule_of(step);
    const bool callback = fired == RuleId::trace_callback;
    if (!callback && fired != RuleId::trace_invalidate_start) continue;
    const auto operands = recording.operands(step);
    const uint64_t from = operands[callback ? 1 : 0], to = operands[callback ? 2 : 1];
    if (to <= arguments[0] || from >= arguments[1]) continue;
    const EventIndex event = recording.event_of(step);
    if (event != no_event && recording.events()[event].task == call.task) continue;
    if (found++ == 0)
      first = fmt::format("step {}{}: {:#x}-{:#x}", step + 1,
                          event != no_event ? fmt::format(", line {}", recording.events()[event].line) : "",
                          from, to);
  }
  if (found == 0) return;
  list.push_back({CandidateKind::concurrent_invalidation,
                  "Another task invalidated a part of the range while the call ran: the kernel may have seen "
                  "entries that no event shows.",
                  fmt::format("{} of them, the first at {}", found, first)});
}

void add_lost(const Recording& recording, const CallCheck& check, std::vector<Candidate>& list) {
  const std::vector<Gap> gaps = gaps_of(recording);
  if (gaps.empty()) return;
  const StepIndex end = check.call == no_call ? recording.steps() : recording.calls()[check.call].end_step;
  const Gap* last = &gaps.front();
  for (const Gap& gap : gaps)
    if (gap.step < end) last = &gap;
  const uint64_t line = last->event == no_event ? 0 : recording.events()[last->event].line;
  list.push_back({CandidateKind::lost_events,
                  "The ring buffer lost events: what the engine was shown may be older than what the kernel read.",
                  fmt::format("{} gaps, the last one before the end of the call at {} (line {})", gaps.size(),
                              gap_text(*last), line)});
}

std::string list_counts(const std::map<std::string, uint64_t>& counts, uint64_t& sum) {
  std::string text;
  for (const auto& [name, count] : counts) {
    sum += count;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, count);
  }
  return text;
}

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

}  // namespace

std::string_view candidate_name(CandidateKind kind) {
  switch (kind) {
    case CandidateKind::other_model:
      return "other layout or rules";
    case CandidateKind::lost_events:
      return "lost events";
    case CandidateKind::concurrent_invalidation:
      return "concurrent invalidation";
    case CandidateKind::unobserved_state:
      return "unobserved state";
    case CandidateKind::kernel_defect:
      return "kernel defect";
  }
  return "";
}

Result<std::vector<ModelTrial>> try_models(const Document& document, const Progress& progress,
                                           const std::function<void(std::string_view model)>& begins) {
  if (document.kind != SourceKind::trace) return fail("only a trace can be run again under other models");
  if (is_standard_input(document.path))
    return fail("standard input cannot be read again: save the trace to a file");
  std::vector<ModelTrial> trials;
  for (const KernelModel& model : kernel_models()) {
    if (model.id == document.model.id) continue;
    if (begins) begins(model.id);
    OpenOptions options;
    options.kernel = model.id;
    options.progress = progress;
    auto opened = open_document(document.path, options);
    if (!opened && opened.error().message == "cancelled") return tl::unexpected(opened.error());
    if (!opened) continue;  // a model that cannot read this configuration explains nothing
    const CheckCounts counts = count_checks(*(*opened)->recording);
    // What explains nothing need not be kept.
    if (counts.diverged >= count_checks(*document.recording).diverged) *opened = nullptr;
    trials.push_back({model.id, counts, std::move(*opened)});
  }
  return trials;
}

CallFactCounts count_facts(const Recording& recording, CallId id) {
  CallFactCounts facts;
  if (id == no_call) return facts;
  const Call& call = recording.calls()[id];
  StepIndex begin = call.first_step;
  while (begin > 0 && (recording.rule_of(begin - 1) == RuleId::trace_array_shown ||
                       recording.rule_of(begin - 1) == RuleId::trace_array_unknown ||
                       recording.rule_of(begin - 1) == RuleId::trace_range_shown)) {
    --begin;
  }
  for (StepIndex step = begin; step < std::min(call.end_step, recording.steps()); ++step) {
    const std::string id_text(rule(recording.rule_of(step)).id);
    for (uint32_t k = 0; k < recording.write_count(step); ++k) {
      const WriteView write = recording.write(step, k);
      if (write.evidence == Evidence::observed) facts.observed[id_text] += write.count;
      if (write.evidence == Evidence::inferred) facts.inferred[id_text] += write.count;
      if (write.evidence == Evidence::unknown) facts.unknown[id_text] += write.count;
    }
    if (recording.rule_of(step) == RuleId::trace_fault_unseen) ++facts.inferred[id_text];
    if (recording.rule_of(step) == RuleId::trace_sequence_unknown) ++facts.unknown[id_text];
  }
  if (facts.unknown.contains("trace.array_unknown"))
    facts.probes.push_back("rf_in_b and rf_in_c (further windows of the array at entry)");
  if (facts.unknown.contains("trace.sequence_unknown"))
    facts.probes.push_back(
        "the driver's interval callback (hc_inv), __mmu_notifier_invalidate_range_start (mn_start)");
  if (facts.inferred.contains("trace.fault_unseen"))
    facts.probes.push_back("handle_mm_fault without a filter (mmf, mmf_r)");
  return facts;
}

std::vector<Candidate> candidates(const Document& document, const CallCheck& check,
                                  std::span<const ModelTrial> trials) {
  const Recording& recording = *document.recording;
  std::vector<Candidate> list;
  add_other_models(document, check, trials, list);
  add_lost(recording, check, list);
  add_concurrent(recording, check, list);
  const CallFactCounts facts = count_facts(recording, check.call);
  uint64_t unknown = 0;
  const std::string rules = list_counts(facts.unknown, unknown);
  if (unknown != 0 || check.verdict == Verdict::unknown) {
    std::string evidence = check.verdict == Verdict::unknown
                               ? check.reason
                               : fmt::format("{} words are unknown ({})", unknown, rules);
    if (!facts.probes.empty()) evidence += "; these would tell: " + join(facts.probes);
    list.push_back(
        {CandidateKind::unobserved_state, "The kernel read something that no event shows.", evidence});
  }
  if (check.verdict == Verdict::diverged && list.empty()) {
    const std::string tried = trials.empty()
                                  ? "other models were not tried"
                                  : fmt::format("none of {} other models agrees here", trials.size());
    list.push_back(
        {CandidateKind::kernel_defect,
         "The kernel does not follow its own rules here, or the engine's rule is wrong.",
         tried +
             ", no event was lost, nobody else invalidated the range, and every fact of the call is shown"});
  }
  return list;
}

std::string full_explanation(const Document& document, const CallCheck& check,
                             std::span<const ModelTrial> trials) {
  const Recording& recording = *document.recording;
  std::string text = explanation_text(recording, document.model, check);
  const auto out = std::back_inserter(text);
  if (document.model.hmm_pfn != nullptr)
    fmt::format_to(out, "    layout  {} of model {}\n", document.model.hmm_pfn->id, document.model.id);
  for (const ModelTrial& trial : trials) {
    if (check.verdict != Verdict::diverged || !agrees(document, check, trial)) continue;
    if (const std::string kernel = rule_of_word(document, check, trial); !kernel.empty()) {
      fmt::format_to(out, "    kernel  as {}: rule {}\n", trial.model, kernel);
      break;
    }
  }
  const CallFactCounts facts = count_facts(recording, check.call);
  const auto line = [&](std::string_view how, const std::map<std::string, uint64_t>& counts) {
    uint64_t sum = 0;
    const std::string rules = list_counts(counts, sum);
    if (sum != 0) fmt::format_to(out, "    {:<9} {} words: {}\n", how, sum, rules);
  };
  line("observed", facts.observed);
  line("inferred", facts.inferred);
  line("unknown", facts.unknown);
  if (!facts.probes.empty()) fmt::format_to(out, "    probes    {}\n", join(facts.probes));
  size_t number = 0;
  for (const Candidate& candidate : candidates(document, check, trials))
    fmt::format_to(out, "    candidate {}: {}. {}\n      evidence: {}\n", ++number,
                   candidate_name(candidate.kind), candidate.text, candidate.evidence);
  return text;
}

}  // namespace hmmscope::traces
