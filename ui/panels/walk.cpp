/// Where: the page-table path to the current address, the decoded entry, notifier and device, and the array.

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "ui/canvas/painter.h"
#include "ui/panels/panels.h"
#include "ui/panels/pfn_grid.h"
#include "ui/panels/walk_card.h"
#include "ui/panels/walk_scene.h"
#include "ui/unseen.h"
#include "ui/words.h"

namespace hmmscope::ui {
namespace {

constexpr float heading = 20;

class WalkPanel final : public Panel {
 public:
  std::string_view id() const override { return "walk"; }
  std::string_view title() const override { return "Walk"; }
  std::string subtitle(const ViewContext& view) const override;
  void draw(const ViewContext& view, Intents& intents) override;
  Table table(const ViewContext& view) const override;

 private:
  Rect draw_column(Painter& p, const ViewContext& view, const WalkScene& scene, const PathLevel& level,
                   const Rect& area, Intents& intents) const;
  float draw_columns(Painter& p, const ViewContext& view, const WalkScene& scene, const Rect& area,
                     Rect& last, Intents& intents) const;

  mutable RegionIndex regions_;  ///< made anew only for another recording
  PfnGrid grid_;
};

std::string WalkPanel::subtitle(const ViewContext& view) const {
  if (!has_recording(view) || view.cursor->current_step() == no_step) return "";
  const Recording& recording = view.cursor->recording();
  std::string text;
  for (const CallId call : recording.path(recording.call_of(view.cursor->current_step()))) {
    if (!text.empty()) text += " \xE2\x86\x92 ";
    text += recording.function_name_of(call);
  }
  regions_.update(&recording);
  const std::string process = process_of(view, regions_, walk_scene(view, regions_).owner);
  if (!process.empty()) text += (text.empty() ? "" : "  \xC2\xB7  ") + process;
  return text;
}

std::string_view level_name(RegionKind kind) {
  switch (kind) {
    case RegionKind::pgd:
      return "PGD";
    case RegionKind::p4d:
      return "P4D";
    case RegionKind::pud:
      return "PUD";
    case RegionKind::pmd:
      return "PMD";
    case RegionKind::pte:
      return "PTE";
    default:
      return "HUGETLB";
  }
}

bool is_leaf(const ViewContext& view, const PathLevel& level) {
  if (level.value == 0 || level.evidence == Evidence::unknown || level.table->kind == RegionKind::pte) return false;
  const Layout& layout = layout_of(view, level.word, level.value);
  return layout.field(Role::table_address) == nullptr && layout.family != Family::x86_swap &&
         level.table->kind != RegionKind::pgd;
}

/// One table: populated entries as bands, the current one as a box. Returns the box.
Rect WalkPanel::draw_column(Painter& p, const ViewContext& view, const WalkScene& scene,
                            const PathLevel& level, const Rect& area, Intents& intents) const {
  const Theme& t = p.theme();
  p.text_in({area.x, area.y, area.w, heading}, level_name(level.table->kind), Font::strong, t.text_muted);
  const Rect box{area.x, area.y + heading, area.w, area.h - heading};
  p.fill(box, t.sunken, measure::radius_small);
  p.outline(box, t.border, measure::radius_small);
  const Rect inner = box.inset(4);
  const uint32_t count = std::max(1u, level.table->count);
  const auto y_of = [&](uint32_t index) {
    return inner.y + inner.h * static_cast<float>(index) / static_cast<float>(count);
  };
  const float band = std::max(2.0f, inner.h / static_cast<float>(count));
  for (uint32_t i = 0; i < count; ++i) {
    const uint64_t value = view.cursor->load(level.table->first + i);
    if (value == 0) continue;
    // Not the present bit alone: a PROT_NONE entry maps its page without it.
    const bool swap = layout_of(view, level.table->first + i, value).family == Family::x86_swap;
    p.fill({inner.x, y_of(i), inner.w, band}, swap ? t.field(Role::migrate) : t.border_strong);
  }
  constexpr float height = 18;
  const Rect entry{
      area.x - 3, std::clamp(y_of(level.index) - height / 2 + band / 2, box.y + 2, box.bottom() - height - 2),
      area.w + 6, height};
  const bool focused = scene.word == level.word;
  p.fill(entry, t.accent_fill, 3);
  p.outline(entry, focused ? t.changed : t.accent, 3, focused ? 2 : 1);
  std::string text = fmt::format("[{}]", level.index);
  if (level.evidence == Evidence::unknown)
    text += " ?";
  else if (is_leaf(view, level))
    text += " leaf";
  else if (level.value == 0)
    text += " none";
  p.text_in({entry.x + 6, entry.y, entry.w - 10, entry.h}, text, Font::mono_tiny, t.on_accent_fill);
  if (p.hovered(box)) {
    const bool on_entry = p.hovered(entry);
    const auto index =
        on_entry ? level.index
                 : std::min(count - 1,
                            static_cast<uint32_t>(std::max(
                                0.0f, (p.input().mouse_y - inner.y) / inner.h * static_cast<float>(count))));
    const WordIndex word = level.table->first + index;
    const LastWrite write = last_write(view, word);
    const uint64_t unseen = unseen_bits(view, word, write.after, write.evidence);
    p.tooltip({fmt::format("{} entry {}: {}", region_kind_name(level.table->kind), index, hex_seen(write.after, unseen)),
               write.evidence == Evidence::unknown ? "no probe of the trace shows this entry"
                                                   : describe_word(view, word, write.after, unseen),
               "covers from " + hex(level.table->address + index * level.table->stride),
               "Click: select this entry"});
    if (p.clicked(box)) intents.push_back({.kind = Intent::Kind::select_word, .word = word, .text = {}});
  }
  return entry;
}

float WalkPanel::draw_columns(Painter& p, const ViewContext& view, const WalkScene& scene, const Rect& area,
                              Rect& last, Intents& intents) const {
  const Theme& t = p.theme();
  if (scene.path.empty()) return 0;
  const auto levels = static_cast<float>(scene.path.size());
  const float gap = area.w >= 260 ? 26 : 16;
  const float width = std::clamp((area.w - gap * (levels - 1)) / levels, 44.0f, 84.0f);
  std::array<Rect, 6> boxes;
  float x = area.x;
  for (size_t i = 0; i < scene.path.size(); ++i) {
    boxes[i] = draw_column(p, view, scene, scene.path[i], {x, area.y, width, area.h - 22}, intents);
    x += width + gap;
  }
  for (size_t i = 0; i + 1 < scene.path.size(); ++i)
    p.curve(boxes[i].right(), boxes[i].mid_y(), boxes[i + 1].x, boxes[i + 1].mid_y(), t.accent);
  last = boxes[scene.path.size() - 1];
  // The hex whole: one or two columns are narrower than it, the gap beside them is free.
  const float room = x - 6 - area.x;
  std::string text = "address " + hex(scene.address);
  if (p.width(text, Font::mono_small) > room) text = hex(scene.address);
  p.text_in({area.x, area.bottom() - 18, room, 18}, text, Font::mono_small, t.text_faint);
  return x - gap - area.x;
}

void WalkPanel::draw(const ViewContext& view, Intents& intents) {
  Painter p(view.theme);
  if (!has_recording(view)) {
    p.empty("Nothing is open",
            "Open a kernel trace (.trace, .dat, .xz), a scenario (.json) or a saved recording (.hmmrec): "
            "File \xE2\x86\x92 Open, or drop the file here.");
    return;
  }
  const Recording& recording = view.cursor->recording();
  regions_.update(&recording);
  const Theme& t = p.theme();
  const Rect all = p.area();
  p.fill(all, t.surface);
  const WalkScene scene = walk_scene(view, regions_);
  if (scene.word == no_word) {
    p.empty("An empty recording", "It has no words and no steps.");
    return;
  }
  const Rect body{16, 8, all.w - 32, all.h - 14};
  const float gap = body.w >= 700 ? 28 : 18;
  const auto levels = static_cast<float>(scene.path.size());
  const float columns_wanted = scene.path.empty() ? 0
                                                  : std::min(body.w * (body.w >= 760 ? 0.44f : 0.37f),
                                                             levels * 80 + (levels - 1) * 26);
  Rect last{};
  float x = body.x;
  if (!scene.path.empty())
    x += draw_columns(p, view, scene, {body.x, body.y, columns_wanted, body.h}, last, intents) + gap;
  const float rest = body.right() - x;
  const bool show_grid = scene.array != nullptr && rest >= 300;
  const float card_width = show_grid ? std::clamp(rest * 0.52f, 180.0f, 330.0f) : rest;
  Rect card_area{x, body.y + 2, card_width, body.h - 2};
  if (scene.path.empty()) {
    p.text_in(card_area.take_top(heading), "No page tables are known here", Font::small, t.text_faint);
  }
  const Rect card = draw_entry_card(p, view, scene, card_area);
  if (!scene.path.empty()) p.curve(last.right(), last.mid_y(), card.x, card.y + 18, t.accent);
  draw_walk_facts(p, view, regions_, scene,
                  {card.x, card.bottom() + 10, card.w, body.bottom() - card.bottom() - 10});
  if (!show_grid) return;
  const Rect grid_area{card.right() + gap, body.y, body.right() - card.right() - gap, body.h};
  grid_.update(view, *scene.array,
               {grid_area.x, grid_area.y + heading + 2, grid_area.w, grid_area.h - heading - 2});
  std::string title = "hmm_pfns[] " + counted(scene.array->count, "entry", "entries");
  if (grid_.per_cell() > 1) title += fmt::format(", {} a cell", grouped(grid_.per_cell()));
  if (p.width(title, Font::strong) > grid_area.w) title = "hmm_pfns[] " + grouped(scene.array->count);
  p.text_in({grid_area.x, grid_area.y, grid_area.w, heading}, title, Font::strong, t.text_muted);
  grid_.draw(p, view, *scene.array, scene.slot, intents);
  const Rect cell = grid_.cell_of(*scene.array, scene.slot);
  p.curve(card.right(), card.y + 18, cell.x - 2, cell.mid_y(), t.accent);
}

Table WalkPanel::table(const ViewContext& view) const {
  Table table{{"what", "index", "value", "meaning", "evidence"}, {}};
  if (!has_recording(view)) return table;
  const auto add = [&](std::string_view what, uint32_t index, WordIndex word) {
    const LastWrite write = last_write(view, word);
    const bool unknown = write.evidence == Evidence::unknown;
    const uint64_t unseen = unseen_bits(view, word, write.after, write.evidence);
    table.rows.push_back({std::string(what), std::to_string(index),
                          hex_seen(write.after, unseen),
                          unknown ? "no probe of the trace shows this word" : describe_word(view, word, write.after, unseen),
                          std::string(evidence_name(write.evidence))});
  };
  RegionIndex regions;
  regions.update(&view.cursor->recording());
  const WalkScene scene = walk_scene(view, regions);
  if (scene.word == no_word) return table;
  for (const PathLevel& level : scene.path) add(region_kind_name(level.table->kind), level.index, level.word);
  if (scene.array == nullptr) return table;
  constexpr uint32_t shown =
      256;  // neighbours of the cursor; the table would be as long as the array otherwise
  const uint32_t slot = scene.slot - scene.array->first, first = slot < shown / 2 ? 0 : slot - shown / 2;
  for (uint32_t i = first; i < std::min(scene.array->count, first + shown); ++i)
    add("hmm_pfns", i, scene.array->first + i);
  return table;
}

}  // namespace

std::unique_ptr<Panel> make_walk_panel() { return std::make_unique<WalkPanel>(); }

}  // namespace hmmscope::ui
