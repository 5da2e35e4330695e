#pragma once
/// A model of what the sequences cost in instructions: a price for everything compare-sequences counts, fitted by least
/// squares to instruction counts of real kernels (6.12.117, one virtual CPU, one instruction a tick; the minimum of seven
/// runs, without copying the pages). Not in those numbers, hence not in the model: cache and TLB misses, inter-processor
/// interrupts.
///
/// The measured counts are compiled in; the fit is done anew in every process. Immutable after fit(); any thread may
/// read it.

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "engine/scenario/compare_sequences.h"

namespace hmmscope::scenario {

/// One measurement.
struct MeasuredCost {
  PageMix mix = PageMix::present;
  bool write = false;
  uint64_t pages = 0;
  Contender contender = Contender::control_s1;
  double instructions = 0;   ///< the least of the repetitions
  double median = 0;
};
std::span<const MeasuredCost> measured_costs();

/// How far two measurements have to lie apart, relatively, to tell two sequences apart: in nine cells of ten the median of
/// the repetitions lies nearer to their minimum than this.
double measuring_spread();

/// What one occurrence of something costs.
struct Price {
  std::string_view what;
  double instructions;
};

/// How well the model agrees with the measurements it was fitted to.
struct FitReport {
  uint32_t cells = 0;
  double mean_error = 0, worst_error = 0;   ///< relative to the measured value
  uint32_t contests = 0;   ///< groups of cells with the same mix, intent and size
  uint32_t same_winner = 0;                 ///< contests whose cheapest sequence is the measured one
  uint32_t tied = 0;                        ///< others in which the two were measured within measuring_spread()
  double widest_wrong_winner = 0;           ///< how much more than the measured winner the modelled one was measured at
  uint32_t pairs = 0, same_order = 0;       ///< two sequences of one contest: the cheaper one is the same
  uint32_t tied_pairs = 0;                  ///< pairs in the wrong order that were measured within measuring_spread()
  double worst_wrong_pair = 0;              ///< measured relative difference of the widest pair in the wrong order
  uint32_t s3_same_side = 0;                ///< contests in which S3 beats S1 without the patches, or not, as measured
  double s3_widest_wrong = 0;               ///< measured relative difference of the widest other one
};

class SequenceCost {
 public:
  /// Runs every measured cell and fits the prices.
  static Result<SequenceCost> fit();

  double instructions(const SequenceCell& cell) const;
  std::vector<Price> prices() const;
  const FitReport& report() const { return report_; }

 private:
  std::vector<double> prices_;
  FitReport report_;
};

/// The measurement of a cell, when there is one.
std::optional<double> measured(const SequenceCell& cell);

}  // namespace hmmscope::scenario
