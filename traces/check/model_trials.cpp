#include "traces/check/model_trials.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <tuple>

#include "engine/encoding/layout.h"
#include "engine/model/kernel_release.h"
#include "engine/model/word_layout.h"
#include "traces/check/judge.h"
#include "traces/reader/bytes.h"

namespace hmmscope::traces {
namespace {

constexpr uint64_t no_key = ~uint64_t{0};

uint64_t key_of(const Recording& recording, CallId call) {
  if (call == no_call || recording.calls()[call].first_step >= recording.steps()) return no_key;
  const EventIndex event = recording.event_of(recording.calls()[call].first_step);
  if (event == no_event) return no_key;
  return uint64_t{event} << 8 | static_cast<uint8_t>(recording.calls()[call].function);
}

/// The same word of the same table or array. Words are numbered as a replay comes to need them.
bool same_word(const Recording& a, WordIndex x, const Recording& b, WordIndex y) {
  const RegionId first = a.region_of(x), second = b.region_of(y);
  if (first == no_region || second == no_region) return false;
  const Region &one = a.regions()[first], &other = b.regions()[second];
  return one.kind == other.kind && one.owner == other.owner && one.address == other.address &&
         one.count == other.count && x - one.first == y - other.first;
}

/// The rule by which the engine of this recording came to that word of `mine`, in the call of this check.
std::string rule_of_word(const Recording& mine, WordIndex word, const Recording& recording, const CallCheck& check) {
  if (word == no_word || check.call == no_call) return {};
  const Call& where = recording.calls()[check.call];
  for (StepIndex step = std::min(where.end_step, recording.steps()); step-- > where.first_step;) {
    const Rule& fired = rule(recording.rule_of(step));
    if (fired.id.starts_with("check.")) continue;
    for (uint32_t k = 0; k < recording.write_count(step); ++k) {
      const WriteView write = recording.write(step, k);
      const RegionId wanted = mine.region_of(word), region = recording.region_of(write.first);
      if (wanted == no_region || region == no_region) continue;
      const WordIndex there = recording.regions()[region].first + (word - mine.regions()[wanted].first);
      if (write.covers(there) && same_word(mine, word, recording, there))
        return fmt::format("rule {}: {}", fired.id, fired.statement);
    }
  }
  return {};
}

uint32_t version_of(const std::string& model) {
  const auto found = kernel_model(model);
  return found ? found->version : 0;
}

/// The release that the trace names; 0 when it does not.
uint32_t version_said(const Recording& recording) {
  const std::string kernel = recording.meta("kernel");
  const auto release = parse_release(kernel);
  return release ? release->version : 0;
}

/// The rules of `model` are those of the release that the trace names.
bool is_said(uint32_t said, uint32_t model) {
  if (model > said) return false;
  const auto models = kernel_models();
  return std::none_of(models.begin(), models.end(),
                      [&](const KernelModel& other) { return other.version > model && other.version <= said; });
}

bool contradicts_header(const Document& document, const ModelTrial& trial) {
  const uint32_t said = version_said(*document.recording);
  return said != 0 && !is_said(said, version_of(trial.model));
}

bool is_patched(const std::string& model) { return model.find_first_not_of("0123456789.") != std::string::npos; }

std::string bits_of(const Field& field) {
  return field.width == 1 ? fmt::format("bit {}", field.shift)
                          : fmt::format("bits {}..{}", field.shift + field.width - 1, field.shift);
}

void add_fields_of(const Layout& layout, const Layout& other, std::string& text) {
  for (const Field& field : layout.fields) {
    if (other.field_named(field.name) != nullptr) continue;
    text += fmt::format("{}only {} has {} ({}{})", text.empty() ? "" : ", ", layout.id, field.name, bits_of(field),
                        field.sticky ? ", survives a call" : "");
  }
}

/// The calls of both replays held against each other.
void compare_trial(const Recording& own, const Document& document, ModelTrial& trial) {
  CallId last = no_call, mended = no_call;
  for (const CallCheck& check : own.checks()) {
    if (check.verdict == Verdict::diverged && check.call != mended && fit_of(document, check, trial) != Fit::none) {
      ++trial.mended;
      mended = check.call;
    }
    if (check.verdict != Verdict::agreed || check.call == last) continue;
    last = check.call;
    const auto there = trial.checks.of(own, check.call);
    const Recording& other = *trial.document->recording;
    if (there.empty() || other.checks()[there[0]].verdict != Verdict::diverged) continue;
    if (trial.broken++ == 0) trial.broken_line = other.line_of(other.checks()[there[0]].step);
  }
}

}  // namespace

ChecksOfCalls::ChecksOfCalls(const Recording& recording) {
  const auto checks = recording.checks();
  for (uint32_t i = 0; i < checks.size(); ++i)
    if (const uint64_t key = key_of(recording, checks[i].call); key != no_key) checks_[key].push_back(i);
}

std::span<const uint32_t> ChecksOfCalls::of(const Recording& recording, CallId call) const {
  const uint64_t key = key_of(recording, call);
  const auto found = key == no_key ? checks_.end() : checks_.find(key);
  return found == checks_.end() ? std::span<const uint32_t>() : std::span<const uint32_t>(found->second);
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
    ModelTrial trial;
    trial.model = model.id;
    trial.document = std::move(*opened);
    const Recording& recording = *trial.document->recording;
    trial.counts = count_checks(recording);
    trial.migrations = count_migrate_checks(recording);
    trial.checks = ChecksOfCalls(recording);
    compare_trial(*document.recording, document, trial);
    if (trial.mended == 0) {  // what explains nothing need not be kept
      trial.document = nullptr;
      trial.checks = {};
    }
    trials.push_back(std::move(trial));
  }
  return trials;
}

