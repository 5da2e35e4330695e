/// Which bits changed: the word before and after its last write, its fields, collisions of the layout, and
/// what other layouts would read.

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "ui/canvas/painter.h"
#include "ui/panels/bit_rows.h"
#include "ui/panels/evidence.h"
#include "ui/panels/other_layouts.h"
#include "ui/panels/panels.h"
#include "ui/unseen.h"
#include "ui/words.h"

namespace hmmscope::ui {
namespace {

constexpr float cell_height = 24;
constexpr float compact_below = 260;  ///< panels lower than this leave out air

/// The two words on show and what they are called.
struct Shown {
  std::string first_name = "before", second_name = "after";
  uint64_t first = 0, second = 0;
  uint64_t marked = 0;  ///< bits that differ between the two
  Evidence evidence = Evidence::computed;
  std::string note;
  bool diverged = false;
  uint64_t unseen = 0;        ///< bits of the second word that nothing shows
  uint64_t first_unseen = 0;  ///< and of the first

  bool unknown() const { return unseen == ~0ull; }
  /// The word that other layouts read: the kernel's own where engine and kernel part.
  uint64_t word_to_read() const { return diverged ? first : second; }
  uint64_t unseen_to_read() const { return diverged ? first_unseen : unseen; }
};

/// A field's value for people: "?" when a bit of it is unseen.
std::string seen_value(const Field& field, uint64_t word, uint64_t unseen) {
  return (field.mask() & unseen) != 0 ? "?" : field_value(field, field.get(word));
}

class BitsPanel final : public Panel {
 public:
  std::string_view id() const override { return "bits"; }
  std::string_view title() const override { return "Bits"; }
  std::string subtitle(const ViewContext& view) const override;
  void draw(const ViewContext& view, Intents& intents) override;
  Table table(const ViewContext& view) const override;

 private:
  static Shown shown(const ViewContext& view, WordIndex word, const CheckIndex& checks);
  void draw_row(Painter& p, const ViewContext& view, const BitGrid& grid, const Layout& layout,
                const Shown& shown, bool second, float y) const;
  float draw_brackets(Painter& p, const BitGrid& grid, const Layout& layout, const Shown& shown, float y,
                      float& labels_end) const;
  float draw_notes(Painter& p, const BitGrid& grid, const Layout& layout, const Shown& shown, float y) const;
  void draw_note_beside(Painter& p, const Layout& layout, const Shown& shown, float x, float y) const;
  void draw_others(Painter& p, const Layout& layout, const Shown& shown, const Rect& area, Intents& intents);
  void bit_tooltip(Painter& p, const Layout& layout, int bit, std::optional<uint64_t> value,
                   bool editable) const;

