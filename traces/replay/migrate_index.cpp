#include "traces/replay/migrate_index.h"

#include <algorithm>

namespace hmmscope::traces {
namespace {

/// A call with more events of its own lost its return.
constexpr size_t max_own_events = size_t{1} << 16;
/// Deeper nesting is damage: a setup's walk faults, the fault migrates, and so on.
constexpr size_t max_open_migrations = 32;

EventKind return_of(EventKind entry) {
  switch (entry) {
    case EventKind::mv_setup_in:
      return EventKind::mv_setup_out;
    case EventKind::mv_pages_in:
      return EventKind::mv_pages_out;
    case EventKind::mv_fin_in:
      return EventKind::mv_fin_out;
    case EventKind::hmm_setup_in:
      return EventKind::hmm_setup_out;
    default:
      return EventKind::other;
  }
}

bool is_entry(EventKind kind) { return return_of(kind) != EventKind::other; }

bool is_return(EventKind kind) {
  return kind == EventKind::mv_setup_out || kind == EventKind::mv_pages_out ||
         kind == EventKind::mv_fin_out || kind == EventKind::hmm_setup_out;
}

}  // namespace

class MigrateIndex::Builder {
 public:
  Builder(const Trace& trace, const EventKinds& kinds, MigrateIndex& index)
      : trace_(trace), kinds_(kinds), index_(index), tasks_(trace.tasks().size()) {}

  void run() {
    for (uint32_t at = 0; at < trace_.size(); ++at) {
      const EventKind kind = kinds_.at(trace_, at);
      const uint32_t task = trace_.events().task(at);
      // The next call with the same struct may be of another migration.
      if (kind == EventKind::lost_events)
        last_.clear();
      else if (kind == EventKind::task_exit)
        end_task(task);
      else
        add(tasks_[task], kind, at);
    }
    for (Stack& stack : tasks_)
      while (!stack.empty()) pop(stack, no_index);
  }

 private:
  /// A call under way, or (call == no_index) the walk of a range fault, whose events are not a migration's.
  struct Open {
    uint32_t call = no_index;
    uint64_t range = 0;
    std::vector<uint32_t> own;
  };
  using Stack = std::vector<Open>;

  void end_task(uint32_t task) {
    while (!tasks_[task].empty()) pop(tasks_[task], no_index);
    last_.erase(last_.lower_bound({task, 0}), last_.upper_bound({task, ~uint64_t{0}}));
  }

  void add(Stack& stack, EventKind kind, uint32_t at) {
    if (kind == EventKind::rf_in) return begin_walk(stack, trace_[at], at);
    if (kind == EventKind::rf_out) return end_walk(stack, trace_[at]);
    if (is_entry(kind)) return begin(stack, trace_[at], kind, at);
    if (is_return(kind)) return end(stack, trace_[at], kind, at);
    own(stack, at);
  }

  void own(Stack& stack, uint32_t at) {
    if (stack.empty() || stack.back().call == no_index) return;
    if (stack.back().own.size() < max_own_events)
      stack.back().own.push_back(at);
    else
      stack.pop_back();
  }

  void begin_walk(Stack& stack, const EventView& event, uint32_t at) {
    if (!stack.empty() && stack.back().call != no_index) {
      TracedMigration& call = index_.calls_[stack.back().call];
      if (call.kind == EventKind::mv_setup_in && call.walk == no_index) call.walk = at;
      own(stack, at);
    }
    if (stack.size() >= max_open_migrations) stack.clear();
    stack.push_back({no_index, event.number("range").value_or(0), {}});
  }

  void end_walk(Stack& stack, const EventView& event) {
    const uint64_t range = event.number("range").value_or(0);
    const auto match = std::find_if(stack.rbegin(), stack.rend(), [&](const Open& open) {
      return open.call == no_index && open.range == range;
    });
    if (match == stack.rend()) return;
    const auto depth = static_cast<size_t>(std::distance(match, stack.rend()));
    while (stack.size() > depth) pop(stack, no_index);
    stack.pop_back();
  }

