#pragma once
/// A recording: an append-only list of steps. A step carries the call it happened in, the rule that fired with its
/// operands, and the writes it made. Everything hmmscope shows (views, queries, lessons, checks, exports) reads a
/// recording only, whether it came from the engine, a kernel trace or a file.
///
/// Storage is columnar: structs of arrays with 32-bit indices, no heap object a step; at most 64 bytes a step for a
/// typical engine step (rule, call, two or three operands, one write).
/// A recording is immutable once finished; any number of threads may read it.
///
/// Indices are in range wherever one column names another (also for a recording from a file: loading verifies it).
/// Accessors do not check their arguments beyond assertions.

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/recording/column.h"
#include "engine/recording/memory.h"
#include "engine/recording/pattern.h"
#include "engine/rules/rule.h"

namespace hmmscope {

using StepIndex = uint32_t;
using CallId = uint32_t;
using EventIndex = uint32_t;
inline constexpr StepIndex no_step = ~StepIndex{0};
inline constexpr CallId no_call = ~CallId{0};
inline constexpr EventIndex no_event = ~EventIndex{0};
inline constexpr uint32_t no_write = ~uint32_t{0};   ///< as the number of a write

/// How a written value is known. The engine's own runs are `computed`; kernel traces use the other three.
enum class Evidence : uint8_t { computed, observed, inferred, unknown };
std::string_view evidence_name(Evidence evidence);   ///< "observed"

enum class WriteShape : uint8_t {
  single,   ///< one word
  linear,   ///< count words, value(k) = base + k * stride
  literal,  ///< count words, each with its own value
};

/// A write as read back. new_at/old_at take k in [0, count). A run has one evidence for all its words; the words of
/// one run do not repeat, but two writes of one step may name the same word (the later one wins).
struct WriteView {
  WordIndex first;
  uint32_t count;
  Evidence evidence;
  WriteShape new_shape, old_shape;
  uint64_t new_base, new_stride;
  uint64_t old_base, old_stride;
  const uint64_t* new_literal;  ///< literal shape only
  const uint64_t* old_literal;

  uint64_t new_at(uint32_t k) const { return new_shape == WriteShape::literal ? new_literal[k] : new_base + k * new_stride; }
  uint64_t old_at(uint32_t k) const { return old_shape == WriteShape::literal ? old_literal[k] : old_base + k * old_stride; }
  bool covers(WordIndex word) const { return word >= first && word - first < count; }
};

struct Call {
  CallId parent = no_call;
  StepIndex first_step = 0;      ///< first step inside the call
  StepIndex end_step = no_step;  ///< one past its last step (children included); no_step while open
  uint32_t first_argument = 0;   ///< see Recording::arguments; calls with the same ones may share them
  uint32_t task = 0;             ///< index into tasks
  Function function = Function::scenario;
  uint8_t argument_count = 0;
  uint8_t depth = 0;             ///< 0 for roots; 255 for those below 255 others
  bool returned = false;
  int64_t result = 0;            ///< return value when `returned`

  static constexpr size_t max_arguments = 255;
  static uint8_t below(uint8_t depth) { return depth == 255 ? depth : static_cast<uint8_t>(depth + 1); }
};
static_assert(sizeof(Call) == 32, "a walk over huge leaves is mostly calls");

/// An event of the source trace (empty table for engine runs).
struct Event {
  int64_t time_ns = 0;   ///< the trace's own clock, exact
  uint64_t line = 0;     ///< 1-based line in a text trace, record number otherwise
  uint32_t task = 0;     ///< index into tasks
  uint16_t cpu = 0;
  uint16_t kind = 0;     ///< index into Recording::event_kinds
};
struct Task {
  int32_t pid = 0;
  std::string name;
};

enum class Verdict : uint8_t { agreed, diverged, unknown };

/// The judgement of one kernel call, or of one word in it.
struct CallCheck {
  CallId call = no_call;
  Verdict verdict = Verdict::agreed;
  StepIndex step = no_step;      ///< where to look: the first difference, else the last step of the call
  WordIndex word = no_word;      ///< the differing word; no_word when control flow or the return value differs
  uint64_t kernel = 0;           ///< what the kernel had
  uint64_t engine = 0;           ///< what the engine computed
  uint64_t known = ~0ull;        ///< bits that could be compared
  RuleId rule{};                 ///< the rule the engine took
  uint32_t words_compared = 0;
  uint32_t words_unknown = 0;
  std::string reason;            ///< one line for people
};

class Recording {
 public:
  StepIndex steps() const { return static_cast<StepIndex>(rule_.size()); }

