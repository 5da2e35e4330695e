#include "engine/recording/recorder.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "engine/base/too_large.h"
#include "engine/recording/pattern.h"

namespace hmmscope {

namespace {

/// Faulting a range calls the handler once a page; where a huge entry satisfied them all at the first, the others find
/// nothing to do. A quarter of a million such calls would be most of a recording, and no view can show them: one stands
/// for its like.
bool shows_nothing(const Call& call) {
  return call.function == Function::handle_mm_fault && call.parent != no_call && call.result == 0 &&
         call.first_step == call.end_step;
}

/// Words of a run that is cut where the words it replaces change their pattern: eight page tables' worth.
constexpr uint32_t long_run = 4096;

/// What is kept of every old word is the same, and neither the old nor the new values carry into it.
bool stays_linear(const Part& old, uint64_t base, uint64_t stride, uint64_t keep) {
  if (!old.pattern.linear) return false;
  const uint64_t below = (keep & -keep) - 1;   // the bits that may count up
  const auto fits = [&](uint64_t from, uint64_t step) { return step <= below / old.count && (from & below) <= below - step * (old.count - 1); };
  return fits(old.pattern.base, old.pattern.stride) && fits(base, stride);
}

}  // namespace

Recorder::Recorder(Memory& memory) : memory_(&memory) {
  recording_.initial_.append(memory.words().data(), memory.words().size());
}

CallId Recorder::enter(Function function, std::initializer_list<uint64_t> arguments, uint32_t task) {
  Recording& r = recording_;
  if (r.steps() >= max_steps_) [[unlikely]] {
    max_steps_ = no_step;   // what is under way may still be left in order
    throw TooLarge("the run has more steps than a recording of it may hold");
  }
  assert(arguments.size() <= Call::max_arguments);
  Call call;
  call.parent = current_;
  call.function = function;
  call.first_step = r.steps();
  call.argument_count = static_cast<uint8_t>(arguments.size());
  if (current_ != no_call) call.depth = Call::below(r.calls_[current_].depth);
  call.task = task;
  // A function often hands on what it was given.
  arguments_before_ = static_cast<uint32_t>(r.arguments_.size());
  const size_t shared = r.arguments_.size() - std::min(r.arguments_.size(), arguments.size());
  if (!std::equal(r.arguments_.begin() + shared, r.arguments_.end(), arguments.begin(), arguments.end()))
    r.arguments_.append(arguments.begin(), arguments.size());
  call.first_argument = static_cast<uint32_t>(r.arguments_.size() - arguments.size());
  current_ = static_cast<CallId>(r.calls_.size());
  r.calls_.push(call);
  return current_;
}

void Recorder::leave(int64_t result) {
  assert(current_ != no_call && "leave without enter");
  if (current_ == no_call) return;
  Call& call = recording_.calls_[current_];
  call.returned = true;
  call.result = result;
  leave();
}

void Recorder::leave() {
  assert(current_ != no_call && "leave without enter");
  if (current_ == no_call) return;
  Call& call = recording_.calls_[current_];
  call.end_step = recording_.steps();
  const CallId left = std::exchange(current_, call.parent);
  const bool repeats = left > 0 && shows_nothing(recording_.calls_[left - 1]) &&
                       recording_.calls_[left - 1].parent == call.parent;
  if (repeats && left + 1 == recording_.calls_.size() && shows_nothing(call)) {
    recording_.arguments_.resize_uninitialised(arguments_before_);
    recording_.calls_.resize_uninitialised(left);
  }
}

void Recorder::switch_to(CallId call) {
  assert(call == no_call || recording_.calls_[call].end_step == no_step);
  current_ = call;
}

void Recorder::append_event() {
  Column<uint32_t>& events = recording_.event_;
  // The first event may come after steps that had none.
  const size_t before = recording_.rule_.size() - 1;
  if (events.size() < before) events.append(before - events.size(), no_event);
  events.push(event_);
}

Recording::Run Recorder::begin_run(WordIndex first, uint32_t count) {
  assert(recording_.steps() > 0 && "a write belongs to a step");
  assert(first <= memory_->words().size() && count <= memory_->words().size() - first);
  Recording::Run run{};
  run.count = count;
  const auto words = memory_->words().subspan(first, count);
  recording_.set_old(run, words, find_pattern(words));
  return run;
}

void Recorder::append_run(WordIndex first, const Recording::Run& run, uint64_t new_base, Evidence evidence) {
  const auto info = static_cast<uint8_t>(static_cast<uint8_t>(evidence) | Recording::run_flag);
  append_write(first, info, recording_.share_run(run, new_base), new_base);
}

void Recorder::fill(WordIndex first, uint32_t count, uint64_t base, uint64_t stride, Evidence evidence) {
  while (count >= long_run) {
    const Part old = first_part(memory_->words().subspan(first, count));
    fill_part(first, old.count, base, stride, evidence, old.pattern);
    first += old.count;
    count -= old.count;
    base += old.count * stride;
  }
  if (count == 0) return;
  if (count == 1) return write(first, base, evidence);
  fill_part(first, count, base, stride, evidence, find_pattern(memory_->words().subspan(first, count)));
}

void Recorder::fill_part(WordIndex first, uint32_t count, uint64_t base, uint64_t stride, Evidence evidence,
                         const Pattern& old) {
  assert(recording_.steps() > 0 && "a write belongs to a step");
  Recording::Run run{};
  run.count = count;
  recording_.set_old(run, memory_->words().subspan(first, count), old);
  run.new_shape = WriteShape::linear;
  run.new_stride = stride;
  fill_linear(memory_->data() + first, count, base, stride);
  append_run(first, run, base, evidence);
}

void Recorder::fill_keeping(WordIndex first, uint32_t count, uint64_t base, uint64_t stride, uint64_t keep,
                            Evidence evidence) {
  if (keep == 0) return fill(first, count, base, stride, evidence);
  while (count >= long_run) {
    const Part old = first_part(memory_->words().subspan(first, count));
    if (stays_linear(old, base, stride, keep))
      fill_part(first, old.count, (old.pattern.base & keep) | base, stride, evidence, old.pattern);
    else
      keep_part(first, old.count, base, stride, keep, evidence);
    first += old.count;
    count -= old.count;
    base += old.count * stride;
  }
  keep_part(first, count, base, stride, keep, evidence);
}

void Recorder::keep_part(WordIndex first, uint32_t count, uint64_t base, uint64_t stride, uint64_t keep, Evidence evidence) {
  if (count == 0) return;
  uint64_t* words = memory_->data() + first;
  if (count == 1) return write(first, (*words & keep) | base, evidence);
  Recording::Run run = begin_run(first, count);
  for (size_t k = 0; k < count; ++k) words[k] = (words[k] & keep) | (base + k * stride);
  append_run(first, run, recording_.set_new(run, {words, count}), evidence);
}

void Recorder::copy(WordIndex first, std::span<const uint64_t> values, Evidence evidence) {
  if (values.empty()) return;
  if (values.size() == 1) return write(first, values[0], evidence);
  Recording::Run run = begin_run(first, static_cast<uint32_t>(values.size()));
  const uint64_t base = recording_.set_new(run, values);
  std::copy(values.begin(), values.end(), memory_->data() + first);
  append_run(first, run, base, evidence);
}

EventIndex Recorder::add_event(const Event& event) {
  recording_.events_.push(event);
  return static_cast<EventIndex>(recording_.events_.size() - 1);
}

uint32_t Recorder::add_task(Task task) {
  recording_.tasks_.push_back(std::move(task));
  return static_cast<uint32_t>(recording_.tasks_.size() - 1);
}

Task& Recorder::task(uint32_t index) {
  assert(index < recording_.tasks_.size());
  return recording_.tasks_[index];
}

uint16_t Recorder::add_event_kind(std::string name) {
  assert(recording_.event_kinds_.size() < std::numeric_limits<uint16_t>::max());
  recording_.event_kinds_.push_back(std::move(name));
  return static_cast<uint16_t>(recording_.event_kinds_.size() - 1);
}

void Recorder::add_check(CallCheck check) { recording_.checks_.push_back(std::move(check)); }
void Recorder::set_meta(std::string key, std::string value) {
  recording_.meta_.insert_or_assign(std::move(key), std::move(value));
}

void Recorder::expect_events(size_t count) {
  // Beyond this, columns are so large that growing moves their pages and copies nothing.
  count = std::min(count, size_t{1} << 20);
  Recording& r = recording_;
  r.events_.reserve(count);
  r.calls_.reserve(count);
  r.arguments_.reserve(2 * count);
  const size_t steps = 2 * count;
  r.rule_.reserve(steps);
  r.call_.reserve(steps);
  r.operand_end_.reserve(steps);
  r.write_end_.reserve(steps);
  r.event_.reserve(steps);
  r.operands_.reserve(3 * steps);
  r.write_word_.reserve(steps);
  r.write_info_.reserve(steps);
  r.write_old_.reserve(steps);
  r.write_new_.reserve(steps);
}

Recording Recorder::finish() && {
  Recording& r = recording_;
  // Neither tasks nor event kinds need be declared: readers may index with any call's or event's all the
  // same.
  size_t tasks = r.tasks_.size();
  for (Call& call : r.calls_) {
    if (call.end_step == no_step) call.end_step = r.steps();
    tasks = std::max(tasks, size_t{call.task} + 1);
  }
  size_t kinds = r.event_kinds_.size();
  for (const Event& event : r.events_) {
    tasks = std::max(tasks, size_t{event.task} + 1);
    kinds = std::max(kinds, size_t{event.kind} + 1);
  }
  r.tasks_.resize(tasks);
  r.event_kinds_.resize(kinds);

  r.regions_.assign(memory_->regions().begin(), memory_->regions().end());
  r.initial_.append_zeros(memory_->words().size() - r.initial_.size());
  r.shrink_to_fit();
  current_ = no_call;
  return std::move(r);
}

}  // namespace hmmscope
