#include "traces/replay/sequence_index.h"

#include <algorithm>
#include <string>

#include "traces/replay/event_kinds.h"

namespace hmmscope::traces {
namespace {

/// Subscriptions of one mm whose callbacks are waited for; a trace with more is not a driver's.
constexpr size_t max_active = 256;

constexpr uint64_t later(uint64_t a, uint64_t b) { return static_cast<int64_t>(a - b) > 0 ? a : b; }

/// The device that a subscription belongs to, from the ranges that name both; 0 when ranges disagree.
std::unordered_map<uint64_t, uint64_t> owners_of_notifiers(const Trace& trace, const EventKinds& kinds) {
  std::unordered_map<uint64_t, uint64_t> owners;
  for (uint32_t index = 0; index < trace.size(); ++index) {
    if (kinds.at(trace, index) != EventKind::rf_in) continue;
    const EventView event = trace[index];
    const uint64_t owner = event.number("owner").value_or(0);
    const auto [entry, fresh] = owners.emplace(event.number("notifier").value_or(0), owner);
    if (!fresh && entry->second != owner) entry->second = 0;
  }
  return owners;
}

}  // namespace

class SequenceIndex::Builder {
 public:
  Builder(const Trace& trace, const EventKinds& kinds, SequenceIndex& index)
      : trace_(trace),
        kinds_(kinds),
        index_(index),
        owners_(owners_of_notifiers(trace, kinds)),
        tasks_(trace.tasks().size()) {
    for (const std::string& name : trace.kinds()) has_return_.push_back(trace.kind(name + "_r") != no_kind);
  }

  void run() {
    for (uint32_t at = 0; at < trace_.size(); ++at) add(at);
    for (Task& task : tasks_)
      for (const Running& callback : task.running) set(callback, no_time);
    for (auto& [notifier, lives] : index_.lives_)
      for (Life& life : lives) finish(life);
    std::sort(index_.skipped_.begin(), index_.skipped_.end());
  }

 private:
  struct Running {
    uint64_t notifier;
    uint32_t life;
    uint32_t begin;
    uint64_t seq;
    bool skips;
    bool has_return;
  };
  struct Invalidation {
    uint32_t at = no_time;
    std::vector<std::pair<uint64_t, uint32_t>> expected;  ///< subscriptions whose callback must follow
  };
  struct Task {
    std::vector<Running> running;
    Invalidation invalidation;
    uint64_t reading = 0;
  };

  Life& life(uint64_t notifier, uint32_t* number = nullptr) {
    std::vector<Life>& lives = index_.lives_[notifier];
    if (lives.empty()) lives.emplace_back();
    if (number != nullptr) *number = static_cast<uint32_t>(lives.size() - 1);
    return lives.back();
  }

  void add(uint32_t at) {
    Task& task = tasks_[trace_.events().task(at)];
    const EventKind kind = kinds_.at(trace_, at);
    if (kind == EventKind::lost_events) return lose();
    if (!task.running.empty()) end_callbacks(task, trace_[at], kind, at);
    switch (kind) {
      case EventKind::mni_insert:
        return insert(trace_[at], at);
      case EventKind::mni_remove:
        return remove(trace_[at], at);
      case EventKind::mni_rb:
        task.reading = trace_[at].number("sub").value_or(0);
        return;
      case EventKind::mni_rb_r:
        return read(task, trace_[at], at);
      case EventKind::callback:
        return callback(task, trace_[at], at);
      case EventKind::mn_start:
        return start(task, trace_[at], at);
      case EventKind::mn_end:
        return end_invalidation(task);
      case EventKind::task_exit:
        task.reading = 0;
        return;
      default:
        return;
    }
  }

  /// Where a callback ended, and whether it was made at all, may have been lost.
  void lose() {
    for (Task& task : tasks_) {
      for (const Running& callback : task.running) set(callback, no_time);
      task = {};
    }
  }

  void insert(const EventView& event, uint32_t at) {
    const uint64_t notifier = event.number("sub").value_or(0);
    std::vector<Life>& lives = index_.lives_[notifier];
    if (!lives.empty()) lives.back().to = std::min(lives.back().to, at);
    Life fresh;
    fresh.from = at;
    fresh.mm = event.number("mm").value_or(0);
    fresh.start = event.number("start").value_or(0);
    const uint64_t length = event.number("length").value_or(0);
    fresh.last = length == 0 ? ~0ull : fresh.start + length - 1;
    lives.push_back(std::move(fresh));
    if (lives.back().mm == 0) return;
    std::vector<uint64_t>& active = active_[lives.back().mm];
    if (active.size() < max_active) active.push_back(notifier);
  }

  void remove(const EventView& event, uint32_t at) {
    const uint64_t notifier = event.number("sub").value_or(0);
    Life& gone = life(notifier);
    gone.to = at;
    if (const auto active = active_.find(gone.mm); active != active_.end())
      std::erase(active->second, notifier);
  }

  void read(Task& task, const EventView& event, uint32_t at) {
    const uint64_t notifier = event.number("sub").value_or(task.reading);
    if (const auto seq = event.number("seq")) life(notifier).certain.push_back({at, *seq});
  }

  void callback(Task& task, const EventView& event, uint32_t at) {
    Running running{};
    running.notifier = event.number("sub").value_or(0);
    life(running.notifier, &running.life);
    running.begin = at;
    running.seq = event.number("cur_seq").value_or(0);
    running.has_return = event.kind() < has_return_.size() && has_return_[event.kind()];
    running.skips = kinds_.skips_own_migration(event.kind()) && skips(event, running.notifier);
    std::erase_if(task.invalidation.expected, [&](const auto& e) { return e.first == running.notifier; });
    task.running.push_back(running);
  }

