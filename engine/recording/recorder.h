#pragma once
/// Builds a recording while an engine or a trace reader changes a Memory. The state of the Memory when the recorder
/// is made is the recording's initial state.
///
/// Threads: one. Ownership: refers to the Memory, which must outlive it; owns the recording until finish().

#include <initializer_list>

#include "engine/recording/recording.h"

namespace hmmscope {

class Recorder {
 public:
  explicit Recorder(Memory& memory);

  /// Calls nest; every enter has its leave. `task` indexes tasks (0 when there is one).
  CallId enter(Function function, std::initializer_list<uint64_t> arguments = {}, uint32_t task = 0);
  void leave(int64_t result);
  void leave();
  /// The innermost open call; no_call outside any.
  CallId current_call() const;
  /// Traces interleave tasks: makes `call` (still open) the one that following steps belong to.
  void switch_to(CallId call);

  /// Opens a new step; following writes belong to it. Operands in the order of Rule::operands.
  StepIndex step(RuleId rule, std::initializer_list<uint64_t> operands = {});
  StepIndex step(RuleId rule, std::span<const uint64_t> operands);

  /// Writes go to the Memory and into the open step. Writing the value a word already has is recorded too (the
  /// history shows it as rewritten).
  void write(WordIndex word, uint64_t value, Evidence evidence = Evidence::computed);
  /// value(k) = base + k * stride for k in [0, count)
  void fill(WordIndex first, uint32_t count, uint64_t base, uint64_t stride, Evidence evidence = Evidence::computed);
  /// As fill, but each word keeps its own bits in `keep`: word = (old & keep) | value(k).
  void fill_keeping(WordIndex first, uint32_t count, uint64_t base, uint64_t stride, uint64_t keep,
                    Evidence evidence = Evidence::computed);
  void copy(WordIndex first, std::span<const uint64_t> values, Evidence evidence = Evidence::computed);

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
  const Recording& peek() const { return recording_; }   ///< columns so far; regions and initial state only after finish()

  /// Closes open calls as not returned and hands the recording over.
  Recording finish() &&;

 private:
  Memory* memory_;
  Recording recording_;
  std::vector<CallId> open_;
  EventIndex event_ = no_event;
};

}  // namespace hmmscope
