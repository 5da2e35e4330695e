// The half of RangeCall that walks along the call's own events.
#include <fmt/format.h>

#include "traces/replay/range_call.h"

namespace hmmscope::traces {

uint32_t RangeCall::peek() {
  if (peek_valid_) return peeked_;
  peeked_ = next_;
  while (peeked_ != no_index) {
    const EventKind found = kind(peeked_);
    if (is_walk_event(found) || found == EventKind::mmf || found == EventKind::mmf_r) break;
    peeked_ = replayer_.calls().next(peeked_);
  }
  peek_valid_ = true;
  return peeked_;
}

/// Of a range whose faults are not shown, one by one, every page asks.
std::optional<uint64_t> RangeCall::next_fault() {
  const uint32_t index = peek();
  if (index != next_fault_at_) {
    next_fault_at_ = index;
    next_fault_.reset();
    if (index != no_index && kind(index) == EventKind::mmf) next_fault_ = number(index, "addr");
  }
  return next_fault_;
}

uint32_t RangeCall::next_or_end() {
  if (peek() != no_index) return peek();
  return traced_.out != no_index ? traced_.out : static_cast<uint32_t>(replayer_.trace().size());
}

void RangeCall::pass(uint32_t index) {
  replayer_.pass_until(index);
  world_.run_task(traced_.task);
  prepare_.passing(index);
  // The walk of a unified setup is replayed with the setup.
  if (kind(index) == EventKind::rf_in && !replayer_.migrations().in_call(index)) {
    const uint32_t nested = replayer_.calls().call_at(index);
    if (nested != no_index) replayer_.run_call(nested);
  } else {
    replayer_.side_event(index, floor_);
  }
}

uint32_t RangeCall::take() { return take(peek()); }

uint32_t RangeCall::take(uint32_t wanted) {
  world_.run_task(traced_.task);
  const CallId floor = recorder_.current_call();
  floor_ = floor;
  while (next_ != wanted) {
    pass(next_);
    next_ = replayer_.calls().next(next_);
  }
  replayer_.pass_until(wanted);
  world_.at(wanted);
  // Side calls that did not return are over now: the walk goes on.
  while (recorder_.current_call() != floor) recorder_.leave();
  taken_ = wanted;
  next_ = replayer_.calls().next(wanted);
  peek_valid_ = false;
  return wanted;
}

void RangeCall::pass_rest() {
  world_.run_task(traced_.task);
  floor_ = recorder_.current_call();
  for (; next_ != no_index; next_ = replayer_.calls().next(next_)) pass(next_);
  world_.run_task(traced_.task);
  while (recorder_.current_call() != floor_) recorder_.leave();
  peek_valid_ = false;
}

std::string RangeCall::describe_next() {
  const uint32_t index = peek();
  if (index != no_index) {
    const EventView next = event(index);
    const auto addr = next.number("addr") ? next.number("addr") : next.number("start");
    return addr ? fmt::format("{} at {:#x} (line {})", next.kind_name(), *addr, next.line())
                : fmt::format("{} (line {})", next.kind_name(), next.line());
  }
  if (traced_.out == no_index) return "nothing more (the trace ends)";
  return fmt::format("the return of {}", event(traced_.out).integer("ret").value_or(0));
}

}  // namespace hmmscope::traces
