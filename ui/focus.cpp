// Which word the panels show. A step that decides writes nothing itself: it is about the page that its rule or its call
// names, and the panels show the slot of that page.

#include <algorithm>

#include "ui/view.h"
#include "ui/words.h"

namespace hmmscope::ui {
namespace {

/// How far the panels look for an array write around a step that writes nothing: a call shows its array just before it
/// begins, and a decision stands just before the write it leads to.
constexpr StepIndex look_back = 2048, look_ahead = 32, before_call = 64;

bool is_table(RegionKind kind) { return kind <= RegionKind::hugetlb; }
bool is_array(RegionKind kind) { return kind == RegionKind::hmm_pfns || kind == RegionKind::migrate_src; }

/// The word of a step to look at: array slots before entries before anything else.
WordIndex written_by(const Recording& recording, StepIndex step) {
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
  return table != no_word ? table : other;
}

/// Calls that are about a whole range: their first argument names no page that is being looked at.
bool is_about_a_range(Function function) {
  switch (function) {
    case Function::scenario:
    case Function::kernel_trace:
    case Function::device:
    case Function::ioctl:
    case Function::hmm_range_fault:
    case Function::hmm_range_fault_unlocked_timeout:
    case Function::walk_page_range:
    case Function::migrate_vma_setup:
    case Function::migrate_vma_collect:
    case Function::migrate_vma_pages:
    case Function::migrate_vma_finalize:
    case Function::migrate_hmm_range_setup:
      return true;
    default:
      return false;
  }
}

class Focus {
 public:
  Focus(const Recording& recording, StepIndex step)
      : recording_(recording), step_(step), begin_(0), end_(recording.steps()) {
    CallId call = recording.call_of(step);
    while (call != no_call && recording.calls()[call].parent != no_call) call = recording.calls()[call].parent;
    if (call != no_call) {
      const Call& root = recording.calls()[call];
      begin_ = root.first_step > before_call ? root.first_step - before_call : 0;
      end_ = std::min(root.end_step, recording.steps());
    }
    begin_ = std::max(begin_, step > look_back ? step - look_back : 0);
    end_ = std::min(end_, step + 1 + look_ahead);
  }

  /// The slot of the address that the rule looks at, or that the innermost call has been given that names one: a first
  /// argument may be a pfn or a folio too, which no array has a slot for.
  WordIndex word() const {
    const Rule& rule = hmmscope::rule(recording_.rule_of(step_));
    const auto operands = recording_.operands(step_);
    for (uint32_t k = 0; k < rule.operand_count() && k < operands.size(); ++k)
      if (rule.operand_name(k) == "addr") return slot_near(operands[k]);
    for (CallId call = recording_.call_of(step_); call != no_call; call = recording_.calls()[call].parent) {
      if (is_about_a_range(recording_.calls()[call].function)) break;
      const auto arguments = recording_.arguments(call);
      if (arguments.empty()) continue;
      if (const WordIndex slot = slot_near(arguments[0]); slot != no_word) return slot;
    }
    return last_before(begin_);
  }

  /// The array word written last before the step, not before `begin`.
  WordIndex last_before(StepIndex begin) const {
    for (StepIndex step = step_; step-- > begin;) {
      for (uint32_t i = 0; i < recording_.write_count(step); ++i) {
        const WordIndex word = recording_.write(step, i).first;
        const RegionId region = recording_.region_of(word);
        if (region != no_region && recording_.regions()[region].kind == RegionKind::hmm_pfns) return word;
      }
    }
    return no_word;
  }

 private:
  /// The slot of the address in an array written near the step: one written next, else one written before.
  WordIndex slot_near(uint64_t address) const {
    for (StepIndex step = step_ + 1; step < end_; ++step)
      if (const WordIndex slot = slot_of(step, address); slot != no_word) return slot;
    for (StepIndex step = step_; step-- > begin_;)
      if (const WordIndex slot = slot_of(step, address); slot != no_word) return slot;
    return no_word;
  }

  /// The word of the address in an array that the step writes.
  WordIndex slot_of(StepIndex step, uint64_t address) const {
    for (uint32_t i = 0; i < recording_.write_count(step); ++i) {
      const RegionId id = recording_.region_of(recording_.write(step, i).first);
      if (id == no_region) continue;
      const Region& region = recording_.regions()[id];
      if (!is_array(region.kind) || region.stride == 0 || address < region.address) continue;
      if (const uint64_t slot = (address - region.address) / region.stride; slot < region.count)
        return region.first + static_cast<WordIndex>(slot);
    }
    return no_word;
  }

  const Recording& recording_;
  StepIndex step_;
  StepIndex begin_, end_;   ///< where an array write counts as this step's
};

}  // namespace

WordIndex focused_word(const ViewContext& view) {
  if (!has_recording(view)) return no_word;
  const Recording& recording = view.cursor->recording();
  if (view.selection.word < recording.word_count()) return view.selection.word;
  const StepIndex current = view.cursor->current_step();
  if (current != no_step) {
    if (const WordIndex now = written_by(recording, current); now != no_word) return now;
    const Focus focus(recording, current);
    if (const WordIndex word = focus.word(); word != no_word) return word;
    if (const WordIndex word = focus.last_before(current > look_back ? current - look_back : 0); word != no_word) return word;
  }
  const auto regions = recording.regions();
  const auto array = std::find_if(regions.begin(), regions.end(), [](const Region& r) {
    return r.kind == RegionKind::hmm_pfns && r.count > 0;
  });
  if (array != regions.end()) return array->first;
  return recording.word_count() > 0 ? 0 : no_word;
}

}  // namespace hmmscope::ui
