#pragma once
/// Builds a recording while an engine or a trace reader changes a Memory. The state of the Memory when the recorder
/// is made is the recording's initial state; from then on every change of a word goes through the recorder (a store
/// past it would be missing from the recording).
///
/// Threads: one. Ownership: refers to the Memory, which must outlive it; owns the recording until finish().

#include <cassert>
#include <initializer_list>

#include "engine/recording/recording.h"

namespace hmmscope {

class Recorder {
 public:
  explicit Recorder(Memory& memory);

  /// Most steps, asked for when a call begins (which throws TooLarge); without it as many as 32 bits number.
  void limit(StepIndex steps) { max_steps_ = steps; }
  /// Calls nest; every enter has its leave. `task` indexes tasks (0 when there is one).
  CallId enter(Function function, std::initializer_list<uint64_t> arguments = {}, uint32_t task = 0);
  /// A handle_mm_fault that did nothing (no step, no call, result 0) is dropped right behind another such one of the
  /// same caller.
  void leave(int64_t result);
  void leave();
  /// The innermost open call; no_call outside any.
  CallId current_call() const { return current_; }
  /// Traces interleave tasks: makes `call` (still open, or no_call) the one that following steps belong to. leave()
  /// then closes it and goes to its parent.
  void switch_to(CallId call);

  /// Opens a new step; following writes belong to it. Operands in the order of Rule::operands.
  StepIndex step(RuleId rule, std::initializer_list<uint64_t> operands = {}) {
    return step(rule, std::span<const uint64_t>(operands.begin(), operands.size()));
  }
  StepIndex step(RuleId rule, std::span<const uint64_t> operands);

  /// Writes go to the Memory and into the open step. Writing the value a word already has is recorded too (the
  /// history shows it as rewritten). A write needs an open step; runs of no words record nothing.
  void write(WordIndex word, uint64_t value, Evidence evidence = Evidence::computed);
  /// value(k) = base + k * stride for k in [0, count). Of a run of thousands of words (a 1G leaf's) whose old values have
  /// patterns in parts only, each part is a write.
  void fill(WordIndex first, uint32_t count, uint64_t base, uint64_t stride, Evidence evidence = Evidence::computed);
  /// As fill, but each word keeps its own bits in `keep`: word = (old & keep) | value(k).
  void fill_keeping(WordIndex first, uint32_t count, uint64_t base, uint64_t stride, uint64_t keep,
                    Evidence evidence = Evidence::computed);
  void copy(WordIndex first, std::span<const uint64_t> values, Evidence evidence = Evidence::computed);

  /// Trace sources: about as many events are to come. Columns that grow to what these lead to are not moved meanwhile.
  void expect_events(size_t count);
  /// Trace sources: the event that following steps come from.
  EventIndex add_event(const Event& event);
  void set_event(EventIndex event) { event_ = event; }
  uint32_t add_task(Task task);
  Task& task(uint32_t index);
  uint16_t add_event_kind(std::string name);
  void add_check(CallCheck check);
  void set_meta(std::string key, std::string value);

  StepIndex steps() const { return recording_.steps(); }
  const Memory& memory() const { return *memory_; }
  /// Columns so far; regions and words added since the start only after finish().
  const Recording& peek() const { return recording_; }

  /// Closes open calls as not returned and hands the recording over.
  Recording finish() &&;

 private:
  void append_write(WordIndex word, uint8_t info, uint64_t old_value, uint64_t new_value) {
    recording_.write_word_.push(word);
    recording_.write_info_.push(info);
    recording_.write_old_.push(old_value);
    recording_.write_new_.push(new_value);
    ++recording_.write_end_.back();
  }
  /// `old`: the pattern of the words' values.
  void fill_part(WordIndex first, uint32_t count, uint64_t base, uint64_t stride, Evidence evidence, const Pattern& old);
  void keep_part(WordIndex first, uint32_t count, uint64_t base, uint64_t stride, uint64_t keep, Evidence evidence);
  /// Records the words' old values; the caller then stores the new ones and sets the run's new shape.
  Recording::Run begin_run(WordIndex first, uint32_t count);
  void append_run(WordIndex first, const Recording::Run& run, uint64_t new_base, Evidence evidence);
  void append_event();

  Memory* memory_;
  Recording recording_;
  CallId current_ = no_call;
  EventIndex event_ = no_event;
  StepIndex max_steps_ = no_step - 1;
  uint32_t arguments_before_ = 0;   ///< how many arguments there were before the call entered last
};

inline StepIndex Recorder::step(RuleId rule, std::span<const uint64_t> operands) {
  Recording& r = recording_;
  const StepIndex index = r.steps();
  r.operands_.append(operands.data(), operands.size());
  r.rule_.push(static_cast<uint16_t>(rule));
  r.call_.push(current_);
  r.operand_end_.push(static_cast<uint32_t>(r.operands_.size()));
  r.write_end_.push(static_cast<uint32_t>(r.write_word_.size()));
  if (event_ != no_event || !r.event_.empty()) append_event();
  return index;
}

inline void Recorder::write(WordIndex word, uint64_t value, Evidence evidence) {
  assert(recording_.steps() > 0 && "a write belongs to a step");
  assert(word < memory_->words().size());
  const uint64_t old_value = memory_->load(word);
  memory_->store(word, value);
  append_write(word, static_cast<uint8_t>(evidence), old_value, value);
}

}  // namespace hmmscope
