#include "traces/check/judge.h"

#include <fmt/format.h>

#include <optional>

#include "engine/base/errno_name.h"

namespace hmmscope::traces {
namespace {

/// Why a word has the value it has that a call does not write: it was shown so before.
RuleId rule_of_kept(RegionKind kind) {
  switch (kind) {
    case RegionKind::migrate_src:
      return RuleId::trace_migrate_src;
    case RegionKind::migrate_dst:
      return RuleId::trace_migrate_dst;
    case RegionKind::pte:
      return RuleId::trace_pte_inferred;
    default:
      return RuleId::trace_array_shown;
  }
}

/// "-22 (-EINVAL)", "0"
std::string result_text(int64_t result) {
  const auto name = result == 0 ? std::nullopt : errno_name(result);
  return name ? fmt::format("{} ({})", result, *name) : fmt::format("{}", result);
}

}  // namespace

/// The rule of the step in `call` that wrote the word last: the engine's reason for its value.
RuleId Judge::last_rule(WordIndex word, CallId call) const {
  const Recording& recording = recorder_.peek();
  const StepIndex begin = call == no_call ? 0 : recording.calls()[call].first_step;
  for (StepIndex step = recorder_.steps(); step-- > begin;)
    for (uint32_t k = 0; k < recording.write_count(step); ++k)
      if (recording.write(step, k).covers(word)) return recording.rule_of(step);
  const Memory& memory = recorder_.memory();
  const RegionId region = memory.region_of(word);
  return region == no_region ? RuleId::trace_array_shown : rule_of_kept(memory.regions()[region].kind);
}

void Judge::difference(CallCheck check) {
  check.verdict = Verdict::diverged;
  if (differences_.size() < max_differences) differences_.push_back(std::move(check));
}

bool Judge::excused(uint64_t addr) {
  if (!doubtful_ && !excuse_.empty()) doubt(addr, excuse_);
  return doubtful_;
}

void Judge::compare(WordIndex word, uint64_t kernel, uint64_t engine, uint64_t known, CallId call) {
  ++words_compared_;
  if (known != ~uint64_t{0}) ++words_unknown_;
  if (((kernel ^ engine) & known) == 0 || excused(word)) {
    if (kernel == engine) return;
    // What could not be known is the kernel's.
    recorder_.step(RuleId::check_unknown, {word});
    recorder_.write(word, kernel, Evidence::observed);
    return;
  }
  CallCheck check;
  check.word = word;
  check.kernel = kernel;
  check.engine = engine;
  check.known = known;
  check.rule = last_rule(word, call);
  check.reason = "the kernel's word differs";
  // The engine has no reason of its own for a word that it leaves alone.
  if (rule(check.rule).id.starts_with("trace.")) check.reason += "; the engine leaves the word as it was before";
  check.step = recorder_.step(RuleId::check_diverged, {kernel, engine, known});
  recorder_.write(word, kernel, Evidence::observed);
  difference(std::move(check));
}

void Judge::number(std::string reason, uint64_t kernel, uint64_t engine) {
  if (kernel == engine || !in_step_ || excused(0)) return;
  CallCheck check;
  check.kernel = kernel;
  check.engine = engine;
  check.rule = recorder_.steps() == 0 ? RuleId::check_flow : recorder_.peek().rule_of(recorder_.steps() - 1);
  check.reason = std::move(reason);
  check.step = recorder_.step(RuleId::check_flow, {0, kernel, engine});
  difference(std::move(check));
}

void Judge::value(std::string_view what, uint64_t kernel, uint64_t engine) {
  if (kernel != engine) number(fmt::format("{}: the kernel has {:#x}, the engine {:#x}", what, kernel, engine), kernel, engine);
}

void Judge::returned(int64_t kernel, int64_t engine) {
  if (kernel != engine)
    number(fmt::format("the kernel returned {}, the engine {}", result_text(kernel), result_text(engine)),
           static_cast<uint64_t>(kernel), static_cast<uint64_t>(engine));
}

void Judge::other_way(uint64_t addr, uint64_t kernel, uint64_t engine, std::string reason) {
  if (!in_step_) return;
  in_step_ = false;
  if (excused(addr)) return;
  CallCheck check;
  check.kernel = kernel;
  check.engine = engine;
  check.rule = recorder_.steps() == 0 ? RuleId::check_flow : recorder_.peek().rule_of(recorder_.steps() - 1);
  check.reason = std::move(reason);
  check.step = recorder_.step(RuleId::check_flow, {addr, kernel, engine});
  difference(std::move(check));
}

void Judge::unknown(uint64_t addr, std::string reason) {
  if (!unknown_.empty()) return;
  unknown_ = std::move(reason);
  unknown_step_ = recorder_.step(RuleId::check_unknown, {addr});
}

void Judge::doubt(uint64_t addr, std::string reason) {
  doubtful_ = true;
  unknown(addr, std::move(reason));
}

void Judge::lost(uint64_t addr, std::string reason) {
  if (!in_step_) return;
  in_step_ = false;
  unknown(addr, std::move(reason));
}

void Judge::finish(CallId call, int64_t ret) {
  const auto counted = [&](CallCheck check) {
    check.call = call;
    check.words_compared = words_compared_;
    check.words_unknown = words_unknown_;
    return check;
  };
  if (!differences_.empty()) {
    for (CallCheck& check : differences_) recorder_.add_check(counted(std::move(check)));
    return;
  }
  CallCheck check;
  if (!unknown_.empty()) {
    check.verdict = Verdict::unknown;
    check.reason = unknown_;
    check.step = unknown_step_;
  } else {
    check.step = recorder_.step(RuleId::check_agreed, {words_compared_, static_cast<uint64_t>(ret)});
  }
  recorder_.add_check(counted(std::move(check)));
}

}  // namespace hmmscope::traces
