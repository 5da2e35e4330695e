/// Where: the page-table path to the current address, the decoded entry, notifier and device, and the array.

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "engine/machine/words.h"
#include "ui/canvas/painter.h"
#include "ui/panels/page_path.h"
#include "ui/panels/panels.h"
#include "ui/panels/pfn_grid.h"
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
  /// Everything the panel found out about the focused word.
  struct Scene {
    WordIndex word = no_word;
    uint32_t owner = 0;
    uint64_t address = 0;
    std::vector<PathLevel> path;
    const Region* array = nullptr;
    WordIndex slot = no_word;
  };
  static Scene scene_of(const ViewContext& view, const RegionIndex& regions);
  Rect draw_column(Painter& p, const ViewContext& view, const Scene& scene, const PathLevel& level, const Rect& area, Intents& intents) const;
  float draw_columns(Painter& p, const ViewContext& view, const Scene& scene, const Rect& area, Rect& last, Intents& intents) const;
  Rect draw_card(Painter& p, const ViewContext& view, const Scene& scene, const Rect& area) const;
  float draw_fields(Painter& p, const ViewContext& view, WordIndex word, uint64_t value, const Rect& area) const;
  void draw_facts(Painter& p, const ViewContext& view, const Scene& scene, Rect area) const;

  RegionIndex regions_;
  PfnGrid grid_;
};

WalkPanel::Scene WalkPanel::scene_of(const ViewContext& view, const RegionIndex& regions) {
  Scene scene;
  scene.word = focused_word(view);
  const Region* region = region_of(view, scene.word);
  if (region == nullptr) return scene;
  scene.owner = region->owner;
  scene.address = address_of(view, scene.word);
  if (region->stride == 0) {
    // A struct's word (a VMA, a notifier): look at the last array slot instead, so that the walk does not vanish.
    const auto arrays = regions.owned(RegionKind::hmm_pfns, region->owner);
    if (arrays.empty()) return scene;
    scene.array = arrays.back();
    scene.slot = scene.array->first;
    scene.address = scene.array->address;
  } else if (region->kind == RegionKind::hmm_pfns) {
    scene.array = region;
    scene.slot = scene.word;
  } else {
    scene.array = latest(view, regions.covering(RegionKind::hmm_pfns, scene.owner, scene.address), scene.address);
    if (scene.array != nullptr) scene.slot = word_at(*scene.array, scene.address);
  }
  scene.path = page_path(view, regions, scene.owner, scene.address);
  return scene;
}

std::string WalkPanel::subtitle(const ViewContext& view) const {
  if (!has_recording(view) || view.cursor->current_step() == no_step) return "";
  const Recording& recording = view.cursor->recording();
  std::string text;
  for (const CallId call : recording.path(recording.call_of(view.cursor->current_step()))) {
    if (!text.empty()) text += " \xE2\x86\x92 ";
    text += recording.function_name_of(call);
  }
  return text;
}

std::string_view level_name(RegionKind kind) {
  switch (kind) {
    case RegionKind::pgd: return "PGD";
    case RegionKind::p4d: return "P4D";
    case RegionKind::pud: return "PUD";
    case RegionKind::pmd: return "PMD";
    case RegionKind::pte: return "PTE";
    default: return "HUGETLB";
  }
}

bool is_leaf(const ViewContext& view, const PathLevel& level) {
  if (level.value == 0 || level.table->kind == RegionKind::pte) return false;
  const Layout& layout = layout_of(view, level.word, level.value);
  return layout.field(Role::table_address) == nullptr && layout.family != Family::x86_swap && level.table->kind != RegionKind::pgd;
}

