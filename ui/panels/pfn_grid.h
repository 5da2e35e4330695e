#pragma once
/// The hmm_pfns array as a grid of cells. A cell stands for k neighbouring entries, k a power of two, and
/// shows the most severe state among them with its count: a single bad entry of 262 144 is visible.

#include <array>
#include <vector>

#include "ui/canvas/painter.h"
#include "ui/panels/slot_evidence.h"
#include "ui/unseen.h"
#include "ui/view.h"

namespace hmmscope::ui {

/// Ordered by severity.
enum class SlotState : uint8_t {
  zero,
  unknown,
  requested,
  unplaced,  ///< VALID, of a page whose pfn no event shows
  bare,
  readable,
  writable,
  flagged,
  error,
  clash,
  count_
};

std::string_view slot_state_name(SlotState state);

struct SlotCell {
  SlotState worst = SlotState::zero;
  uint32_t count = 0;                      ///< entries in the worst state
  Evidence evidence = Evidence::computed;  ///< the least certain of the entries in the worst state
};

/// Masks of one layout of a recording, so that classifying an entry is a few ANDs.
class SlotClassifier {
 public:
  SlotClassifier(const Recording& recording, const Layout& layout);
  SlotState operator()(uint64_t word, Evidence evidence) const {
    if (evidence == Evidence::unknown) return SlotState::unknown;
    if (word == 0) return SlotState::zero;
    if ((word & clash_) != 0) return SlotState::clash;
    if ((word & error_) != 0) return SlotState::error;
    if ((word & sticky_) != 0) return SlotState::flagged;
    if ((word & valid_) == 0) return SlotState::bare;
    if ((word & pfn_) == 0) return SlotState::requested;
    if (stand_ins_.bits(word, evidence) != 0) return SlotState::unplaced;
    return (word & write_) != 0 ? SlotState::writable : SlotState::readable;
  }

 private:
  uint64_t clash_ = 0, error_, sticky_, valid_, write_, pfn_;
  StandIns stand_ins_;
};

class PfnGrid {
 public:
  /// Recomputes what changed; cheap when nothing did.
  void update(const ViewContext& view, const Region& array, const Rect& area);
  /// Draws cells, cursor and legend; clicks and keys select words.
  void draw(Painter& p, const ViewContext& view, const Region& array, WordIndex focused,
            Intents& intents) const;
  /// Where the cell of the word is, for the curve that leads to it.
  Rect cell_of(const Region& array, WordIndex word) const;
  uint32_t per_cell() const { return per_cell_; }
  size_t cells() const { return cells_.size(); }

 private:
  void place(const Rect& area, uint32_t count);
  Rect cell_rect(size_t cell) const;
  void draw_cell(Painter& p, const Rect& rect, const SlotCell& cell) const;
  void draw_legend(Painter& p) const;
  void interact(Painter& p, const ViewContext& view, const Region& array, WordIndex focused,
                Intents& intents) const;

  // What the cells were computed from.
  const Recording* recording_ = nullptr;
  const Layout* layout_ = nullptr;
  WordIndex first_ = no_word;
  StepIndex position_ = no_step;
  uint32_t computed_per_cell_ = 0;

  SlotEvidence evidence_;
  std::vector<SlotCell> cells_;
  std::array<uint32_t, static_cast<size_t>(SlotState::count_)> totals_{};
  Rect grid_, legend_;
  float pitch_ = 0;
  uint32_t columns_ = 1, per_cell_ = 1;
};

}  // namespace hmmscope::ui
