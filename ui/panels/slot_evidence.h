#pragma once
/// How each word of one region is known at the cursor. Kept up to date as the cursor moves: a step forward
/// costs its own writes, any other move one scan backwards that ends when every word has found its last
/// write.

#include <vector>

#include "ui/view.h"

namespace hmmscope::ui {

class SlotEvidence {
 public:
  /// Empty for recordings that were computed throughout (not of a trace): every word is known.
  void update(const ViewContext& view, const Region& region);
  Evidence operator[](uint32_t slot) const {
    return evidence_.empty() ? Evidence::computed : evidence_[slot];
  }

 private:
  void rebuild(const ViewContext& view, const Region& region);

  const Recording* recording_ = nullptr;
  WordIndex first_ = no_word;
  StepIndex position_ = 0;
  std::vector<Evidence> evidence_;
  std::vector<uint32_t> next_;  ///< scratch of rebuild(): the next slot that has not found its last write
};

}  // namespace hmmscope::ui
