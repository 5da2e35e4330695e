#include "lessons/moment.h"

namespace hmmscope::lessons {
namespace {

/// The first word of `write` that fits; no_word when none does.
WordIndex fitting_word(const WriteView& write, const Pattern& pattern) {
  for (uint32_t k = 0; k < write.count; ++k) {
    if ((write.new_at(k) & pattern.becomes_mask) == pattern.becomes &&
        (write.old_at(k) & pattern.was_mask) == pattern.was) {
      return write.first + k;
    }
  }
  return no_word;
}

CallId enclosing_range_fault(const Recording& recording, StepIndex step) {
  CallId call = recording.call_of(step);
  while (call != no_call && recording.calls()[call].function != Function::hmm_range_fault)
    call = recording.calls()[call].parent;
  return call;
}

StepIndex position_of(const Recording& recording, MomentQuery::At at, StepIndex step, CallId call) {
  if (at == MomentQuery::At::step || call == no_call) return step + 1;
  const Call& around = recording.calls()[call];
  if (at == MomentQuery::At::call_start) return around.first_step;
  return around.end_step == no_step ? recording.steps() : around.end_step;
}

}  // namespace

std::optional<Moment> moment_at(const Recording& recording, const Pattern& pattern, StepIndex step) {
  if (!rule(recording.rule_of(step)).id.starts_with(pattern.rule)) return std::nullopt;
  for (uint32_t index = 0; index < recording.write_count(step); ++index) {
    const WriteView write = recording.write(step, index);
    const RegionId id = recording.region_of(write.first);
    if (id == no_region || recording.regions()[id].kind != pattern.region) continue;
    if (pattern.words && recording.regions()[id].count != *pattern.words) continue;
    const WordIndex word = fitting_word(write, pattern);
    if (word == no_word) continue;
    const CallId call = enclosing_range_fault(recording, step);
    return Moment{nullptr, {}, step, position_of(recording, pattern.at, step, call), call, id, word};
  }
  return std::nullopt;
}

std::optional<Moment> find_moment(const Recording& recording, const Pattern& pattern, StepIndex from) {
  for (StepIndex step = from; step < recording.steps(); ++step) {
    if (auto moment = moment_at(recording, pattern, step)) return moment;
  }
  return std::nullopt;
}

}  // namespace hmmscope::lessons
