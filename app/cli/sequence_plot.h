#pragma once
/// The picture of compare-sequences: one small chart a mix and intent, instructions a page over the range
/// size.

#include <span>
#include <string>

#include "engine/scenario/sequence_cost.h"

namespace hmmscope::app {

/// An SVG document. Lines are the cost model, dots what was measured. `cells` as compare_sequences gives
/// them.
std::string sequence_plot(std::span<const scenario::SequenceCell> cells, const scenario::SequenceCost& model);

}  // namespace hmmscope::app
