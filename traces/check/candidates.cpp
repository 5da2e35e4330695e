#include "traces/check/candidates.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "traces/check/concurrent.h"
#include "traces/export/call_array.h"

namespace hmmscope::traces {
namespace {

std::string line_text(const Recording& recording, StepIndex step) {
  const uint64_t line = recording.line_of(step);
  return line == 0 ? fmt::format("step {}", step + 1) : fmt::format("line {}", line);
}

/// What speaks for each explanation of one check. The explanations are found one by one; what each says for or against
/// a defect of the kernel is gathered on the way.
class CandidateList {
 public:
  CandidateList(const Document& document, const CallCheck& check, std::span<const ModelTrial> trials)
      : document_(document),
        recording_(*document.recording),
        check_(check),
        trials_(trials),
        read_(read_of_check(recording_, check)) {}

  std::vector<Candidate> take() {
    auto other = other_model();
    const bool contradicted = other && contradicted_;
    if (other && !contradicted) list_.push_back(*other);
    add_lost();
    add_concurrent();
    add_unobserved();
    if (other && contradicted) list_.push_back(std::move(*other));
    if (check_.verdict == Verdict::diverged) add_defect();
    return std::move(list_);
  }

 private:
  std::optional<Candidate> other_model();
  void add_lost();
  void add_concurrent();
  void add_unobserved();
  void add_defect();
  void speaks(std::string& side, std::string_view what) { side += fmt::format("{}{}", side.empty() ? "" : "; ", what); }

