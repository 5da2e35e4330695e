#include "engine/recording/compare.h"

#include <fmt/format.h>

#include <algorithm>

namespace hmmscope {
namespace {

/// Pairs the calls of two recordings as their steps meet. Paths are equal when every call on them is paired.
class CallPairs {
 public:
  CallPairs(const Recording& a, const Recording& b)
      : a_(a), b_(b), b_of_a_(a.calls().size(), no_call), a_of_b_(b.calls().size(), no_call) {}

  bool same_path(CallId a, CallId b) {
    // Up to the first pair that is known, or to the roots; calls met on the way become pairs.
    while (a != no_call && b != no_call) {
      if (b_of_a_[a] == b) return true;
      if (b_of_a_[a] != no_call || a_of_b_[b] != no_call) return false;
      if (a_.function_name_of(a) != b_.function_name_of(b)) return false;
      b_of_a_[a] = b;
      a_of_b_[b] = a;
      a = a_.calls()[a].parent;
      b = b_.calls()[b].parent;
    }
    return a == b;
  }

 private:
  const Recording& a_;
  const Recording& b_;
  std::vector<CallId> b_of_a_, a_of_b_;
};

bool same_pattern(const WriteView& a, const WriteView& b) {
  return a.new_shape == b.new_shape && a.new_shape != WriteShape::literal && a.new_base == b.new_base &&
         a.new_stride == b.new_stride;
}

std::optional<Difference> compare_write(StepIndex step, const WriteView& a, const WriteView& b) {
  if (a.first != b.first) return Difference{DifferenceKind::writes, step, std::min(a.first, b.first)};
  const uint32_t common = std::min(a.count, b.count);
  if (!same_pattern(a, b)) {
    for (uint32_t k = 0; k < common; ++k) {
      if (a.new_at(k) != b.new_at(k)) {
        return Difference{DifferenceKind::writes, step, a.first + k, a.new_at(k), b.new_at(k)};
      }
    }
  }
  if (a.count != b.count) return Difference{DifferenceKind::writes, step, a.first + common};
  return std::nullopt;
}

std::optional<Difference> compare_writes(StepIndex step, const Recording& a, const Recording& b) {
  const uint32_t common = std::min(a.write_count(step), b.write_count(step));
  for (uint32_t i = 0; i < common; ++i) {
    if (auto difference = compare_write(step, a.write(step, i), b.write(step, i))) return difference;
  }
  if (a.write_count(step) == b.write_count(step)) return std::nullopt;
  const Recording& longer = a.write_count(step) > common ? a : b;
  return Difference{DifferenceKind::writes, step, longer.write(step, common).first};
}

std::optional<Difference> compare_initial(const Recording& a, const Recording& b) {
  const auto x = a.initial();
  const auto y = b.initial();
  const auto [i, j] = std::mismatch(x.begin(), x.end(), y.begin(), y.end());
  if (i == x.end() || j == y.end()) return std::nullopt;  // words one of them added later start as zero
  return Difference{DifferenceKind::state, 0, static_cast<WordIndex>(i - x.begin()), *i, *j};
}

}  // namespace

std::optional<Difference> first_difference(const Recording& a, const Recording& b) {
  if (auto difference = compare_initial(a, b)) return difference;
  CallPairs calls(a, b);
  const StepIndex common = std::min(a.steps(), b.steps());
  for (StepIndex step = 0; step < common; ++step) {
    if (a.rule_of(step) != b.rule_of(step) || a.rule_name(step) != b.rule_name(step)) {
      return Difference{DifferenceKind::rule, step};
    }
    if (!calls.same_path(a.call_of(step), b.call_of(step)))
      return Difference{DifferenceKind::call_path, step};
    if (auto difference = compare_writes(step, a, b)) return difference;
  }
  if (a.steps() != b.steps()) return Difference{DifferenceKind::length, common};
  return std::nullopt;
}

std::string describe(const Difference& difference, const Recording& a, const Recording& b) {
  const StepIndex step = difference.step;
  const auto function = [&](const Recording& recording) {
    const CallId call = recording.call_of(step);
    return call == no_call ? std::string_view("no call") : recording.function_name_of(call);
  };
  const Recording& named = difference.word < a.word_count() ? a : b;
  switch (difference.kind) {
    case DifferenceKind::state:
      return fmt::format("before the first step: {} is {:#x} here, {:#x} there",
                         named.word_name(difference.word), difference.a, difference.b);
    case DifferenceKind::rule:
      return fmt::format("step {}: rule {} here, {} there", step, a.rule_name(step), b.rule_name(step));
    case DifferenceKind::call_path:
      return fmt::format("step {}: in {} here, in {} there, by another path", step, function(a), function(b));
    case DifferenceKind::writes:
      if (difference.a != difference.b) {
        return fmt::format("step {}: {} becomes {:#x} here, {:#x} there", step,
                           named.word_name(difference.word), difference.a, difference.b);
      }
      return fmt::format("step {}: {} is written by one of the two only", step,
                         named.word_name(difference.word));
    case DifferenceKind::length:
      return fmt::format("step {}: {} ends, {} goes on", step,
                         a.steps() == step ? "this recording" : "the other",
                         a.steps() == step ? "the other" : "this recording");
  }
  return {};
}

}  // namespace hmmscope