  /// lib/test_hmm.c returns early, without recording the sequence, for a migration to or from its own device.
  /// With the unified fault-and-migrate RFC (patch 1/4) a CLEAR that carries an owner comes from the task
  /// that collects pages, in that task's own context, and is skipped as well.
  bool skips(const EventView& event, uint64_t notifier) const {
    const uint64_t owner = event.number("owner").value_or(0);
    if (owner == 0) return false;
    if (event.number("event") == mmu_notify::clear) return true;
    if (event.number("event") != mmu_notify::migrate) return false;
    const auto own = owners_.find(notifier);
    return own != owners_.end() && own->second == owner;
  }

  /// A callback ends at its return event, or before the task's next event where returns are not probed.
  void end_callbacks(Task& task, const EventView& event, EventKind kind, uint32_t at) {
    while (!task.running.empty()) {
      Running& last = task.running.back();
      if (last.has_return && kind != EventKind::callback_r) return;
      if (last.has_return && event.number("ret") == uint64_t{0}) last.skips = true;
      set(last, at);
      const bool returned = last.has_return;
      task.running.pop_back();
      if (returned) return;
    }
  }

  void set(const Running& running, uint32_t end) {
    if (running.skips) {
      index_.skipped_.push_back(running.begin);
      return;
    }
    Life& target = index_.lives_[running.notifier][running.life];
    target.possible.push_back({running.begin, running.seq});
    if (end != no_time) target.certain.push_back({end, running.seq});
  }

  void start(Task& task, const EventView& event, uint32_t at) {
    end_invalidation(task);
    task.invalidation.at = at;
    const auto active = active_.find(event.number("mm").value_or(0));
    if (active == active_.end()) return;
    const uint64_t from = event.number("start").value_or(0), to = event.number("end").value_or(0);
    for (const uint64_t notifier : active->second) {
      uint32_t number = 0;
      const Life& one = life(notifier, &number);
      if (one.start < to && from <= one.last) task.invalidation.expected.emplace_back(notifier, number);
    }
  }

  void end_invalidation(Task& task) {
    for (const auto& [notifier, number] : task.invalidation.expected)
      index_.lives_[notifier][number].unseen.push_back(task.invalidation.at);
    task.invalidation.expected.clear();
  }

  static void finish(Life& life) {
    const auto by_time = [](const Value& a, const Value& b) { return a.time < b.time; };
    for (std::vector<Value>* values : {&life.possible, &life.certain}) {
      std::stable_sort(values->begin(), values->end(), by_time);
      for (size_t k = 1; k < values->size(); ++k)
        (*values)[k].seq = later((*values)[k].seq, (*values)[k - 1].seq);
    }
    std::sort(life.unseen.begin(), life.unseen.end());
  }

  const Trace& trace_;
  const EventKinds& kinds_;
  SequenceIndex& index_;
  std::unordered_map<uint64_t, uint64_t> owners_;
  std::unordered_map<uint64_t, std::vector<uint64_t>> active_;  ///< by mm
  std::vector<Task> tasks_;
  std::vector<bool> has_return_;  ///< by kind
};

SequenceIndex::SequenceIndex(const Trace& trace, const EventKinds& kinds, const GapIndex& gaps)
    : gaps_(gaps) {
  Builder(trace, kinds, *this).run();
}

const SequenceIndex::Life* SequenceIndex::life_of(uint64_t notifier, uint32_t event) const {
  const auto lives = lives_.find(notifier);
  if (lives == lives_.end()) return nullptr;
  const auto next = std::upper_bound(lives->second.begin(), lives->second.end(), event,
                                     [](uint32_t time, const Life& life) { return time < life.from; });
  return next == lives->second.begin() ? &*next : &*std::prev(next);
}

SequenceBounds SequenceIndex::during(uint64_t notifier, uint64_t range_seq, uint32_t from,
                                     uint32_t to) const {
  SequenceBounds bounds{range_seq, range_seq, false, nullptr};
  const Life* life = life_of(notifier, from);
  if (life == nullptr) return bounds;
  const auto before = [](uint32_t time, const Value& value) { return time < value.time; };
  const auto certain = std::upper_bound(life->certain.begin(), life->certain.end(), from, before);
  if (certain != life->certain.begin()) bounds.lowest = later(std::prev(certain)->seq, range_seq);
  bounds.highest = bounds.lowest;
  // A callback that begins before `to` may have set the sequence before the check.
  const auto possible = std::lower_bound(life->possible.begin(), life->possible.end(), to,
                                         [](const Value& value, uint32_t time) { return value.time < time; });
  if (possible != life->possible.begin()) bounds.highest = later(std::prev(possible)->seq, bounds.lowest);
  const uint32_t told = certain == life->certain.begin() ? life->from : std::prev(certain)->time;
  bounds.gap = gaps_.during(told, to);
  const auto unseen = std::lower_bound(life->unseen.begin(), life->unseen.end(), to);
  if (unseen != life->unseen.begin()) {
    const uint32_t known = certain == life->certain.begin() ? 0 : std::prev(certain)->time;
    bounds.callbacks_missing = *std::prev(unseen) > known;
  }
  return bounds;
}

bool SequenceIndex::records(uint32_t callback_event) const {
  return !std::binary_search(skipped_.begin(), skipped_.end(), callback_event);
}

uint64_t SequenceIndex::mm_of(uint64_t notifier, uint32_t event) const {
  const Life* life = life_of(notifier, event);
  return life == nullptr ? 0 : life->mm;
}

}  // namespace hmmscope::traces
