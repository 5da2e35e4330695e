#pragma once
/// Runs a sample and says what is wrong afterwards.

#include <algorithm>
#include <array>
#include <exception>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "engine/scenario/run.h"
#include "tests/support/end_state.h"
#include "tests/support/random_sample.h"

namespace hmmscope::scenario {

/// Going back takes back exactly what going forward did. Empty when it does.
template <class AnyCursor>
std::string steps_back(AnyCursor& cursor) {
  std::vector<uint64_t> hashes{cursor.hash()};
  while (cursor.step()) hashes.push_back(cursor.hash());
  while (cursor.back()) {
    if (cursor.hash() != hashes[cursor.position()]) return "stepping back to " + std::to_string(cursor.position()) + " is not where it was";
  }
  return cursor.position() == 0 ? "" : "stepping back ends before the beginning";
}

/// What the runs of a test reached between them.
struct Reached {
  std::array<uint32_t, static_cast<size_t>(RuleId::count_)> rules{};   ///< runs that fired the rule
  uint32_t runs = 0, refused = 0, stopped = 0;   ///< `refused`: the scenario's own mistake; `stopped`: a known dead end

  void add(const Recording& recording) {
    std::set<RuleId> fired;
    for (StepIndex step = 0; step < recording.steps(); ++step) fired.insert(recording.rule_of(step));
    for (const RuleId id : fired) ++rules[static_cast<size_t>(id)];
  }
  uint32_t of(RuleId id) const { return rules[static_cast<size_t>(id)]; }
  /// Those of `expected` that never fired.
  std::string missing(std::initializer_list<const char*> expected) const {
    std::string all;
    for (const char* const id : expected) {
      const Rule* const known = find_rule(id);
      if (known == nullptr) all += std::string(id) + " (no such rule) ";
      else if (of(known->rule) == 0) all += std::string(id) + " ";
    }
    return all;
  }
};

struct Checks {
  bool back = false;           ///< steps back too, which costs more than the run
  Reached* reached = nullptr;
};

inline bool fires(const Recording& recording, std::initializer_list<RuleId> any) {
  for (StepIndex step = 0; step < recording.steps(); ++step) {
    if (std::find(any.begin(), any.end(), recording.rule_of(step)) != any.end()) return true;
  }
  return false;
}

inline bool fires_prefix(const Recording& recording, std::string_view prefix) {
  for (StepIndex step = 0; step < recording.steps(); ++step) {
    if (rule(recording.rule_of(step)).id.starts_with(prefix)) return true;
  }
  return false;
}

inline bool has_finding(const Outcome& outcome, std::string_view name) {
  return std::any_of(outcome.findings.begin(), outcome.findings.end(), [&](const std::string& text) { return text.starts_with(name); });
}

/// A dead end that the kernel has: until 6.15 two tasks may keep each other from bringing a device page home, and a lock or
/// a reference that an injected failure took is never given back, so that the page never comes home. The RFC leaves migration entries behind, for which others wait.
inline bool is_known_end(const Outcome& outcome) {
  const Recording& recording = outcome.recording;
  if (fires(recording, {RuleId::inject_folio_lock, RuleId::inject_reference, RuleId::inject_pin})) return true;
  if (fires_prefix(recording, "stuck.") || outcome.model.unified == UnifiedStyle::rfc) return true;
  return outcome.schedule_end == "livelock" && !outcome.model.fault_page_locked &&
         fires(recording, {RuleId::swap_device_private});
}

/// "device gpu0 maps ADDR with ENTRY, ..."
struct Violation {
  uint64_t addr = 0, entry = 0;

  static std::optional<Violation> in(const std::string& failure) {
    const size_t maps = failure.find(" maps 0x"), with = failure.find(" with 0x");
    if (failure.find("device ") == std::string::npos || maps == std::string::npos || with == std::string::npos) return std::nullopt;
    return Violation{std::stoull(failure.substr(maps + 6), nullptr, 16), std::stoull(failure.substr(with + 6), nullptr, 16)};
  }
};

/// Kernels that report a page where none is: until 5.7 a hole of hugetlb memory beside a page table gets VALID with the
/// offset into the hole.
inline bool kernel_made_it_up(const Outcome& outcome, const Violation& found) {
  const uint64_t pfn = outcome.model.hmm_pfn->field(Role::pfn)->get(found.entry);
  return outcome.model.has_driver_format() && pfn < level_size(Level::pud) / page_bytes;
}

/// Violations that the kernels of that time have, beside those the samples allow by name.
inline bool is_known_violation(const Outcome& outcome, const std::string& failure) {
  for (const char* name : {"page-zero: ", "moved-to-device-while-faulting: ", "invalidation-not-noticed: ", "kept-after-collision: "}) {   // told by their cause
    if (failure.starts_with(name)) return true;
  }
  const auto found = Violation::in(failure);
  return found && kernel_made_it_up(outcome, *found);
}

/// What is wrong after the run; nothing when nothing is. A scenario that is none (shrinking makes such) gives `mistake`.
struct Verdict {
  std::string wrong, mistake;
};

inline Verdict verdict(Sample& sample, const Checks& checks = {}) {
  const auto parsed = parse(sample.text(), "random.json");
  if (!parsed) return {{}, parsed.error().to_string()};
  RunOptions options;
  if (sample.schedule.empty()) options.seed = sample.seed;
  std::optional<Result<Outcome>> result;
  try {
    result.emplace(run(*parsed, options));
  } catch (const std::exception& thrown) {
    return {std::string("exception: ") + thrown.what(), {}};
  }
  const Result<Outcome>& outcome = *result;
  if (!outcome) return {{}, outcome.error().to_string()};
  sample.schedule = outcome->schedule;
  if (checks.reached != nullptr) checks.reached->add(outcome->recording);
  const bool ended = outcome->schedule_end.empty() || outcome->schedule_end == "finished";
  if (!ended && is_known_end(*outcome)) {
    if (checks.reached != nullptr) ++checks.reached->stopped;
    return {};
  }
  for (const Failure& failure : outcome->failures) {
    if (failure.text.find("injection never") != std::string::npos || failure.text.find("place of this injection") != std::string::npos) continue;
    if (is_known_violation(*outcome, failure.text)) continue;
    return {failure.text, {}};
  }
  // The RFC's own defects are named and leave what they are named for.
  if (fires_prefix(outcome->recording, "stuck.") || has_finding(*outcome, "left-behind")) return {};
  if (std::string text = complaint(*outcome, holds_of(outcome->recording)); !text.empty()) return {text, {}};
  if (!checks.back) return {};
  Cursor cursor(std::make_shared<const Recording>(outcome->recording));
  return {steps_back(cursor), {}};
}

}  // namespace hmmscope::scenario