  RuleId rule_of(StepIndex step) const { return static_cast<RuleId>(rule_[step]); }
  CallId call_of(StepIndex step) const { return call_[step]; }   ///< no_call for a step outside any call
  EventIndex event_of(StepIndex step) const { return event_.empty() ? no_event : event_[step]; }
  /// Line (or number) in the trace of the event that a step belongs to; 0 when there is none, or for no_step.
  uint64_t line_of(StepIndex step) const {
    const EventIndex event = step < steps() ? event_of(step) : no_event;
    return event == no_event ? 0 : events()[event].line;
  }
  std::span<const uint64_t> operands(StepIndex step) const {
    const uint32_t begin = step == 0 ? 0 : operand_end_[step - 1];
    return {operands_.data() + begin, operand_end_[step] - begin};
  }
  uint32_t write_count(StepIndex step) const { return write_end_[step] - first_write(step); }
  WriteView write(StepIndex step, uint32_t index) const { return write_at(first_write(step) + index); }

  /// Writes numbered through the whole recording, in step order: those of `step` are
  /// [first_write(step), first_write(step + 1)).
  uint32_t writes() const { return static_cast<uint32_t>(write_word_.size()); }
  /// `step` may be steps(): the number of writes.
  uint32_t first_write(StepIndex step) const { return step == 0 ? 0 : write_end_[step - 1]; }
  WriteView write_at(uint32_t write) const;
  WordIndex word_of_write(uint32_t write) const { return write_word_[write]; }   ///< the first, of a run
  StepIndex step_of_write(uint32_t write) const;   ///< O(log steps)
  /// Asks the processor for what write_at(write) will read.
  void prefetch_write(uint32_t write) const {
    __builtin_prefetch(&write_word_[write]);
    __builtin_prefetch(&write_info_[write]);
    __builtin_prefetch(&write_new_[write]);
  }

  /// The stable id of the step's rule. Differs from rule(rule_of(step)).id only for RuleId::unknown_rule: a file
  /// written by a build that knew more rules keeps their ids.
  std::string_view rule_name(StepIndex step) const;
  std::string_view rule_name_of_check(size_t check) const;
  /// As rule_name, for the function of a call.
  std::string_view function_name_of(CallId call) const;

  std::span<const Call> calls() const { return calls_.span(); }
  std::span<const uint64_t> arguments(CallId call) const {
    return {arguments_.data() + calls_[call].first_argument, calls_[call].argument_count};
  }
  /// From the root down to `call`; empty for no_call.
  std::vector<CallId> path(CallId call) const;

  std::span<const Region> regions() const { return regions_; }
  RegionId region_of(WordIndex word) const { return find_region(regions_, word); }
  /// "hmm_pfns[7]", "pte 0x7f0000000000 [12]", "vma heap.vm_flags".
  std::string word_name(WordIndex word) const;
  WordIndex word_count() const { return static_cast<WordIndex>(initial_.size()); }
  /// State before step 0; words added later are 0.
  std::span<const uint64_t> initial() const { return initial_.span(); }

  std::span<const Event> events() const { return events_.span(); }
  /// Every call's and event's task is an index into this.
  std::span<const Task> tasks() const { return tasks_; }
  std::span<const std::string> event_kinds() const { return event_kinds_; }
  std::span<const CallCheck> checks() const { return checks_; }
  /// "model", "kernel", "patch", "config", "arch", "source", "layout", "title": what is known of the origin.
  const std::map<std::string, std::string>& meta() const { return meta_; }
  std::string meta(const std::string& key) const;   ///< "" when absent

