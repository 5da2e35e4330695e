#include "ui/panels/pfn_grid.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "ui/panels/evidence.h"
#include "ui/words.h"

namespace hmmscope::ui {
namespace {

constexpr float legend_row = 17;

Color state_color(const Theme& t, SlotState state) {
  switch (state) {
    case SlotState::zero:
      return t.border;
    case SlotState::unknown:
      return t.text_faint;
    case SlotState::requested:
      return t.field(Role::migrate);
    case SlotState::bare:
      return t.field(Role::none);
    case SlotState::unplaced:
    case SlotState::readable:
      return t.field(Role::valid);
    case SlotState::writable:
      return t.field(Role::write);
    case SlotState::flagged:
      return t.field(Role::dma_mapped);
    case SlotState::error:
      return t.field(Role::error);
    case SlotState::clash:
    case SlotState::count_:
      return t.bad;
  }
  return t.bad;
}

}  // namespace

std::string_view slot_state_name(SlotState state) {
  constexpr std::string_view names[] = {"0 (empty)",
                                        "not shown by the trace",
                                        "request (VALID, no pfn)",
                                        "VALID, pfn not shown by any event",
                                        "not VALID, bits set",
                                        "VALID",
                                        "VALID WRITE",
                                        "sticky flag set",
                                        "ERROR",
                                        "bit with two owners set"};
  return names[static_cast<size_t>(state)];
}

SlotClassifier::SlotClassifier(const Recording& recording, const Layout& layout)
    : error_(layout.mask(Role::error)),
      sticky_(layout.sticky_mask()),
      valid_(layout.mask(Role::valid)),
      write_(layout.mask(Role::write)),
      pfn_(layout.mask(Role::pfn)),
      stand_ins_(recording, layout) {
  for (const Overlap& overlap : overlaps(layout)) clash_ |= overlap.mask;
}

void PfnGrid::place(const Rect& area, uint32_t count) {
  const float legend = area.h >= 120 ? 3 * legend_row + 6 : 0;
  grid_ = {area.x, area.y, area.w, std::max(8.0f, area.h - legend)};
  legend_ = {area.x, grid_.bottom() + 6, area.w, legend};
  // The largest square cells that show every entry; below 6 pixels cells stand for more entries instead.
  per_cell_ = 1;
  for (;; per_cell_ *= 2) {
    const uint32_t cells = (count + per_cell_ - 1) / per_cell_;
    for (pitch_ = 18; pitch_ >= 6; pitch_ -= 1) {
      columns_ = std::max(1u, static_cast<uint32_t>(grid_.w / pitch_));
      if (columns_ >= 8) columns_ &= columns_ >= 64 ? ~7u : ~3u;
      const uint32_t rows = (cells + columns_ - 1) / columns_;
      if (static_cast<float>(rows) * pitch_ > grid_.h) continue;
      legend_.y = grid_.y + static_cast<float>(rows) * pitch_ + 4;
      return;
    }
    pitch_ = 6;
    if (cells <= 1) return;
  }
}

void PfnGrid::update(const ViewContext& view, const Region& array, const Rect& area) {
  place(area, array.count);
  const Layout& layout = layout_of(view, array.first, 0);
  const Recording* recording = &view.cursor->recording();
  const StepIndex position = view.cursor->position();
  if (recording == recording_ && &layout == layout_ && first_ == array.first && position == position_ &&
      computed_per_cell_ == per_cell_)
    return;
  recording_ = recording;
  layout_ = &layout;
  first_ = array.first;
  position_ = position;
  computed_per_cell_ = per_cell_;
  totals_ = {};
  cells_.assign((array.count + per_cell_ - 1) / per_cell_, {});
  const SlotClassifier classify(*recording, layout);
  const auto words = view.cursor->words(array.first, array.count);
  evidence_.update(view, array);
  for (uint32_t i = 0; i < array.count; ++i) {
    SlotCell& cell = cells_[i / per_cell_];
    const Evidence known = evidence_[i];
    const SlotState slot = classify(words[i], known);
    ++totals_[static_cast<size_t>(slot)];
    if (slot > cell.worst || cell.count == 0) {
      cell = {slot, 1, known};
    } else if (slot == cell.worst) {
      ++cell.count;
      cell.evidence = std::max(cell.evidence, known);
    }
  }
}

Rect PfnGrid::cell_rect(size_t cell) const {
  const auto column = static_cast<float>(cell % columns_), row = static_cast<float>(cell / columns_);
  return {grid_.x + column * pitch_, grid_.y + row * pitch_, pitch_ - (pitch_ >= 8 ? 2 : 1),
          pitch_ - (pitch_ >= 8 ? 2 : 1)};
}

Rect PfnGrid::cell_of(const Region& array, WordIndex word) const {
  return cell_rect((word - array.first) / per_cell_);
}

/// States differ in colour and in a mark, so that they can be told apart without colour.
void PfnGrid::draw_cell(Painter& p, const Rect& rect, const SlotCell& cell) const {
  const Theme& t = p.theme();
  const Color color = state_color(t, cell.worst);
  if (cell.worst == SlotState::zero) {
    p.fill(rect, color);
    return;
  }
  if (cell.worst == SlotState::requested || cell.worst == SlotState::unknown) {
    p.outline(rect, color);
    return;
  }
  if (cell.worst == SlotState::unplaced) {
    p.outline(rect, color);
    p.fill({rect.mid_x() - 1, rect.mid_y() - 1, 2, 2}, color);
    return;
  }
  if (cell.evidence == Evidence::inferred)
    evidence_box(p, rect, color, cell.evidence);
  else
    p.fill(rect, mix(t.surface, color, 220));
  const Rect mark{rect.mid_x() - 1, rect.mid_y() - 1, 2, 2};
  if (cell.worst == SlotState::writable) p.fill(mark, t.on_field);
  if (cell.worst == SlotState::flagged) p.fill({mark.x, rect.y, 2, rect.h}, t.on_field);
  if (cell.worst == SlotState::error) p.fill({rect.x, mark.y, rect.w, 2}, t.on_field);
  if (cell.worst == SlotState::clash) p.outline(rect.inset(rect.w >= 8 ? 2 : 1), t.surface);
}

void PfnGrid::draw(Painter& p, const ViewContext& view, const Region& array, WordIndex focused,
                   Intents& intents) const {
  const Theme& t = p.theme();
  for (size_t i = 0; i < cells_.size(); ++i) draw_cell(p, cell_rect(i), cells_[i]);
  if (focused >= array.first && focused - array.first < array.count) {
    const Rect cell = cell_of(array, focused);
    p.outline({cell.x - 2, cell.y - 2, cell.w + 4, cell.h + 4}, t.changed, 2, 2);
  }
  draw_legend(p);
  interact(p, view, array, focused, intents);
}

void PfnGrid::draw_legend(Painter& p) const {
  const Theme& t = p.theme();
  float y = legend_.y + 4;
  // The worst states first; what does not fit is in the table.
  for (size_t i = static_cast<size_t>(SlotState::count_); i-- > 0;) {
    if (totals_[i] == 0 || y + legend_row > legend_.bottom() + 2) continue;
    draw_cell(p, {legend_.x, y + 4, 9, 9}, {static_cast<SlotState>(i), 1, Evidence::computed});
    const std::string text =
        fmt::format("{}  {}", grouped(totals_[i]), slot_state_name(static_cast<SlotState>(i)));
    p.text_in({legend_.x + 16, y, legend_.w - 16, legend_row}, text, Font::small, t.text_muted);
    y += legend_row;
  }
}

void PfnGrid::interact(Painter& p, const ViewContext& view, const Region& array, WordIndex focused,
                       Intents& intents) const {
  const auto select = [&](uint32_t slot) {
    intents.push_back({.kind = Intent::Kind::select_word,
                       .word = array.first + std::min(slot, array.count - 1),
                       .text = {}});
  };
  const float right = grid_.x + static_cast<float>(columns_) * pitch_;
  if (p.hovered({grid_.x, grid_.y, right - grid_.x, grid_.h})) {
    const auto column = static_cast<uint32_t>((p.input().mouse_x - grid_.x) / pitch_),
               row = static_cast<uint32_t>((p.input().mouse_y - grid_.y) / pitch_);
    const size_t cell = size_t{row} * columns_ + column;
    if (cell < cells_.size()) {
      // A click on an aggregate goes to the first of its worst entries.
      const SlotClassifier classify(*recording_, *layout_);
      const auto first = static_cast<uint32_t>(cell) * per_cell_,
                 end = std::min(first + per_cell_, array.count);
      uint32_t slot = first;
      const auto state_of = [&](uint32_t i) {
        return classify(view.cursor->load(array.first + i), evidence_[i]);
      };
      while (slot + 1 < end && state_of(slot) != cells_[cell].worst) ++slot;
      std::vector<std::string> lines;
      if (per_cell_ == 1)
        lines.push_back(fmt::format("hmm_pfns[{}]", slot));
      else
        lines.push_back(fmt::format("hmm_pfns[{}] to [{}]", first, end - 1));
      if (per_cell_ > 1)
        lines.push_back(fmt::format("{} of {}: {}", cells_[cell].count, end - first,
                                    slot_state_name(cells_[cell].worst)));
      const uint64_t value = view.cursor->load(array.first + slot);
      if (evidence_[slot] == Evidence::unknown) {
        lines.push_back(fmt::format("[{}] unknown: no probe showed it", slot));
      } else {
        const uint64_t unseen = unseen_bits(view, array.first + slot, value, evidence_[slot]);
        lines.push_back(fmt::format("[{}] {}", slot, hex_seen(value, unseen)));
        lines.push_back(describe_word(view, array.first + slot, value, unseen));
      }
      lines.push_back(fmt::format("address {}", hex(array.address + slot * array.stride)));
      p.tooltip(std::move(lines));
      if (p.clicked({grid_.x, grid_.y, right - grid_.x, grid_.h})) select(slot);
    }
  }
  if (focused < array.first || focused - array.first >= array.count) return;
  const uint32_t slot = focused - array.first, row = columns_ * per_cell_;
  if (p.key(Key::left) && slot > 0) select(slot - 1);
  if (p.key(Key::right)) select(slot + 1);
  if (p.key(Key::up)) select(slot >= row ? slot - row : 0);
  if (p.key(Key::down)) select(slot + row);
  if (p.key(Key::home)) select(0);
  if (p.key(Key::end)) select(array.count - 1);
}

}  // namespace hmmscope::ui
