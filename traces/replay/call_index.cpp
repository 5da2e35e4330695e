#include "traces/replay/call_index.h"

#include <algorithm>

namespace hmmscope::traces {

struct CallIndex::TaskState {
  struct Open {
    uint32_t call;
    uint32_t last;  ///< last own event so far; no_index before the first
  };
  std::vector<Open> open;
  std::vector<std::pair<uint64_t, uint32_t>>
      pending;                 ///< entry windows waiting for their rf_in: range, event
  uint32_t closed = no_index;  ///< the call that ended last
};

namespace {

/// Ranges deeper than this are not calls inside faults but damage.
constexpr size_t max_nesting = 16;
constexpr size_t max_pending_windows = 64;

}  // namespace

CallIndex::CallIndex(const Trace& trace, const EventKinds& kinds)
    : next_(trace.size(), no_index), member_(trace.size(), 0) {
  std::vector<TaskState> tasks(trace.tasks().size());
  const KindId lost = trace.kind("lost_events");
  for (uint32_t index = 0; index < trace.size(); ++index) {
    const EventView event = trace[index];
    if (event.kind() == lost && lost != no_kind) {
      for (TaskState& task : tasks)
        for (const TaskState::Open& open : task.open) calls_[open.call].lost_events = true;
      continue;
    }
    TaskState& task = tasks[event.task()];
    const EventKind kind = kinds.of(event);
    if (kind == EventKind::rf_in_window || kind == EventKind::rf_out_window) {
      add_window(task, event, index, kind == EventKind::rf_in_window);
      continue;
    }
    // A call that never returned leaves its entry behind; too many of them show that they are over.
    if (kind == EventKind::rf_in && task.open.size() >= max_nesting) task.open.clear();
    if (!task.open.empty() && kind != EventKind::rf_out) {
      TaskState::Open& top = task.open.back();
      (top.last == no_index ? calls_[top.call].first : next_[top.last]) = index;
      top.last = index;
      member_[index] = 1;
    }
    if (kind == EventKind::rf_in) {
      TracedCall call;
      call.in = index;
      call.task = event.task();
      call.range = event.number("range").value_or(0);
      if (!task.open.empty()) call.parent = task.open.back().call;
      for (const auto& [range, window] : task.pending)
        if (range == call.range) call.in_windows.push_back(window);
      task.pending.clear();
      task.open.push_back({static_cast<uint32_t>(calls_.size()), no_index});
      calls_.push_back(std::move(call));
    } else if (kind == EventKind::rf_out && !task.open.empty()) {
      const uint64_t range = event.number("range").value_or(0);
      auto match = std::find_if(task.open.rbegin(), task.open.rend(), [&](const TaskState::Open& open) {
        return calls_[open.call].range == range;
      });
      if (match == task.open.rend()) continue;
      calls_[match->call].out = index;
      member_[index] = 1;
      task.closed = match->call;
      task.open.erase(std::prev(match.base()), task.open.end());
    }
  }
}

void CallIndex::add_window(TaskState& task, const EventView& event, uint32_t index, bool at_entry) {
  member_[index] = 1;
  const uint64_t range = event.number("range").value_or(0);
  if (at_entry) {
    if (task.pending.size() < max_pending_windows) task.pending.emplace_back(range, index);
    return;
  }
  // Depending on the kernel the pieces come just before or just after rf_out.
  for (auto open = task.open.rbegin(); open != task.open.rend(); ++open)
    if (calls_[open->call].range == range) return calls_[open->call].out_windows.push_back(index);
  if (task.closed != no_index && calls_[task.closed].range == range)
    calls_[task.closed].out_windows.push_back(index);
}

uint32_t CallIndex::call_at(uint32_t in_event) const {
  const auto found = std::lower_bound(calls_.begin(), calls_.end(), in_event,
                                      [](const TracedCall& call, uint32_t event) { return call.in < event; });
  return found != calls_.end() && found->in == in_event ? static_cast<uint32_t>(found - calls_.begin())
                                                        : no_index;
}

}  // namespace hmmscope::traces