  const Document& document_;
  const Recording& recording_;
  const CallCheck& check_;
  std::span<const ModelTrial> trials_;
  ReadOfCheck read_;
  bool contradicted_ = false;
  std::string for_defect_, against_defect_;
  std::vector<Candidate> list_;
};

/// "6.12-v9: calls 9, agreed 9, ..., migrate calls ..."
std::string trial_text(const ModelTrial& trial) {
  std::string text = trial.model + ": ";
  if (trial.counts.calls != 0) text += counts_text(trial.counts);
  if (trial.migrations.calls != 0)
    text += (trial.counts.calls != 0 ? ", migrate " : "migrate ") + counts_text(trial.migrations);
  return text;
}

std::optional<Candidate> CandidateList::other_model() {
  if (trials_.empty()) return std::nullopt;
  const auto fitting = fitting_models(document_, check_, trials_);
  if (fitting.empty()) {
    speaks(for_defect_, fmt::format("none of {} other models agrees here", trials_.size()));
    return std::nullopt;
  }
  constexpr size_t max_shown = 4;
  std::string evidence;
  for (size_t k = 0; k < std::min(fitting.size(), max_shown); ++k) {
    evidence += (k == 0 ? "" : "; ") + trial_text(*fitting[k].trial);
    if (fitting[k].fit == Fit::word && k == 0) {
      const auto there = fitting[k].trial->checks.of(recording_, check_.call);
      const Recording& other = *fitting[k].trial->document->recording;
      evidence += fmt::format(" ({} of this call differ{} there, the first at {})",
                              there.size() == 1 ? "one other word" : fmt::format("{} other words", there.size()),
                              there.size() == 1 ? "s" : "", line_text(other, other.checks()[there[0]].step));
    }
  }
  if (fitting.size() > max_shown) evidence += fmt::format("; and {} more models", fitting.size() - max_shown);
  const FittingModel& best = fitting.front();
  const std::string_view what = best.fit == Fit::call ? "call" : "word";
  contradicted_ = best.contradicted;
  const std::string against = against_model(document_, *best.trial);
  if (!contradicted_) {
    speaks(against_defect_, fmt::format("model {} explains it", best.trial->model));
    if (!against.empty()) evidence += "; against it: " + against;
    return Candidate{CandidateKind::other_model,
                     fmt::format("The kernel has the layout or the rules of {}: there this {} agrees.", best.trial->model, what),
                     evidence};
  }
  speaks(for_defect_, fmt::format("the models under which this {} agrees {}", what,
                                  best.trial->broken != 0 ? "do not fit the trace" : "are not that of the kernel that the trace names"));
  return Candidate{CandidateKind::other_model,
                   fmt::format("Under the layout and the rules of {} this {} agrees, but {}: {}.", best.trial->model, what, against,
                               best.trial->broken != 0 ? "hardly that kernel" : "only if it is mistaken there"),
                   evidence};
}

/// Only what was lost before the end of the call can have had a part in it.
void CandidateList::add_lost() {
  if (document_.gaps.empty()) return speaks(for_defect_, "no event was lost");
  int64_t begin_ns = 0, end_ns = 0;
  if (check_.call != no_call) {
    const CallTime time = time_of_call(recording_, recording_.calls()[check_.call]);
    begin_ns = time.begin_ns;
    end_ns = time.end_ns;
  }
  size_t count = 0;
  const Gap* last = nullptr;
  for (const Gap& gap : document_.gaps) {
    if (check_.call != no_call && gap.from_ns >= end_ns) continue;
    ++count;
    if (last == nullptr || gap.to_ns > last->to_ns) last = &gap;
  }
  if (last == nullptr) return speaks(for_defect_, "no event was lost before the end of the call");
  const uint64_t line = last->event == no_event ? 0 : recording_.events()[last->event].line;
  std::string when = "while the call ran";
  if (check_.call == no_call)
    when = "somewhere";
  else if (last->to_ns <= begin_ns)
    when = fmt::format("until {:.6f} s before the call", static_cast<double>(begin_ns - last->to_ns) / 1e9);
  std::string evidence = fmt::format("{} before the end of the call, the last one {}: {}{}",
                                     count == 1 ? "one gap" : fmt::format("{} gaps", count), when, gap_text(*last),
                                     line == 0 ? "" : fmt::format(" (line {})", line));
  if (read_.shown != no_step && last->step <= read_.shown)
    evidence += fmt::format("; against it: {} shows the entry after that", line_text(recording_, read_.shown));
  speaks(against_defect_, "events were lost");
  list_.push_back({CandidateKind::lost_events,
                   "The ring buffer lost events: what the engine was shown may be older than what the kernel read.",
                   evidence});
}

void CandidateList::add_concurrent() {
  const std::string when = read_.shown == no_step
                               ? "while the call ran"
                               : fmt::format("between the read of the entry ({}) and the return", line_text(recording_, read_.shown));
  const std::string_view what = read_.is_page ? "this page" : "a part of the range";
  const Invalidations found = invalidations_during(recording_, check_, read_);
  if (found.count == 0) return speaks(for_defect_, fmt::format("nobody else is seen to invalidate {} {}", what, when));
  speaks(against_defect_, fmt::format("another task invalidated {}", what));
  list_.push_back({CandidateKind::concurrent_invalidation,
                   fmt::format("Another task invalidated {} {}: the kernel may have seen an entry that no event shows.",
                               what, when),
                   fmt::format("{} of them, the first at step {}, {}: {:#x}-{:#x}{}", found.count, found.first + 1,
                               line_text(recording_, found.first), found.start, found.end,
                               found.space_known ? "" : " (no event tells in whose address space)")});
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

void CandidateList::add_unobserved() {
  const CallFactCounts facts = count_facts(recording_, check_.call);
  uint64_t unknown = 0;
  const std::string rules = list_counts(facts.unknown, unknown);
  const bool unjudged = check_.verdict == Verdict::unknown;
  if (unknown == 0 && !unjudged) return speaks(for_defect_, "every fact of the call is shown");
  std::string evidence = unjudged ? check_.reason : fmt::format("{} words are unknown ({})", unknown, rules);
  if (!facts.probes.empty()) evidence += "; these would tell: " + join(facts.probes);
  speaks(against_defect_, "not every fact of the call is shown");
  list_.push_back({CandidateKind::unobserved_state, "The kernel read something that no event shows.", std::move(evidence)});
}

void CandidateList::add_defect() {
  const CheckCounts ranges = count_checks(recording_), migrations = count_migrate_checks(recording_);
  const uint64_t agreed = ranges.agreed + migrations.agreed, diverged = ranges.diverged + migrations.diverged;
  if (agreed != 0) speaks(for_defect_, fmt::format("{} the engine's rules", agreed == 1 ? "another call follows" : fmt::format("{} other calls follow", agreed)));
  if (diverged > 1) speaks(against_defect_, diverged == 2 ? "another call diverges, too" : fmt::format("{} other calls diverge, too", diverged - 1));
  std::string evidence = "for it: " + (for_defect_.empty() ? "nothing more than the difference" : for_defect_);
  if (!against_defect_.empty()) evidence += ". Against it: " + against_defect_;
  if (trials_.empty()) evidence += ". Other models were not tried";
  list_.push_back({CandidateKind::kernel_defect,
                   "The kernel does not follow its own rules here, or the engine's rule is wrong.", std::move(evidence)});
}

/// Steps in front of a call that show what it was given.
bool tells_arguments(RuleId fired) {
  switch (fired) {
    case RuleId::trace_array_shown:
    case RuleId::trace_array_unknown:
    case RuleId::trace_range_shown:
    case RuleId::trace_migrate_args:
    case RuleId::trace_migrate_src:
    case RuleId::trace_migrate_dst:
    case RuleId::trace_migrate_slots:
      return true;
    default:
      return false;
  }
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

CallFactCounts count_facts(const Recording& recording, CallId id) {
  CallFactCounts facts;
  if (id == no_call) return facts;
  const Call& call = recording.calls()[id];
  StepIndex begin = call.first_step;
  while (begin > 0 && tells_arguments(recording.rule_of(begin - 1))) --begin;
  for (StepIndex step = begin; step < std::min(call.end_step, recording.steps()); ++step) {
    const std::string id_text(rule(recording.rule_of(step)).id);
    if (id_text.starts_with("check.")) continue;
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
  return CandidateList(document, check, trials).take();
}

std::string full_explanation(const Document& document, const CallCheck& check,
                             std::span<const ModelTrial> trials) {
  const Recording& recording = *document.recording;
  std::string text = explanation_text(recording, document.model, check);
  const auto out = std::back_inserter(text);
  fmt::format_to(out, "    layout  {} of model {}\n", layout_of_check(recording, document.model, check).id, document.model.id);
  if (const std::string kernel = kernel_side(document, check, trials); !kernel.empty())
    fmt::format_to(out, "    kernel  {}\n", kernel);
  const CallFactCounts facts = count_facts(recording, check.call);
  const auto line = [&](std::string_view how, const std::map<std::string, uint64_t>& counts) {
    uint64_t sum = 0;
    const std::string rules = list_counts(counts, sum);
    if (sum != 0) fmt::format_to(out, "    {:<9} {} {}: {}\n", how, sum, sum == 1 ? "word" : "words", rules);
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
