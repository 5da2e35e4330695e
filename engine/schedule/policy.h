#pragma once
/// Who decides which task goes on, and what he is told. Threads: called by whichever task is running. Ownership: a
/// policy belongs to the caller of the scheduler and outlives the run.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/result.h"

namespace hmmscope::schedule {

/// Where somebody has to choose: at least two tasks can run.
struct Choice {
  std::span<const uint32_t> runnable;   ///< ascending
  uint32_t current = 0;                 ///< who has run so far; not among the runnable when it waits or has ended
  uint64_t state = 0;                   ///< equal states go on alike (machine and what each task has done so far)
  std::span<const uint64_t> positions;  ///< by task: what it has done so far; 0: it has ended
  uint64_t point = 0;                   ///< of this run
};

/// What one task did between two places where somebody could be chosen. Objects are words by what they stand for (the
/// pte of an address, the reference count of a page), locks and allocators: the same in every run, whatever the order
/// in which regions were made.
struct Segment {
  uint32_t task = 0;
  uint64_t from = 0, to = 0;              ///< its positions before and after
  std::vector<uint64_t> reads, writes;    ///< ascending, each once
};

class Policy {
 public:
  static constexpr uint32_t stop = ~0u;   ///< end the run here
  virtual ~Policy() = default;
  virtual uint32_t choose(const Choice& choice) = 0;
  /// Whether Choice::positions and segments are worth the work.
  virtual bool wants_segments() const { return false; }
  /// Whether the segment that begins at this point is (points are counted from 0 in a run; some leave no choice).
  virtual bool wants_segment(uint64_t) const { return wants_segments(); }
  virtual void ran(const Segment&) {}
  /// The state at this point, when an earlier run has come to it the same way: finding it is most of a run's work.
  virtual std::optional<uint64_t> state_at(uint64_t) const { return std::nullopt; }
  virtual void reached(uint64_t, uint64_t) {}
};

/// Follows a text like Ended::schedule; what it does not say (or a task that cannot run) is decided by `current goes
/// on, else the first`.
class TextPolicy final : public Policy {
 public:
  /// Error: not "name:count name:count ...", or an unknown name.
  static Result<TextPolicy> parse(std::string_view text, std::span<const std::string> names);
  TextPolicy() = default;
  uint32_t choose(const Choice& choice) override;

 private:
  std::vector<std::pair<uint32_t, uint64_t>> runs_;
  size_t next_ = 0;
  uint64_t used_ = 0;
};

/// Chooses by a random number generator that only the seed decides.
class SeededPolicy final : public Policy {
 public:
  explicit SeededPolicy(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15ull + 1) {}
  uint32_t choose(const Choice& choice) override;

 private:
  uint64_t state_;
};

}  // namespace hmmscope::schedule
