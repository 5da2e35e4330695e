#include "ui/view.h"

#include <algorithm>

#include "engine/model/word_layout.h"
#include "ui/words.h"

namespace hmmscope::ui {
namespace {

/// How far back the panels look for the last array write when nothing is selected.
constexpr StepIndex look_back = 2048;

bool is_table(RegionKind kind) { return kind <= RegionKind::hugetlb; }

/// The word of a step to look at: array slots before entries before anything else.
WordIndex written_by(const Recording& recording, StepIndex step, bool arrays_only) {
  WordIndex table = no_word, other = no_word;
  for (uint32_t i = 0; i < recording.write_count(step); ++i) {
    const WordIndex word = recording.write(step, i).first;
    const RegionId region = recording.region_of(word);
    if (region == no_region) continue;
    const RegionKind kind = recording.regions()[region].kind;
    if (kind == RegionKind::hmm_pfns) return word;
    if (is_table(kind) && table == no_word) table = word;
    if (other == no_word) other = word;
  }
  if (arrays_only) return no_word;
  return table != no_word ? table : other;
}

}  // namespace

WordIndex focused_word(const ViewContext& view) {
  if (!has_recording(view)) return no_word;
  const Recording& recording = view.cursor->recording();
  if (view.selection.word < recording.word_count()) return view.selection.word;
  const StepIndex current = view.cursor->current_step();
  if (current != no_step) {
    const WordIndex now = written_by(recording, current, false);
    if (now != no_word) return now;
    const StepIndex stop = current > look_back ? current - look_back : 0;
    for (StepIndex step = current; step-- > stop;) {
      const WordIndex word = written_by(recording, step, true);
      if (word != no_word) return word;
    }
  }
  const auto regions = recording.regions();
  const auto array = std::find_if(regions.begin(), regions.end(), [](const Region& r) {
    return r.kind == RegionKind::hmm_pfns && r.count > 0;
  });
  if (array != regions.end()) return array->first;
  return recording.word_count() > 0 ? 0 : no_word;
}

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
