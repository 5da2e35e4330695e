#pragma once
/// Performs a scenario's operations on its world, one overload a kind. Errors are mistakes of the scenario (an address
/// outside every VMA, an unknown flag); an unmet expectation is a Failure of the outcome instead.

#include <string>

#include "engine/recording/recorder.h"
#include "engine/scenario/run.h"
#include "engine/scenario/world.h"

namespace hmmscope::scenario {

class Operations {
 public:
  Operations(World& world, Recorder& recorder, Outcome& outcome)
      : world_(world), machine_(world.machine()), recorder_(recorder), outcome_(outcome) {}

  Result<void> perform(const RangeFaultOp& op, Line line);
  Result<void> perform(const TouchOp& op, Line line);
  Result<void> perform(const UnmapOp& op, Line line);
  Result<void> perform(const ProtectOp& op, Line line);
  Result<void> perform(const DontNeedOp& op, Line line);
  Result<void> perform(const InvalidateOp& op, Line line);
  Result<void> perform(const SetPageOp& op, Line line);
  Result<void> perform(const ExpectOp& op, Line line);

 private:
  struct Loop;   ///< one driver loop around hmm_range_fault
  Result<Array*> array_for(const RangeFaultOp& op, uint64_t start, Line line);
  Result<void> write_slots(const RangeFaultOp& op, const Array& array, Line line);
  int driver_loop(const RangeFaultOp& op, const Loop& loop);
  /// "ok" or the name of what the access got.
  std::string touch(uint64_t addr, bool write);
  void expect_result(const std::string& expected, const std::string& found, uint64_t code, Line line);
  void failed(Line line, std::string text);
  Result<void> in_vmas(const Result<void>& result, Line line) const;

  World& world_;
  Machine& machine_;
  Recorder& recorder_;
  Outcome& outcome_;
};

}  // namespace hmmscope::scenario
