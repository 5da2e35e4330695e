#include "traces/replay/migrate_index.h"

#include <algorithm>
#include <map>

namespace hmmscope::traces {
namespace {

/// A call with more events of its own lost its return.
constexpr size_t max_own_events = size_t{1} << 16;

bool is_entry(EventKind kind) {
  return kind == EventKind::mv_setup_in || kind == EventKind::mv_pages_in || kind == EventKind::mv_fin_in;
}

EventKind return_of(EventKind entry) {
  return entry == EventKind::mv_setup_in   ? EventKind::mv_setup_out
         : entry == EventKind::mv_pages_in ? EventKind::mv_pages_out
                                           : EventKind::mv_fin_out;
}

}  // namespace

MigrateIndex::MigrateIndex(const Trace& trace, const EventKinds& kinds, const GapIndex& gaps)
    : member_(trace.size(), false) {
  struct Open {
    uint32_t call = no_index;
    std::vector<uint32_t> own;
  };
  std::vector<Open> tasks(trace.tasks().size());
  std::map<std::pair<uint32_t, uint64_t>, uint32_t> last;  // by task and struct
  const auto close = [&](Open& open, uint32_t out) {
    if (open.call == no_index) return;
    TracedMigration& call = calls_[open.call];
    call.out = out;
    if (!call.faults) {
      call.first = static_cast<uint32_t>(events_.size());
      call.count = static_cast<uint32_t>(open.own.size());
      events_.insert(events_.end(), open.own.begin(), open.own.end());
      for (const uint32_t own : open.own) member_[own] = true;
      if (out != no_index) member_[out] = true;
    }
    open = {};
  };
  for (uint32_t index = 0; index < trace.size(); ++index) {
    const EventView event = trace[index];
    const EventKind kind = kinds.of(event);
    if (kind == EventKind::lost_events) {
      last.clear();  // the next call with the same struct may be of another migration
      continue;
    }
    Open& open = tasks[event.task()];
    if (kind == EventKind::task_exit) {
      close(open, no_index);
      last.erase(last.lower_bound({event.task(), 0}), last.upper_bound({event.task(), ~uint64_t{0}}));
      continue;
    }
    if (is_entry(kind)) {
      close(open, no_index);
      TracedMigration call;
      call.in = index;
      call.task = event.task();
      call.kind = kind;
      call.args = event.number("args").value_or(0);
      const auto number = static_cast<uint32_t>(calls_.size());
      const auto [before, fresh] = last.emplace(std::pair(call.task, call.args), number);
      if (!fresh) {
        if (kind != EventKind::mv_setup_in) calls_[before->second].after = number;
        before->second = number;
      }
      open.call = number;
      calls_.push_back(call);
      continue;
    }
    if (open.call == no_index) continue;
    if (kind == return_of(calls_[open.call].kind)) {
      close(open, index);
    } else if (kind == EventKind::rf_in) {
      calls_[open.call].faults = true;
    } else if (open.own.size() < max_own_events) {
      open.own.push_back(index);
    } else {
      open = {};
    }
  }
  for (Open& open : tasks) close(open, no_index);
  const auto size = static_cast<uint32_t>(trace.size());
  for (TracedMigration& call : calls_) call.gap = gaps.during(call.in, call.out == no_index ? size : call.out);
}

uint32_t MigrateIndex::call_at(uint32_t in_event) const {
  const auto found =
      std::lower_bound(calls_.begin(), calls_.end(), in_event,
                       [](const TracedMigration& call, uint32_t event) { return call.in < event; });
  return found != calls_.end() && found->in == in_event ? static_cast<uint32_t>(found - calls_.begin())
                                                        : no_index;
}

}  // namespace hmmscope::traces
