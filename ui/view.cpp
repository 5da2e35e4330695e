#include "ui/view.h"

#include <algorithm>

#include "engine/encoding/swap_types.h"
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

/// "6.12-v9" -> 6012; 0 when the id does not start with a version.
uint32_t version_of(const std::string& id) {
  uint32_t major = 0, minor = 0;
  size_t i = 0;
  const auto digit = [&] { return i < id.size() && id[i] >= '0' && id[i] <= '9'; };
  for (; digit() && major < 1000; ++i) major = major * 10 + static_cast<uint32_t>(id[i] - '0');
  if (i >= id.size() || id[i] != '.') return major * 1000;
  for (++i; digit() && minor < 1000; ++i) minor = minor * 10 + static_cast<uint32_t>(id[i] - '0');
  return major * 1000 + minor;
}

const Layout* first_of(Family family) {
  for (const Layout& layout : layouts()) {
    if (layout.family == family) return &layout;
  }
  return nullptr;
}

const Layout& plain_layout() {
  static constexpr Field fields[] = {{"value", "", 0, 64, Role::none, false, false, false, "The whole word is one number."}};
  static constexpr Layout layout{"plain", "Plain number", Family::plain, Status::released, "all", 64, 12, fields, "", ""};
  return layout;
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
  const auto array = std::find_if(regions.begin(), regions.end(),
                                  [](const Region& r) { return r.kind == RegionKind::hmm_pfns && r.count > 0; });
  if (array != regions.end()) return array->first;
  return recording.word_count() > 0 ? 0 : no_word;
}

const Layout& layout_of(const ViewContext& view, WordIndex word, uint64_t value) {
  const Region* region = region_of(view, word);
  if (region == nullptr) return plain_layout();
  const KernelModel& model = view.document->model;
  const Family family = family_of(region->kind);
  switch (family) {
    case Family::hmm_pfn:
      if (view.layout != nullptr && view.layout->family == Family::hmm_pfn) return *view.layout;
      if (model.hmm_pfn != nullptr) return *model.hmm_pfn;
      break;
    case Family::migrate_pfn:
      if (model.migrate_pfn != nullptr) return *model.migrate_pfn;
      break;
    case Family::x86_pte:
    case Family::x86_pmd:
    case Family::x86_pud:
      if (const Layout* present = first_of(family)) {
        return layout_for_entry(*present, swap_layout(Family::x86_swap, version_of(model.id)), value);
      }
      break;
    default: break;
  }
  const Layout* layout = family == Family::plain ? nullptr : first_of(family);
  return layout != nullptr ? *layout : plain_layout();
}

}  // namespace hmmscope::ui