  void begin(Stack& stack, const EventView& event, EventKind kind, uint32_t at) {
    TracedMigration call;
    call.in = at;
    call.task = event.task();
    call.kind = kind;
    call.args = event.number("args").value_or(0);
    const auto number = static_cast<uint32_t>(index_.calls_.size());
    if (!stack.empty() && stack.back().call != no_index) {
      TracedMigration& above = index_.calls_[stack.back().call];
      const bool inside = kind == EventKind::hmm_setup_in && above.kind == EventKind::mv_setup_in &&
                          above.args == call.args && above.child == no_index;
      if (inside) {
        call.parent = stack.back().call;
        above.child = number;
        own(stack, at);
      } else {
        pop(stack, no_index);
      }
    }
    if (kind == EventKind::hmm_setup_in) index_.range_setups_[{call.task, call.args}].push_back(number);
    link(call, number);
    if (stack.size() >= max_open_migrations) stack.clear();
    stack.push_back({number, 0, {}});
    index_.calls_.push_back(call);
    index_.member_[at] |= begins;
  }

  /// The call before it with the same struct learns that this one comes after it.
  void link(const TracedMigration& call, uint32_t number) {
    const auto [before, fresh] = last_.emplace(std::pair(call.task, call.args), number);
    if (fresh) return;
    if (call.kind == EventKind::mv_pages_in || call.kind == EventKind::mv_fin_in) {
      TracedMigration& earlier = index_.calls_[before->second];
      earlier.after = number;
      if (earlier.parent != no_index) index_.calls_[earlier.parent].after = number;
    }
    before->second = number;
  }

  void end(Stack& stack, const EventView& event, EventKind kind, uint32_t at) {
    const auto args = event.number("args");
    const auto match = std::find_if(stack.rbegin(), stack.rend(), [&](const Open& open) {
      if (open.call == no_index) return false;
      const TracedMigration& call = index_.calls_[open.call];
      return return_of(call.kind) == kind && (!args || *args == call.args);
    });
    if (match == stack.rend()) return own(stack, at);
    const auto depth = static_cast<size_t>(std::distance(match, stack.rend()));
    while (stack.size() > depth) pop(stack, no_index);
    pop(stack, at);
  }

  void pop(Stack& stack, uint32_t out) {
    const Open& open = stack.back();
    if (open.call != no_index) {
      TracedMigration& call = index_.calls_[open.call];
      call.out = out;
      call.first = static_cast<uint32_t>(index_.events_.size());
      call.count = static_cast<uint32_t>(open.own.size());
      index_.events_.insert(index_.events_.end(), open.own.begin(), open.own.end());
      for (const uint32_t own : open.own) index_.member_[own] |= inside;
      if (out != no_index) index_.member_[out] |= inside;
    }
    stack.pop_back();
  }

  const Trace& trace_;
  const EventKinds& kinds_;
  MigrateIndex& index_;
  std::vector<Stack> tasks_;
  std::map<std::pair<uint32_t, uint64_t>, uint32_t> last_;  ///< by task and struct
};

MigrateIndex::MigrateIndex(const Trace& trace, const EventKinds& kinds, const GapIndex& gaps)
    : member_(trace.size(), 0) {
  Builder(trace, kinds, *this).run();
  const auto size = static_cast<uint32_t>(trace.size());
  for (TracedMigration& call : calls_) call.gap = gaps.during(call.in, call.out == no_index ? size : call.out);
}

uint32_t MigrateIndex::call_at(uint32_t in_event) const {
  if ((member_[in_event] & begins) == 0) return no_index;
  const auto found =
      std::lower_bound(calls_.begin(), calls_.end(), in_event,
                       [](const TracedMigration& call, uint32_t event) { return call.in < event; });
  return found != calls_.end() && found->in == in_event ? static_cast<uint32_t>(found - calls_.begin())
                                                        : no_index;
}

uint32_t MigrateIndex::range_setup_after(uint32_t task, uint64_t args, uint32_t event) const {
  const auto found = range_setups_.find({task, args});
  if (found == range_setups_.end()) return no_index;
  const auto call = std::upper_bound(found->second.begin(), found->second.end(), event,
                                     [&](uint32_t at, uint32_t number) { return at < calls_[number].in; });
  return call == found->second.end() ? no_index : *call;
}

}  // namespace hmmscope::traces