  size_t bytes() const;   ///< heap held by the columns (not the index of history.h)

 private:
  friend class Recorder;
  friend class RecordingFile;
  friend class RecordingReader;
  friend class RecordingWriter;

  // write_info_: bits 0-1 Evidence; a run keeps its index into runs_ in write_old_, its new base in write_new_.
  static constexpr uint8_t evidence_mask = 3;
  static constexpr uint8_t run_flag = 4;

  /// The extra data of writes of more than one word. Huge leaves write one run after another that differs in nothing
  /// but its new base, and share this.
  struct Run {
    uint32_t count = 0;
    WriteShape new_shape = WriteShape::linear, old_shape = WriteShape::linear;   ///< linear or literal
    bool old_follows = false;   ///< old_base is what to add to the new base
    uint64_t new_stride = 0, old_base = 0, old_stride = 0;
    bool operator==(const Run&) const = default;
  };

  void shrink_to_fit();
  /// The index in runs_ of one that says the same of a write of this new base: the last, or a new one.
  uint32_t share_run(Run run, uint64_t new_base);
  /// Describe the values a run writes or replaces; values without a pattern are copied to the literals, and the base is
  /// where they begin there. set_new returns the new base.
  uint64_t set_new(Run& run, std::span<const uint64_t> values);
  void set_old(Run& run, std::span<const uint64_t> values, const Pattern& pattern);

  // per step
  Column<uint16_t> rule_;
  Column<uint32_t> call_;
  Column<uint32_t> operand_end_;  ///< end into operands_, so the begin is the previous step's end
  Column<uint32_t> write_end_;
  Column<uint32_t> event_;        ///< empty unless the recording came from a trace
  // per operand / per write
  Column<uint64_t> operands_;
  Column<uint32_t> write_word_;
  Column<uint8_t> write_info_;
  Column<uint64_t> write_old_;
  Column<uint64_t> write_new_;
  Column<Run> runs_;
  Column<uint64_t> literals_;

  Column<Call> calls_;
  Column<uint64_t> arguments_;
  std::vector<Region> regions_;
  Column<uint64_t> initial_;      ///< sized to all words ever allocated
  Column<Event> events_;
  std::vector<Task> tasks_;
  std::vector<std::string> event_kinds_;
  std::vector<CallCheck> checks_;
  std::map<std::string, std::string> meta_;

  /// Names from a file that this build does not know, and who bears them. A column is empty when nobody does.
  struct Foreign {
    static constexpr uint16_t none = 0xffff;
    std::vector<std::string> names;
    Column<uint16_t> of_step, of_call, of_check;   ///< indices into names
    const std::string* name(const Column<uint16_t>& column, size_t index) const {
      return index < column.size() && column[index] != none ? &names[column[index]] : nullptr;
    }
  };
  Foreign foreign_;
};

inline WriteView Recording::write_at(uint32_t write) const {
  const uint8_t info = write_info_[write];
  const auto evidence = static_cast<Evidence>(info & evidence_mask);
  if ((info & run_flag) == 0) [[likely]] {
    return {write_word_[write], 1,  evidence,          WriteShape::single, WriteShape::single,
            write_new_[write],  0,  write_old_[write], 0,                  nullptr,
            nullptr};
  }
  const Run& run = runs_[write_old_[write]];
  const bool new_literal = run.new_shape == WriteShape::literal;
  const bool old_literal = run.old_shape == WriteShape::literal;
  return {write_word_[write],
          run.count,
          evidence,
          run.new_shape,
          run.old_shape,
          write_new_[write],
          run.new_stride,
          run.old_base + (run.old_follows ? write_new_[write] : 0),
          run.old_stride,
          new_literal ? literals_.data() + write_new_[write] : nullptr,
          old_literal ? literals_.data() + run.old_base : nullptr};
}

}  // namespace hmmscope