  CheckIndex checks_;
  float scroll_ = 0;
};

/// Field that names a bit: a flag before a wider field that shares the bit.
const Field* field_of(const Layout& layout, int bit) {
  const Field* found = nullptr;
  for (const Field& field : layout.fields) {
    if ((field.mask() >> bit & 1) != 0 && (found == nullptr || field.width < found->width)) found = &field;
  }
  return found;
}

uint64_t overlap_mask(const Layout& layout) {
  uint64_t mask = 0;
  for (const Overlap& overlap : overlaps(layout)) mask |= overlap.mask;
  return mask;
}

std::string differing_fields(const Layout& layout, uint64_t a, uint64_t b, uint64_t known) {
  std::string text;
  for (const Field& field : layout.fields) {
    if (((a ^ b) & known & field.mask()) == 0) continue;
    text += fmt::format("{}{} {} \xE2\x89\xA0 {}", text.empty() ? "" : ", ", field.name,
                        field_value(field, field.get(a)), field_value(field, field.get(b)));
  }
  return text;
}

std::string BitsPanel::subtitle(const ViewContext& view) const {
  const WordIndex word = focused_word(view);
  if (word == no_word) return "";
  const StepIndex at = view.cursor->position();
  std::string text = view.cursor->recording().word_name(word);
  if (at > 0) text += fmt::format("  step {} \xE2\x86\x92 {}", grouped(at - 1), grouped(at));
  return text;
}

Shown BitsPanel::shown(const ViewContext& view, WordIndex word, const CheckIndex& checks) {
  Shown shown;
  const LastWrite write = last_write(view, word);
  Evidence first_evidence = write.before_evidence;
  shown.first = write.before;
  shown.second = write.after;
  shown.evidence = write.evidence;
  if (write.step == no_step)
    shown.note = "not written yet";
  else if (!write.in_current_step)
    shown.note = "last written at step " + grouped(write.step + 1);
  if (watched_bits(view, word) == ~0ull) shown.note += shown.note.empty() ? "breakpoint" : ", breakpoint";
  if (write.evidence == Evidence::inferred)
    shown.note += shown.note.empty() ? "inferred, not seen in the trace" : ", inferred";
  if (view.compared) {
    const WordAt then = word_at(view, word, *view.compared);
    shown.first_name = "step " + grouped(*view.compared);
    shown.second_name = "now, step " + grouped(view.cursor->position());
    shown.first = then.value;
    first_evidence = then.evidence;
    if (then.value == write.after && then.evidence != Evidence::unknown && write.evidence != Evidence::unknown)
      shown.note += shown.note.empty() ? "the same" : ", the same";
  }
  const StepIndex step = view.cursor->current_step();
  const CallCheck* check = step == no_step ? nullptr : checks.at(step);
  if (check != nullptr && check->verdict == Verdict::diverged && check->word == word) {
    shown.first_name = "kernel";
    shown.second_name = "engine";
    shown.first = check->kernel;
    shown.second = check->engine;
    shown.evidence = Evidence::computed;
    first_evidence = Evidence::observed;
    shown.note = "differ: " + differing_fields(layout_of(view, word, check->kernel), check->kernel,
                                               check->engine, check->known);
    shown.diverged = true;
  }
  shown.unseen = unseen_bits(view, word, shown.second, shown.evidence);
  shown.first_unseen = unseen_bits(view, word, shown.first, first_evidence);
  shown.marked = (shown.first ^ shown.second) & (shown.diverged ? check->known : ~(shown.unseen | shown.first_unseen));
  return shown;
}

void BitsPanel::bit_tooltip(Painter& p, const Layout& layout, int bit, std::optional<uint64_t> value,
                            bool editable) const {
  std::vector<std::string> lines;
  for (const Field& field : layout.fields) {
    if ((field.mask() >> bit & 1) == 0) continue;
    std::string name = fmt::format("bit {}: {}", bit, field.name);
    if (field.width > 1) name += fmt::format("[{}]", bit - field.shift);
    if (*field.symbol != '\0') name += fmt::format(" ({})", field.symbol);
    lines.push_back(std::move(name));
    lines.emplace_back(field.meaning);
    lines.push_back(fmt::format("value {}{}{}", value ? field_value(field, field.get(*value)) : "unknown",
                                field.sticky ? ", survives a call" : "",
                                field.input ? ", a request on input" : ""));
  }
  if (lines.empty()) lines.push_back(fmt::format("bit {}: no field", bit));
  lines.push_back(fmt::format("{}, kernels {}", layout.title, layout.versions));
  lines.emplace_back(editable ? "Click: its history. Space: toggle it and run on from here" : "Click: its history");
  lines.emplace_back("Shift and the arrows left and right: the next bit");
  p.tooltip(std::move(lines));
}

void BitsPanel::draw_row(Painter& p, const ViewContext& view, const BitGrid& grid, const Layout& layout,
                         const Shown& shown, bool second, float y) const {
  const Theme& t = p.theme();
  const uint64_t value = second ? shown.second : shown.first;
  const uint64_t clash = overlap_mask(layout);
  const uint64_t watched = watched_bits(view, focused_word(view));
  const bool roomy = grid.pitch >= 9;
  for (int bit = 0; bit < grid.bits; ++bit) {
    const Rect cell = grid.cell(bit, y, cell_height);
    const Field* field = field_of(layout, bit);
    const bool set = (value >> bit & 1) != 0;
    const bool named = field != nullptr && field->role != Role::pfn && field->role != Role::none;
    const bool marked = (shown.marked >> bit & 1) != 0;
    const Color color = named ? t.field(field->role) : mix(t.surface, t.text_faint, 150);
    const bool nobody_knows = ((second ? shown.unseen : shown.first_unseen) >> bit & 1) != 0;
    const Evidence evidence = nobody_knows                 ? Evidence::unknown
                              : second && !shown.diverged ? shown.evidence
                                                          : Evidence::computed;
    if (set && evidence != Evidence::unknown)
      evidence_box(p, cell, color, evidence, 2);
    else
      p.fill(cell, t.sunken, 2);
    const bool collides = set && (clash >> bit & 1) != 0;
    if (collides)
      p.outline({cell.x - 1, cell.y - 1, cell.w + 2, cell.h + 2}, t.bad, 3, 2);
    else if (marked && (second || shown.diverged))
      p.outline({cell.x - 1, cell.y - 1, cell.w + 2, cell.h + 2}, shown.diverged ? t.bad : t.changed, 3, 2);
    else if (!set)
      p.outline(cell, named ? mix(t.surface, color, 130) : t.border, 2);
    if (view.selection.bit == bit) {
      p.fill({cell.x - 1, cell.bottom() + 1, cell.w + 2, 3}, t.accent, 1);
    }
    if (second && watched != ~0ull && (watched >> bit & 1) != 0)
      p.disc(cell.mid_x(), cell.y - 3.5f, 2, t.text);
    if (!roomy) continue;
    const Color ink = evidence == Evidence::unknown    ? t.text_faint
                      : !set                           ? t.text_faint
                      : evidence == Evidence::inferred ? t.text
                                                       : t.on_field;
    p.text_in(cell,
              evidence == Evidence::unknown ? "?"
              : set                         ? "1"
                                            : "0",
              Font::mono_tiny, ink, Align::center);
  }
}

/// Height used; `labels_end` is the right end of the second lane's labels, 0 when there is no second lane.
float BitsPanel::draw_brackets(Painter& p, const BitGrid& grid, const Layout& layout, const Shown& shown, float y,
                               float& labels_end) const {
  const Theme& t = p.theme();
  const auto brackets = place_brackets(p, grid, layout, shown.second, shown.unseen);
  const uint64_t seen = shown.second & ~shown.unseen;
  labels_end = 0;
  for (const Bracket& b : brackets) {
    const float top = y + (b.lane == 0 ? 0 : 20);
    if (b.lane == 1) labels_end = std::max({labels_end, b.x1, b.label_x + b.label_width});
    const Color ink = t.field_text(b.field->role);
    p.horizontal(b.x0, b.x1, top + 4, ink);
    p.vertical(b.x0, top, top + 4, ink);
    p.vertical(b.x1 - p.hairline(), top, top + 4, ink);
    p.text(b.label_x, top + 6, b.label, Font::mono_tiny,
           (b.field->mask() & shown.unseen) == 0 && b.field->get(seen) != 0 ? ink : mix(t.surface, ink, 225));
  }
  return labels_end > 0 ? 42.0f : 22.0f;
}

/// In a low panel: the collisions on the line of the second lane's labels, where there is room.
void BitsPanel::draw_note_beside(Painter& p, const Layout& layout, const Shown& shown, float x, float y) const {
  const Theme& t = p.theme();
  std::string text;
  bool live = false;
  for (const Overlap& overlap : overlaps(layout)) {
    live |= (shown.second & ~shown.unseen & overlap.mask) != 0;
    text += (text.empty() ? "" : "; ") + overlap_text(overlap);
  }
  if (!live) text += " (clear here)";
  const Color ink = live ? t.bad : t.text_muted;
  p.fill({x, y + 8, 10, 4}, ink, 2);
  p.text_in({x + 16, y + 2, p.area().w - x - 32, 16}, text, live ? Font::strong : Font::small, ink);
}

float BitsPanel::draw_notes(Painter& p, const BitGrid& grid, const Layout& layout, const Shown& shown,
                            float y) const {
  const Theme& t = p.theme();
  float used = 0;
  for (const Overlap& overlap : overlaps(layout)) {
    const int low = std::countr_zero(overlap.mask), high = 63 - std::countl_zero(overlap.mask);
    if (high >= grid.bits) continue;
    const bool live = (shown.word_to_read() & ~shown.unseen_to_read() & overlap.mask) != 0;
    const Color ink = live ? t.bad : t.text_muted;
    p.fill({grid.left(high), y + used + 6, grid.right(low) - grid.left(high), 4}, ink, 2);
    const std::string text = overlap_text(overlap) + (live ? "" : " (clear here)");
    p.text_in({grid.right(low) + 8, y + used, p.area().w - grid.right(low) - 24, 16}, text,
              live ? Font::strong : Font::small, ink);
    used += 17;
  }
  if (shown.diverged) {
    p.text_in({16, y + used, p.area().w - 32, 16}, shown.note, Font::strong, t.bad);
    used += 17;
  }
  return used;
}

void BitsPanel::draw_others(Painter& p, const Layout& layout, const Shown& shown, const Rect& area, Intents& intents) {
  const Theme& t = p.theme();
  constexpr float row = 20;
  const bool titled = area.h >= 25 + 2 * row;
  const float head = titled ? 25 : 3;
  if (area.h < head + row) return;
  auto readings = other_readings(layout, shown.word_to_read(), shown.unseen_to_read());
  // Where there is room for few, not for the one that is drawn above already.
  if (!titled) std::erase_if(readings, [](const OtherReading& reading) { return reading.in_force; });
  if (readings.empty()) return;
  p.horizontal(area.x, area.right(), area.y, t.border);
  if (titled)
    p.text_in({area.x, area.y + 6, area.w, 18},
              shown.diverged ? "The kernel's word, other layouts" : "Same word, other layouts", Font::strong, t.text_muted);
  const Rect list{area.x, area.y + head, area.w, area.h - head};
  const float total = row * static_cast<float>(readings.size()),
              most = std::max(0.0f, total - std::floor(list.h / row) * row);
  if (p.hovered(list)) scroll_ -= p.input().wheel_y * row;
  scroll_ = std::clamp(std::round(scroll_ / row) * row, 0.0f, most);
  const float name_width = std::clamp(area.w * 0.2f, 90.0f, 170.0f),
              remark_width = std::min(230.0f, area.w * 0.34f);
  const auto visible = static_cast<size_t>(list.h / row), first = static_cast<size_t>(scroll_ / row);
  for (size_t i = first; i < std::min(readings.size(), first + visible); ++i) {
    const OtherReading& reading = readings[i];
    const Rect line{list.x, list.y + row * static_cast<float>(i - first), list.w, row};
    const bool hot = p.hovered(line);
    if (hot) p.fill({line.x - 6, line.y, line.w + 12, line.h}, t.raised, measure::radius_small);
    Color ink = t.good;
    if (reading.kind == Misreading::note) ink = t.text_muted;
    if (reading.kind == Misreading::wrong) ink = t.warning;
    if (reading.kind == Misreading::phantom) ink = t.bad;
    p.text_in({line.x, line.y, name_width - 8, row}, reading.layout->id, Font::mono_small,
              reading.in_force ? t.accent : t.text);
    p.text_in({line.x + name_width, line.y, line.w - name_width - remark_width - 12, row}, reading.fields,
              Font::mono_small, t.text_muted);
    p.text_in({line.right() - remark_width, line.y, remark_width - 8, row}, reading.remark, Font::small, ink,
              Align::right);
    if (hot) {
      p.tooltip({std::string(reading.layout->id) + ": " + reading.layout->title, reading.fields,
                 reading.remark, "Click: read every word with this layout"});
      if (p.clicked(line)) intents.push_back({.kind = Intent::Kind::set_layout, .text = reading.layout->id});
    }
  }
  if (most > 0) {
    const float thumb = std::max(16.0f, list.h * list.h / total);
    p.fill({area.right() - 3, list.y + (list.h - thumb) * scroll_ / most, 3, thumb}, t.border_strong, 1);
  }
}

void BitsPanel::draw(const ViewContext& view, Intents& intents) {
  Painter p(view.theme);
  const WordIndex word = focused_word(view);
  if (word == no_word) {
    p.empty("No word to show", "Open a recording: the bits of the word that a step writes stand here.");
    return;
  }
  checks_.update(&view.cursor->recording());
  const Theme& t = p.theme();
  const Rect all = p.area();
  p.fill(all, t.surface);
  const Shown shown = this->shown(view, word, checks_);
  const Layout& layout = layout_of(view, word, shown.second);
  const Layout& first_layout = layout_of(view, word, shown.first);
  const BitGrid grid = BitGrid::fit(16, all.w - 32, layout.word_bits == 32 ? 32 : 64);
  const bool compact = all.h < compact_below;
  const float label_height = compact ? 18 : 20;
  float y = compact ? 3 : 8;
  const auto heading = [&](const std::string& name, uint64_t value, const std::string& note, uint64_t unseen) {
    const Rect row{16, y, all.w - 32, label_height};
    const bool unknown = unseen == ~0ull;
    const float number = p.text_in(row, hex_seen(value, unseen), Font::mono,
                                   unknown ? t.warning : t.text, Align::right);
    float x = 16 + p.text_in(row, name, Font::strong, t.text) + 12;
    const std::string meaning =
        unknown ? "no probe of the trace shows this word" : describe_word(view, word, value, unseen);
    const std::string text = meaning + (note.empty() ? "" : "   \xC2\xB7 " + note);
    x += p.text_in({x, y, row.right() - number - 12 - x, label_height}, text, Font::mono_small, t.text_muted);
    y += label_height;
  };
  heading(shown.first_name, shown.first, "", shown.first_unseen);
  const float first_y = y + 2;
  draw_row(p, view, grid, first_layout, shown, false, first_y);
  y += cell_height + (compact ? 3 : 8);
  heading(shown.second_name, shown.second, shown.diverged ? "" : shown.note, shown.unseen);
  const float second_y = y + 2;
  draw_row(p, view, grid, layout, shown, true, second_y);
  y += cell_height + 5;
  float labels_end = 0;
  const float brackets = draw_brackets(p, grid, layout, shown, y, labels_end);
  if (compact && labels_end > 0 && !shown.diverged) {
    draw_note_beside(p, layout, shown, labels_end + 14, y + 20);
    y += brackets + 2;
  } else {
    y += brackets;
    y += draw_notes(p, grid, layout, shown, y) + (compact ? 2 : 6);
  }
  const Layout& read = shown.diverged ? first_layout : layout;
  if (!shown.unknown()) draw_others(p, read, shown, {16, y, all.w - 32, all.h - y - 4}, intents);

  for (const float row_y : {first_y, second_y}) {
    const Rect row{16, row_y - 3, all.w - 32, cell_height + 6};
    if (!p.hovered(row)) continue;
    const int bit = grid.bit_at(p.input().mouse_x);
    if (bit < 0) continue;
    const bool first = row_y == first_y, unseen = ((first ? shown.first_unseen : shown.unseen) >> bit & 1) != 0;
    bit_tooltip(p, first ? first_layout : layout, bit,
                unseen ? std::nullopt : std::optional(first ? shown.first : shown.second), view.editable);
    if (p.clicked(row))
      intents.push_back({.kind = Intent::Kind::select_bit, .word = word, .bit = bit, .text = {}});
  }
  const int bit = view.selection.bit;
  const auto walk = [&](int to) {
    intents.push_back({.kind = Intent::Kind::select_bit,
                       .word = word,
                       .bit = std::clamp(to, 0, grid.bits - 1),
                       .text = {}});
  };
  if (p.key(Key::left)) walk(bit < 0 ? grid.bits - 1 : bit + 1);
  if (p.key(Key::right)) walk(bit < 0 ? 0 : bit - 1);
  if (p.key(Key::home)) walk(grid.bits - 1);
  if (p.key(Key::end)) walk(0);
  if (p.key(Key::space) && bit >= 0 && bit < grid.bits)
    intents.push_back({.kind = Intent::Kind::toggle_bits, .word = word, .mask = 1ull << bit, .text = {}});
}

Table BitsPanel::table(const ViewContext& view) const {
  Table table{{"field", "bits", "before", "after", "evidence", "meaning"}, {}};
  const WordIndex word = focused_word(view);
  if (word == no_word) return table;
  CheckIndex checks;
  checks.update(&view.cursor->recording());
  const Shown shown = BitsPanel::shown(view, word, checks);
  table.header[2] = shown.first_name;
  table.header[3] = shown.second_name;
  const std::string name = view.cursor->recording().word_name(word), first = hex_seen(shown.first, shown.first_unseen),
                    known(evidence_name(shown.evidence));
  if (shown.unknown()) {
    table.rows.push_back({name, "63-0", first, "unknown", known, "no probe of the trace shows this word"});
    return table;
  }
  const Layout& layout = layout_of(view, word, shown.second);
  table.rows.push_back({name, "63-0", first, hex_seen(shown.second, shown.unseen),
                        known, describe_word(view, word, shown.second, shown.unseen)});
  for (const Field& field : layout.fields) {
    const std::string bits = field.width == 1
                                 ? std::to_string(field.shift)
                                 : fmt::format("{}-{}", field.shift + field.width - 1, field.shift);
    const bool unseen = (field.mask() & shown.unseen) != 0;
    table.rows.push_back({field.name, bits, seen_value(field, shown.first, shown.first_unseen),
                          seen_value(field, shown.second, shown.unseen),
                          unseen ? std::string(evidence_name(Evidence::unknown)) : known, field.meaning});
  }
  const Layout& read = layout_of(view, word, shown.word_to_read());
  for (const OtherReading& reading : other_readings(read, shown.word_to_read(), shown.unseen_to_read())) {
    table.rows.push_back({reading.layout->id, "63-0", shown.diverged ? reading.fields : "",
                          shown.diverged ? "" : reading.fields, "", reading.remark});
  }
  return table;
}

}  // namespace

std::unique_ptr<Panel> make_bits_panel() { return std::make_unique<BitsPanel>(); }

}  // namespace hmmscope::ui
