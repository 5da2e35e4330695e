#include "traces/replay/call_turns.h"

#include <algorithm>
#include <new>
#include <utility>

namespace hmmscope::traces {
namespace {

/// Suspended calls; a real trace has one a CPU and those that sleep.
constexpr size_t most_calls = 64;

}  // namespace

uint32_t CallTurns::wait_for(uint32_t until) { return std::exchange(current_->until, until); }

CallTurns::Turn* CallTurns::take_earliest() {
  const auto earliest = std::ranges::min_element(waiting_, {}, &Turn::until);
  Turn* turn = *earliest;
  waiting_.erase(earliest);
  return turn;
}

void CallTurns::hand_to(Turn& turn) {
  Turn& self = *current_;
  waiting_.push_back(&self);
  current_ = &turn;
  self.fiber->switch_to(*turn.fiber);
}

bool CallTurns::give_way(uint32_t reached) {
  const auto due = [reached](const Turn* turn) { return turn->until <= reached; };
  if (std::ranges::none_of(waiting_, due)) return false;
  hand_to(*take_earliest());
  if (current_ == &first_) rethrow();
  return true;
}

void CallTurns::finish() {
  while (!waiting_.empty()) hand_to(*take_earliest());
}

bool CallTurns::start(std::function<void()> call) {
  if (idle_.empty()) {
    if (others_.size() >= most_calls) return false;
    others_.push_back(std::make_unique<Turn>());
    idle_.push_back(others_.back().get());
  }
  Turn& turn = *idle_.back();
  try {
    turn.fiber = std::make_unique<Fiber>([this, &turn]() -> Fiber& { return body(turn); });
  } catch (const std::bad_alloc&) {
    return false;
  }
  idle_.pop_back();
  turn.call = std::move(call);
  turn.until = 0;
  hand_to(turn);
  if (current_ == &first_) rethrow();
  return true;
}

Fiber& CallTurns::body(Turn& turn) {
  try {
    turn.call();
  } catch (...) {
    if (!failure_) failure_ = std::current_exception();
  }
  idle_.push_back(&turn);
  current_ = take_earliest();
  return *current_->fiber;
}

void CallTurns::rethrow() {
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

}  // namespace hmmscope::traces
