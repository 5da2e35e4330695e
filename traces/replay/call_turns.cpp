#include "traces/replay/call_turns.h"

#include <algorithm>
#include <system_error>
#include <utility>

namespace hmmscope::traces {
namespace {

/// Suspended calls; a real trace has one a CPU and those that sleep.
constexpr size_t max_threads = 64;

}  // namespace

CallTurns::~CallTurns() {
  stopping_ = true;
  for (const auto& turn : threads_) turn->baton.release();
  for (const auto& turn : threads_) turn->thread.join();
}

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
  turn.baton.release();
  self.baton.acquire();
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
    if (threads_.size() >= max_threads) return false;
    auto turn = std::make_unique<Turn>();
    Turn& fresh = *turn;
    idle_.reserve(threads_.size() + 1);
    threads_.push_back(std::move(turn));
    try {
      fresh.thread = std::thread([this, &fresh] { body(fresh); });
    } catch (const std::system_error&) {
      threads_.pop_back();
      return false;
    }
    idle_.push_back(&fresh);
  }
  Turn& turn = *idle_.back();
  idle_.pop_back();
  turn.call = std::move(call);
  turn.until = 0;
  hand_to(turn);
  if (current_ == &first_) rethrow();
  return true;
}

void CallTurns::body(Turn& turn) {
  for (turn.baton.acquire(); !stopping_; turn.baton.acquire()) {
    try {
      turn.call();
    } catch (...) {
      if (!failure_) failure_ = std::current_exception();
    }
    idle_.push_back(&turn);
    Turn& next = *take_earliest();
    current_ = &next;
    next.baton.release();
  }
}

void CallTurns::rethrow() {
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

}  // namespace hmmscope::traces
