#include "traces/replay/call_index.h"

#include <algorithm>

namespace hmmscope::traces {

struct CallIndex::TaskState {
  struct Open {
    uint32_t call;
    uint32_t last;  ///< last own event so far; no_index before the first
    uint32_t faults = 0;     ///< handle_mm_fault under way inside it
    bool after_gap = false;  ///< events were lost since it began: its return may be among them
  };
  void after_gap() {
    for (Open& one : open) one.after_gap = true;
    pending.clear();
  }
  /// Only a fault makes a call inside another one. Where faults are shown, or events were lost, a call that begins without
  /// one shows that the call before it is over. Calls `over` for each.
  template <class Over>
  void close_stale(bool faults_shown, Over over) {
    while (!open.empty() && (faults_shown || open.back().after_gap) && open.back().faults == 0) {
      over(open.back().call);
      open.pop_back();
    }
  }
  std::vector<Open> open;
  std::vector<std::pair<uint64_t, uint32_t>>
      pending;                 ///< entry windows waiting for their rf_in: range, event
  uint32_t closed = no_index;  ///< the call that ended last
};

namespace {

/// Ranges deeper than this are not calls inside faults but damage.
constexpr size_t max_open_calls = 16;
constexpr size_t max_pending_windows = 64;

}  // namespace

CallIndex::CallIndex(const Trace& trace, const EventKinds& kinds, const GapIndex& gaps)
    : next_(trace.size(), no_index), member_(trace.size(), 0) {
  std::vector<TaskState> tasks(trace.tasks().size());
  for (uint32_t index = 0; index < trace.size(); ++index) {
    const EventKind kind = kinds.at(trace, index);
    if (kind == EventKind::lost_events) {
      for (TaskState& task : tasks) task.after_gap();
      continue;
    }
    const uint32_t number = trace.events().task(index);
    TaskState& task = tasks[number];
    if (kind == EventKind::rf_in_window || kind == EventKind::rf_out_window) {
      add_window(task, trace[index], index, kind == EventKind::rf_in_window);
      continue;
    }
    // A call that never returned leaves its entry behind; too many of them show that they are over.
    if (kind == EventKind::rf_in && task.open.size() >= max_open_calls) task.open.clear();
    const auto over = [&](uint32_t call) { calls_[call].over = index; };
    if (kind == EventKind::rf_in) task.close_stale(kinds.has(EventKind::mmf), over);
    // Back from the system call, back from whatever was called in it.
    if (kind == EventKind::exit_ioctl || kind == EventKind::driver_ioctl_r) {
      for (const TaskState::Open& open : task.open) over(open.call);
      task.open.clear();
    }
    if (kind == EventKind::mmf && !task.open.empty()) ++task.open.back().faults;
    if (kind == EventKind::mmf_r && !task.open.empty() && task.open.back().faults != 0) --task.open.back().faults;
    if (!task.open.empty() && kind != EventKind::rf_out) {
      TaskState::Open& top = task.open.back();
      (top.last == no_index ? calls_[top.call].first : next_[top.last]) = index;
      top.last = index;
      member_[index] = 1;
    }
    if (kind == EventKind::rf_in) {
      TracedCall call;
      call.in = index;
      call.task = number;
      call.range = trace[index].number("range").value_or(0);
      if (!task.open.empty()) call.parent = task.open.back().call;
      for (const auto& [range, window] : task.pending)
        if (range == call.range) call.in_windows.push_back(window);
      task.pending.clear();
      task.open.push_back({static_cast<uint32_t>(calls_.size()), no_index, 0, false});
      calls_.push_back(std::move(call));
    } else if (kind == EventKind::rf_out && !task.open.empty()) {
      const uint64_t range = trace[index].number("range").value_or(0);
      auto match = std::find_if(task.open.rbegin(), task.open.rend(), [&](const TaskState::Open& open) {
        return calls_[open.call].range == range;
      });
      if (match == task.open.rend()) continue;
      calls_[match->call].out = index;
      member_[index] = 1;
      task.closed = match->call;
      task.open.erase(std::prev(match.base()), task.open.end());
    } else if (kind == EventKind::task_exit) {
      task.open.clear();  // the next task with this pid is another one
      task.pending.clear();
      task.closed = no_index;
    }
  }
  const auto size = static_cast<uint32_t>(trace.size());
  for (TracedCall& call : calls_) call.gap = gaps.during(call.in, call.out == no_index ? size : call.out);
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