/// One table: populated entries as bands, the current one as a box. Returns the box.
Rect WalkPanel::draw_column(Painter& p, const ViewContext& view, const Scene& scene, const PathLevel& level, const Rect& area, Intents& intents) const {
  const Theme& t = p.theme();
  p.text_in({area.x, area.y, area.w, heading}, level_name(level.table->kind), Font::strong, t.text_muted);
  const Rect box{area.x, area.y + heading, area.w, area.h - heading};
  p.fill(box, t.sunken, measure::radius_small);
  p.outline(box, t.border, measure::radius_small);
  const Rect inner = box.inset(4);
  const uint32_t count = std::max(1u, level.table->count);
  const auto y_of = [&](uint32_t index) { return inner.y + inner.h * static_cast<float>(index) / static_cast<float>(count); };
  const float band = std::max(2.0f, inner.h / static_cast<float>(count));
  for (uint32_t i = 0; i < count; ++i) {
    const uint64_t value = view.cursor->load(level.table->first + i);
    if (value == 0) continue;
    const bool present = (value & 1) != 0;
    p.fill({inner.x, y_of(i), inner.w, band}, present ? t.border_strong : t.field(Role::migrate));
  }
  constexpr float height = 18;
  const Rect entry{area.x - 3, std::clamp(y_of(level.index) - height / 2 + band / 2, box.y + 2, box.bottom() - height - 2), area.w + 6, height};
  const bool focused = scene.word == level.word;
  p.fill(entry, t.accent_fill, 3);
  p.outline(entry, focused ? t.changed : t.accent, 3, focused ? 2 : 1);
  std::string text = fmt::format("[{}]", level.index);
  if (is_leaf(view, level)) text += " leaf";
  else if (level.value == 0) text += " none";
  p.text_in({entry.x + 6, entry.y, entry.w - 10, entry.h}, text, Font::mono_tiny, t.on_accent_fill);
  if (p.hovered(box)) {
    const bool on_entry = p.hovered(entry);
    const auto index = on_entry ? level.index : std::min(count - 1, static_cast<uint32_t>(std::max(0.0f, (p.input().mouse_y - inner.y) / inner.h * static_cast<float>(count))));
    const WordIndex word = level.table->first + index;
    const uint64_t value = view.cursor->load(word);
    p.tooltip({fmt::format("{} entry {}: {}", region_kind_name(level.table->kind), index, hex(value, 16)), describe_word(view, word, value),
               "covers from " + hex(level.table->address + index * level.table->stride), "Click: select this entry"});
    if (p.clicked(box)) intents.push_back({.kind = Intent::Kind::select_word, .word = word, .text = {}});
  }
  return entry;
}

float WalkPanel::draw_columns(Painter& p, const ViewContext& view, const Scene& scene, const Rect& area, Rect& last, Intents& intents) const {
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
  for (size_t i = 0; i + 1 < scene.path.size(); ++i) p.curve(boxes[i].right(), boxes[i].mid_y(), boxes[i + 1].x, boxes[i + 1].mid_y(), t.accent);
  last = boxes[scene.path.size() - 1];
  p.text_in({area.x, area.bottom() - 18, x - gap - area.x, 18}, "address " + hex(scene.address), Font::mono_small, t.text_faint);
  return x - gap - area.x;
}

/// The fields people ask for first; the Bits panel has them all.
int interest(Role role) {
  constexpr std::array order{Role::present, Role::write, Role::valid, Role::error, Role::huge, Role::order, Role::pfn, Role::table_address, Role::swap_type,
                             Role::swap_offset, Role::dma_mapped, Role::p2pdma, Role::dirty, Role::accessed, Role::user, Role::no_execute, Role::exclusive, Role::soft_dirty, Role::uffd_wp};
  const auto it = std::find(order.begin(), order.end(), role);
  return it == order.end() ? 1000 : static_cast<int>(it - order.begin());
}

float WalkPanel::draw_fields(Painter& p, const ViewContext& view, WordIndex word, uint64_t value, const Rect& area) const {
  const Theme& t = p.theme();
  auto fields = decode(layout_of(view, word, value), value);
  std::erase_if(fields, [](const DecodedField& f) { return interest(f.field->role) == 1000; });
  std::stable_sort(fields.begin(), fields.end(), [](const DecodedField& a, const DecodedField& b) { return interest(a.field->role) < interest(b.field->role); });
  constexpr float row = 18;
  const auto rows = std::min<size_t>(4, static_cast<size_t>(std::max(0.0f, area.h) / row));
  if (fields.size() > rows * 2) fields.resize(rows * 2);
  // Long numbers go to the right column, flags fill the rest in order.
  std::stable_partition(fields.begin(), fields.end(), [](const DecodedField& f) { return f.field->width == 1; });
  const size_t lines = (fields.size() + 1) / 2;
  const float column = area.w * 0.44f;
  for (size_t i = 0; i < fields.size(); ++i) {
    const bool right = i >= lines;
    const Rect cell{area.x + (right ? column + 8 : 0), area.y + row * static_cast<float>(right ? i - lines : i), right ? area.w - column - 8 : column - 4, row};
    const std::string text = fields[i].field->width == 1 ? std::to_string(fields[i].value) : hex(fields[i].value);
    const bool set = fields[i].value != 0;
    const float used = p.width(text, Font::mono_small);
    p.text_in({cell.x, cell.y, cell.w - used - 6, row}, fields[i].field->name, Font::mono_small, t.text_faint);
    p.text_in(cell, text, Font::mono_small, set ? t.field_text(fields[i].field->role) : t.text_muted, Align::right);
  }
  return row * static_cast<float>(lines);
}

