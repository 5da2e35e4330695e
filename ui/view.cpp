#include "ui/view.h"

#include "engine/model/word_layout.h"
#include "ui/words.h"

namespace hmmscope::ui {

uint64_t watched_bits(const ViewContext& view, WordIndex word) {
  uint64_t bits = 0;
  for (const Breakpoint& point : view.breakpoints) {
    if (point.word == word) bits |= point.mask;
  }
  return bits;
}

const Layout& layout_of(const ViewContext& view, WordIndex word, uint64_t value) {
  static const KernelModel no_model;
  const Region* region = region_of(view, word);
  if (region == nullptr) return word_layout(no_model, RegionKind::counters, value);
  return word_layout(view.document->model, region->kind, value, view.layout);
}

}  // namespace hmmscope::ui