Fit fit_of(const Document& document, const CallCheck& check, const ModelTrial& trial) {
  if (trial.document == nullptr) return Fit::none;
  const Recording &mine = *document.recording, &other = *trial.document->recording;
  const auto there = trial.checks.of(mine, check.call);
  if (there.empty()) return Fit::none;
  if (other.checks()[there[0]].verdict == Verdict::agreed) return Fit::call;
  // Where control flow differs, later words were not compared; beyond the limit they were not kept.
  if (check.word == no_word || check.verdict != Verdict::diverged || there.size() >= Judge::max_differences) return Fit::none;
  for (const uint32_t index : there) {
    const CallCheck& found = other.checks()[index];
    if (found.verdict != Verdict::diverged || found.word == no_word) return Fit::none;
    if (same_word(mine, check.word, other, found.word) && found.kernel == check.kernel) return Fit::none;
  }
  return Fit::word;
}

std::string against_model(const Document& document, const ModelTrial& trial) {
  std::string text;
  if (trial.broken != 0)
    text = fmt::format("{} {} under {} diverge{} there{}", trial.broken,
                       trial.broken == 1 ? "call that agrees" : "calls that agree", document.model.id,
                       trial.broken == 1 ? "s" : "",
                       trial.broken_line == 0 ? "" : fmt::format(" (the first at line {})", trial.broken_line));
  if (contradicts_header(document, trial))
    text += fmt::format("{}the trace says that it is of kernel {}", text.empty() ? "" : ", and ",
                        document.recording->meta("kernel"));
  return text;
}

std::vector<FittingModel> fitting_models(const Document& document, const CallCheck& check,
                                         std::span<const ModelTrial> trials) {
  std::vector<FittingModel> fitting;
  for (const ModelTrial& trial : trials) {
    const Fit fit = fit_of(document, check, trial);
    if (fit == Fit::none) continue;
    // One call is sooner a defect than another kernel; where a model explains several, what the trace says of itself
    // may be wrong.
    fitting.push_back({&trial, fit, trial.broken != 0 || (trial.mended < 2 && contradicts_header(document, trial))});
  }
  const auto rank = [&](const FittingModel& model) {
    const ModelTrial& trial = *model.trial;
    const auto away = std::abs(static_cast<int64_t>(version_of(trial.model)) - static_cast<int64_t>(document.model.version));
    return std::tuple(model.contradicted, trial.broken != 0, contradicts_header(document, trial),
                      trial.counts.diverged + trial.migrations.diverged, is_patched(trial.model), away);
  };
  std::stable_sort(fitting.begin(), fitting.end(),
                   [&](const FittingModel& a, const FittingModel& b) { return rank(a) < rank(b); });
  return fitting;
}

const Layout& layout_of_check(const Recording& recording, const KernelModel& model, const CallCheck& check) {
  const RegionId region = check.word == no_word ? no_region : recording.region_of(check.word);
  if (region != no_region) return word_layout(model, recording.regions()[region].kind, check.kernel);
  const Function function = check.call == no_call ? Function::hmm_range_fault : recording.calls()[check.call].function;
  return word_layout(model, function == Function::hmm_range_fault ? RegionKind::hmm_pfns : RegionKind::migrate_src, 0);
}

std::string layout_difference(const Layout& a, const Layout& b) {
  std::string text;
  if (&a == &b) return text;
  add_fields_of(a, b, text);
  add_fields_of(b, a, text);
  for (const Field& field : a.fields) {
    const Field* other = b.field_named(field.name);
    if (other == nullptr) continue;
    const std::string_view comma = text.empty() ? "" : ", ";
    if (other->shift != field.shift || other->width != field.width)
      text += fmt::format("{}{} is {} in {} and {} in {}", comma, field.name, bits_of(field), a.id, bits_of(*other), b.id);
    else if (other->sticky != field.sticky)
      text += fmt::format("{}{} survives a call in {} only", comma, field.name, field.sticky ? a.id : b.id);
  }
  return text;
}

std::string kernel_side(const Document& document, const CallCheck& check, std::span<const ModelTrial> trials) {
  if (check.verdict != Verdict::diverged || check.word == no_word) return {};
  const auto fitting = fitting_models(document, check, trials);
  if (fitting.empty()) return {};
  const ModelTrial& trial = *fitting.front().trial;
  const Recording &mine = *document.recording, &other = *trial.document->recording;
  const auto there = trial.checks.of(mine, check.call);
  const KernelModel& model = trial.document->model;
  const Layout &own = layout_of_check(mine, document.model, check), &layout = layout_of_check(mine, model, check);
  const RegionKind kind = mine.regions()[mine.region_of(check.word)].kind;
  std::string text = "as " + trial.model;
  if (fitting.front().contradicted)
    text += trial.broken != 0 ? ", which hardly is the kernel of this trace" : ", which is not the kernel that the trace names";
  text += fmt::format(": layout {}", layout.id);
  if (const std::string difference = layout_difference(own, layout); !difference.empty()) text += ": " + difference;
  if (const std::string read = describe_word(model, kind, check.kernel); read != describe_word(document.model, kind, check.kernel))
    text += fmt::format("; it reads {}", read);
  if (const std::string rule = rule_of_word(mine, check.word, other, other.checks()[there[0]]); !rule.empty())
    text += "; " + rule;
  return text;
}

}  // namespace hmmscope::traces