std::string byte_size(uint64_t bytes) {
  constexpr std::string_view units[] = {"KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  for (bytes >>= 10; unit + 1 < std::size(units) && bytes >= 1024 && bytes % 1024 == 0; bytes >>= 10) ++unit;
  return fmt::format("{} {}", grouped(bytes), units[unit]);
}

/// Flags of a request, by name; the pfn field says nothing in a request.
std::string request_text(const ViewContext& view, uint64_t flags) {
  const Layout* layout = view.layout != nullptr ? view.layout : view.document->model.hmm_pfn;
  if (layout == nullptr || flags == 0) return hex(flags);
  if (flags == ~0ull) return "all";
  std::string text = describe(*layout, flags & ~layout->mask(Role::pfn));
  const size_t pfn = text.find(" pfn 0x0");
  if (pfn != std::string::npos) text.erase(pfn);
  return text;
}

/// The entry that decides about the slot, decoded, with what the step made of it.
Rect WalkPanel::draw_card(Painter& p, const ViewContext& view, const Scene& scene, const Rect& area) const {
  const Theme& t = p.theme();
  const bool table = !scene.path.empty();
  WordIndex word = table ? scene.path.back().word : scene.word;
  for (const PathLevel& level : scene.path) {
    if (level.word == scene.word) word = level.word;
  }
  const uint64_t value = view.cursor->load(word);
  const LastWrite write = last_write(view, word);
  const Region* region = region_of(view, word);
  const auto need = operand(view, "need"), cpu_flags = operand(view, "cpu_flags");
  const bool judged = need.has_value() || cpu_flags.has_value();
  const Layout& layout = layout_of(view, word, value);
  const float width = area.w - 24;
  float height = 36 + (judged ? 46.0f : 0.0f) + 20;
  const auto shown_fields = static_cast<size_t>(std::count_if(layout.fields.begin(), layout.fields.end(), [](const Field& f) { return interest(f.role) < 1000; }));
  const float field_rows = static_cast<float>(std::min<size_t>(4, (shown_fields + 1) / 2)) * 18;
  height = std::min(height + field_rows, area.h);
  const Rect card{area.x, area.y, area.w, height};
  p.fill(card, t.raised, measure::radius);
  p.outline(card, write.in_current_step ? t.changed : t.accent, measure::radius, write.in_current_step ? 2 : 1);
  float y = card.y + 8;
  const std::string kind = region == nullptr ? "" : std::string(region_kind_name(region->kind));
  std::string_view tag = write.step == no_step ? "" : evidence_name(write.evidence);
  if (write.evidence == Evidence::computed) tag = "";
  const float tag_width = tag.empty() ? 0 : p.width(tag, Font::small) + 8;
  p.text_in({card.x + 12, y, width - tag_width, 20}, kind + " " + hex(value, 16), Font::mono, t.text);
  p.text_in({card.x + 12, y, width, 20}, tag, Font::small, write.evidence == Evidence::observed ? t.good : t.warning, Align::right);
  y += 22;
  p.text_in({card.x + 12, y, width, 17}, value == 0 ? "empty entry" : describe_word(view, word, value), Font::small, t.text_muted);
  y += 20;
  const float room = card.bottom() - y - (judged ? 48 : 6);
  if (room >= 18) y += draw_fields(p, view, word, value, {card.x + 12, y, width, room});
  if (!judged || card.bottom() - y < 44) return card;
  y = card.bottom() - 44;
  p.horizontal(card.x + 12, card.right() - 12, y, t.border);
  const uint64_t required = need.value_or(0);
  p.text_in({card.x + 12, y + 4, width, 18}, "required_fault = " + operand_text("need", required), Font::mono_small, required == 0 ? t.good : t.warning);
  if (cpu_flags) {
    p.text_in({card.x + 12, y + 22, width, 18}, "cpu_flags = " + request_text(view, *cpu_flags), Font::mono_small, t.field_text(Role::order));
  }
  return card;
}

/// VMA, range, notifier and device entry, as far as the recording has them and there is room.
void WalkPanel::draw_facts(Painter& p, const ViewContext& view, const Scene& scene, Rect area) const {
  const Theme& t = p.theme();
  constexpr float row = 22;
  const auto line = [&](std::string_view name, const std::string& value, Color ink) {
    if (area.h < row) return;
    const Rect box = area.take_top(row);
    const Rect frame{box.x, box.y, box.w, row - 4};
    p.fill(frame, t.sunken, 3);
    p.outline(frame, t.border, 3);
    const float used = std::max(54.0f, p.width(name, Font::small) + 12);
    p.text_in({frame.x + 8, frame.y, used, frame.h}, name, Font::small, t.text_faint);
    p.text_in({frame.x + 8 + used, frame.y, frame.w - used - 14, frame.h}, value, Font::mono_small, ink);
  };
  for (const Region* vma : regions_.owned(RegionKind::vma, scene.owner)) {
    const auto start = named_word(view, *vma, "vm_start"), end = named_word(view, *vma, "vm_end");
    if (!start || !end || scene.address < *start || scene.address >= *end) continue;
    const uint64_t flags = named_word(view, *vma, "vm_flags").value_or(0);
    const auto letter = [&](uint64_t bit, char c) { return (flags & bit) != 0 ? c : '-'; };
    line("vma", fmt::format("{}{}{}{}  {}  {}", letter(vm::read, 'r'), letter(vm::write, 'w'), letter(vm::exec, 'x'), (flags & vm::shared) != 0 ? 's' : 'p', byte_size(*end - *start), vma->name), t.text);
    break;
  }
  std::optional<uint64_t> range_seq, sequence;
  const Region* current_range = nullptr;
  for (const Region* range : regions_.owned(RegionKind::range, scene.owner)) {
    const auto start = named_word(view, *range, "start"), end = named_word(view, *range, "end");
    if (start && end && scene.address >= *start && scene.address < *end) current_range = range;
  }
  if (current_range != nullptr) {
    range_seq = named_word(view, *current_range, "notifier_seq");
    const auto request = [&](const char* name) { return request_text(view, named_word(view, *current_range, name).value_or(0)); };
    line("request", fmt::format("default {}, mask {}", request("default_flags"), request("pfn_flags_mask")), t.text);
  }
  for (const Region* notifier : regions_.owned(RegionKind::notifier, scene.owner)) {
    const auto start = named_word(view, *notifier, "start"), last = named_word(view, *notifier, "last");
    if (start && last && scene.address >= *start && scene.address <= *last) sequence = named_word(view, *notifier, "invalidate_seq");
  }
  if (sequence) {
    std::string text = hex(*sequence);
    if (range_seq) text += *range_seq == *sequence ? " as read: valid" : fmt::format(", read {}: retry", hex(*range_seq));
    line("notifier", text, range_seq && *range_seq != *sequence ? t.warning : t.text);
  }
  for (const RegionKind kind : {RegionKind::device_table, RegionKind::mirror_table}) {
    for (const Region* device : regions_.covering(kind, scene.owner, scene.address)) {
      const WordIndex word = word_at(*device, scene.address);
      const uint64_t value = view.cursor->load(word);
      line(device->name.empty() ? region_kind_name(kind) : std::string_view(device->name),
           fmt::format("[{}] {}", word - device->first, value == 0 ? "empty" : describe_word(view, word, value)), value == 0 ? t.text_faint : t.text);
    }
  }
}

void WalkPanel::draw(const ViewContext& view, Intents& intents) {
  Painter p(view.theme);
  if (!has_recording(view)) {
    p.empty("Nothing is open", "Open a kernel trace (.trace, .dat, .xz), a scenario (.json) or a saved recording (.hmmrec): File \xE2\x86\x92 Open, or drop the file here.");
    return;
  }
  const Recording& recording = view.cursor->recording();
  regions_.update(&recording);
  const Theme& t = p.theme();
  const Rect all = p.area();
  p.fill(all, t.surface);
  const Scene scene = scene_of(view, regions_);
  if (scene.word == no_word) {
    p.empty("An empty recording", "It has no words and no steps.");
    return;
  }
  const Rect body{16, 8, all.w - 32, all.h - 14};
  const float gap = body.w >= 700 ? 28 : 18;
  const auto levels = static_cast<float>(scene.path.size());
  const float columns_wanted = scene.path.empty() ? 0 : std::min(body.w * (body.w >= 760 ? 0.44f : 0.37f), levels * 80 + (levels - 1) * 26);
  Rect last{};
  float x = body.x;
  if (!scene.path.empty()) x += draw_columns(p, view, scene, {body.x, body.y, columns_wanted, body.h}, last, intents) + gap;
  const float rest = body.right() - x;
  const bool show_grid = scene.array != nullptr && rest >= 300;
  const float card_width = show_grid ? std::clamp(rest * 0.52f, 180.0f, 330.0f) : rest;
  Rect card_area{x, body.y + 2, card_width, body.h - 2};
  if (scene.path.empty()) {
    p.text_in(card_area.take_top(heading), "No page tables are known here", Font::small, t.text_faint);
  }
  const Rect card = draw_card(p, view, scene, card_area);
  if (!scene.path.empty()) p.curve(last.right(), last.mid_y(), card.x, card.y + 18, t.accent);
  draw_facts(p, view, scene, {card.x, card.bottom() + 10, card.w, body.bottom() - card.bottom() - 10});
  if (!show_grid) return;
  const Rect grid_area{card.right() + gap, body.y, body.right() - card.right() - gap, body.h};
  grid_.update(view, *scene.array, {grid_area.x, grid_area.y + heading + 2, grid_area.w, grid_area.h - heading - 2});
  std::string title = fmt::format("hmm_pfns[] {} entries", grouped(scene.array->count));
  if (grid_.per_cell() > 1) title += fmt::format(", {} a cell", grouped(grid_.per_cell()));
  if (p.width(title, Font::strong) > grid_area.w) title = "hmm_pfns[] " + grouped(scene.array->count);
  p.text_in({grid_area.x, grid_area.y, grid_area.w, heading}, title, Font::strong, t.text_muted);
  grid_.draw(p, view, *scene.array, scene.slot, intents);
  const Rect cell = grid_.cell_of(*scene.array, scene.slot);
  p.curve(card.right(), card.y + 18, cell.x - 2, cell.mid_y(), t.accent);
}

Table WalkPanel::table(const ViewContext& view) const {
  Table table{{"what", "index", "value", "meaning"}, {}};
  if (!has_recording(view)) return table;
  RegionIndex regions;
  regions.update(&view.cursor->recording());
  const Scene scene = scene_of(view, regions);
  if (scene.word == no_word) return table;
  for (const PathLevel& level : scene.path) {
    table.rows.push_back({std::string(region_kind_name(level.table->kind)), std::to_string(level.index), hex(level.value, 16), describe_word(view, level.word, level.value)});
  }
  if (scene.array == nullptr) return table;
  constexpr uint32_t shown = 256;   // neighbours of the cursor; the table would be as long as the array otherwise
  const uint32_t slot = scene.slot - scene.array->first, first = slot < shown / 2 ? 0 : slot - shown / 2;
  for (uint32_t i = first; i < std::min(scene.array->count, first + shown); ++i) {
    const uint64_t value = view.cursor->load(scene.array->first + i);
    table.rows.push_back({"hmm_pfns", std::to_string(i), hex(value, 16), describe_word(view, scene.array->first + i, value)});
  }
  return table;
}

}  // namespace

std::unique_ptr<Panel> make_walk_panel() { return std::make_unique<WalkPanel>(); }

}  // namespace hmmscope::ui
