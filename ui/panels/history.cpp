/// Who wrote this: every change of the selected bit or word, with the rule that made it.

#include <fmt/format.h>

#include <algorithm>

#include "engine/rules/rule.h"
#include "ui/canvas/painter.h"
#include "ui/panels/change_pages.h"
#include "ui/panels/panels.h"
#include "ui/unseen.h"
#include "ui/words.h"

namespace hmmscope::ui {
namespace {

constexpr float row_height = 42;
constexpr float radius = 9;
constexpr float low_history = 220;

class HistoryPanel final : public Panel {
 public:
  std::string_view id() const override { return "history"; }
  std::string_view title() const override { return "History"; }
  std::string subtitle(const ViewContext& view) const override;
  void draw(const ViewContext& view, Intents& intents) override;
  Table table(const ViewContext& view) const override;

 private:
  /// Row 0 is the initial value, row k the k-th change.
  size_t rows() const { return changes_.count() + 1; }
  StepIndex position_of(size_t row) { return row == 0 ? 0 : changes_.at(row - 1).step + 1; }
  void draw_list(Painter& p, const ViewContext& view, const Rect& list, size_t current, Intents& intents);
  void draw_row(Painter& p, const ViewContext& view, size_t row, const Rect& box, bool current, bool future);
  void draw_buttons(Painter& p, const ViewContext& view, const Rect& area, size_t current, Intents& intents) const;
  uint64_t initial(const Recording& recording);

  WordIndex word_ = no_word;
  uint64_t mask_ = 0;
  ChangePages changes_;
  size_t shown_row_ = ~size_t{0};
  float shown_height_ = 0;
  double scroll_ = 0;  ///< in pixels; millions of rows are more than a float counts
};

uint64_t mask_of(const Selection& selection) {
  return selection.bit >= 0 && selection.bit < 64 ? 1ull << selection.bit : ~0ull;
}

std::string what(const ViewContext& view, WordIndex word) {
  const std::string name = view.cursor->recording().word_name(word);
  return view.selection.bit >= 0 ? fmt::format("bit {} of {}", view.selection.bit, name) : name;
}

/// The word, or the bits of the mask in it, as text: "?" for what nobody knows.
std::string value_text(uint64_t value, uint64_t mask, uint64_t unseen, bool one_bit) {
  if ((unseen & mask) == mask) return "?";
  if (one_bit) return (value & mask) != 0 ? "1" : "0";
  return unseen != 0 ? hex_seen(value, unseen) : hex(value);
}

/// Bits of a word that nobody knew before a step.
uint64_t unseen_before(const ViewContext& view, WordIndex word, const Change& change) {
  return unseen_bits(view, word, change.before, word_at(view, word, change.step).evidence);
}

std::string HistoryPanel::subtitle(const ViewContext& view) const {
  const WordIndex word = focused_word(view);
  return word == no_word ? "" : what(view, word);
}

uint64_t HistoryPanel::initial(const Recording& recording) {
  if (changes_.count() > 0) return changes_.at(0).before;
  return word_ < recording.initial().size() ? recording.initial()[word_] : 0;
}

void HistoryPanel::draw(const ViewContext& view, Intents& intents) {
  Painter p(view.theme);
  const WordIndex word = focused_word(view);
  if (word == no_word) {
    p.empty("No history yet", "Open a recording and click a bit: every step that wrote it is listed here.");
    return;
  }
  word_ = word;
  mask_ = mask_of(view.selection);
  if (changes_.show(view.document->history.get(), word, mask_))
    shown_row_ = ~size_t{0};
  else
    changes_.advance();
  if (!changes_.complete()) p.request_frame();
  const Theme& t = p.theme();
  const Rect all = p.area();
  p.fill(all, t.surface);
  // A low panel leaves out what its title says already.
  const bool low = all.h < low_history;
  float y = low ? 4 : 8;
  if (!low) {
    p.text_in({16, y, all.w - 32, 20}, what(view, word), Font::mono, t.text);
    y += 19;
  }
  const size_t found = changes_.count();
  std::string count = grouped(found) + (changes_.complete() ? "" : "+") + (found == 1 ? " change" : " changes");
  if (found == 0 && changes_.complete()) {
    const bool told = word_at(view, word, view.cursor->recording().steps()).evidence != Evidence::unknown;
    count = told ? "never changed in this recording" : "not shown by the trace";
  }
  p.text_in({16, y, all.w - 32, 16}, count, Font::small, t.text_faint);
  y += low ? 18 : 23;
  const bool buttons = all.h >= 130;
  const float foot = !buttons ? 4 : low ? 40 : 52;
  const size_t current = changes_.before(view.cursor->position());
  draw_list(p, view, {0, y, all.w, std::max(0.0f, all.h - y - foot)}, current, intents);
  if (buttons)
    draw_buttons(p, view, {16, all.h - foot + 8, all.w - 32, low ? 28.0f : 32.0f}, current, intents);
}

void HistoryPanel::draw_list(Painter& p, const ViewContext& view, const Rect& list, size_t current,
                             Intents& intents) {
  const auto seek_row = [&](size_t row) {
    intents.push_back({.kind = Intent::Kind::seek, .position = position_of(row), .text = {}});
  };
  const double total = double{row_height} * static_cast<double>(rows());
  if (current != shown_row_ || list.h != shown_height_) {
    shown_row_ = current;
    shown_height_ = list.h;
    scroll_ = double{row_height} * static_cast<double>(current) -
              std::max(0.0, static_cast<double>(list.h - row_height) / 2);
  }
  if (p.hovered(list)) scroll_ -= static_cast<double>(p.input().wheel_y * row_height);
  scroll_ = std::clamp(scroll_, 0.0, std::max(0.0, total - static_cast<double>(list.h)));
  p.push_clip(list);
  const auto first = static_cast<size_t>(scroll_ / double{row_height});
  const size_t last = std::min(rows(), first + static_cast<size_t>(list.h / row_height) + 2);
  for (size_t row = first; row < last; ++row) {
    const auto top = static_cast<float>(double{row_height} * static_cast<double>(row) - scroll_);
    const Rect box{8, list.y + top, list.w - 16, row_height};
    draw_row(p, view, row, box, row == current, row > current);
    if (p.clicked(box) && p.hovered(list)) seek_row(row);
  }
  p.pop_clip();
  if (total > static_cast<double>(list.h)) {
    const auto share = static_cast<float>(static_cast<double>(list.h) / total);
    const float thumb = std::max(24.0f, list.h * share);
    const auto along = static_cast<float>(scroll_ / (total - static_cast<double>(list.h)));
    p.fill({list.w - 6, list.y + (list.h - thumb) * along, 4, thumb}, p.theme().border_strong, 2);
  }
  if (p.key(Key::up) && current > 0) seek_row(current - 1);
  if (p.key(Key::down) && current + 1 < rows()) seek_row(current + 1);
  if (p.key(Key::home)) seek_row(0);
  if (p.key(Key::end)) seek_row(rows() - 1);
}

void HistoryPanel::draw_row(Painter& p, const ViewContext& view, size_t row, const Rect& box, bool current,
                            bool future) {
  const Theme& t = p.theme();
  const Recording& recording = view.cursor->recording();
  const bool hot = p.hovered(box);
  if (current)
    p.fill({box.x, box.y + 1, box.w, box.h - 2}, t.accent_fill, measure::radius);
  else if (hot)
    p.fill({box.x, box.y + 1, box.w, box.h - 2}, t.raised, measure::radius);
  const float x = box.x + 22, y = box.mid_y();
  if (row > 0) p.vertical(x - 0.5f, box.y, y - radius - 2, t.border_strong);
  if (row + 1 < rows()) p.vertical(x - 0.5f, y + radius + 2, box.bottom(), t.border_strong);

  const bool one_bit = view.selection.bit >= 0;
  const uint64_t start = row == 0 ? initial(recording) : 0;
  const Change* change = row == 0 ? nullptr : &changes_.at(row - 1);
  const uint64_t value = change == nullptr ? start : change->after;
  const uint64_t before = change == nullptr ? value : change->before;
  const Evidence evidence = change == nullptr ? word_at(view, word_, 0).evidence : change->evidence;
  const uint64_t unseen = unseen_bits(view, word_, value, evidence);
  const bool set = (value & mask_) != 0;
  const Color ink = current ? t.accent : future ? t.text_faint : t.text_muted;
  // Known is a full circle, inferred a ring with a dot, unknown a ring.
  if (evidence == Evidence::inferred)
    p.disc(x, y, 3, ink);
  else if (one_bit && (unseen & mask_) == 0 && set)
    p.disc(x, y, radius, mix(t.surface, ink, 70));
  p.ring(x, y, radius, ink, current ? 2 : 1.25f);
  if (one_bit && evidence != Evidence::inferred) {
    p.text_in({x - radius, y - radius, 2 * radius, 2 * radius},
              value_text(value, mask_, unseen, true), Font::mono_small,
              current  ? t.on_accent_fill
              : future ? t.text_muted
                       : t.text,
              Align::center);
  } else if (!one_bit && evidence != Evidence::inferred && evidence != Evidence::unknown) {
    p.disc(x, y, 3.5f, ink);
  }

  const Rect text{box.x + 42, box.y + 4, box.w - 52, 17};
  const Color heading = current ? t.on_accent_fill : future ? t.text_muted : t.text;
  const Color detail = current ? t.on_accent_fill : t.text_faint;
  const std::string name = change == nullptr ? "start" : "step " + grouped(change->step + 1);
  const float used = p.text_in(text, name, Font::mono_small, heading);
  const std::string after = value_text(value, mask_, unseen, one_bit);
  const uint64_t unseen_then = change == nullptr ? unseen : unseen_before(view, word_, *change);
  const std::string earlier = value_text(before, mask_, unseen_then, one_bit);
  std::string values = earlier + " \xE2\x86\x92 " + after;
  if (change == nullptr) values = after;
  const float room = text.w - used - 8;
  if (!one_bit && p.width(values, Font::mono_small) > room) values = "\xE2\x86\x92 " + after;
  const Font font = p.width(values, Font::mono_small) > room ? Font::mono_tiny : Font::mono_small;
  p.text_in({text.x + used + 8, text.y, room, text.h}, values, font, detail, Align::right);
  const std::string_view reason =
      change == nullptr ? "state before the first step" : rule(recording.rule_of(change->step)).statement;
  p.text_in({text.x, text.y + 17, text.w, 17}, reason, Font::small, detail);
  if (!hot) return;
  std::vector<std::string> lines{change == nullptr ? "Before the first step"
                                                   : "Step " + grouped(change->step + 1) + ": " +
                                                         std::string(recording.rule_name(change->step))};
  lines.emplace_back(reason);
  if (!one_bit && change != nullptr) lines.push_back(hex_seen(before, unseen_then) + " \xE2\x86\x92 " + hex_seen(value, unseen));
  if (change != nullptr) lines.push_back("evidence: " + std::string(evidence_name(evidence)));
  lines.emplace_back("Click: go there");
  p.tooltip(std::move(lines));
}

void HistoryPanel::draw_buttons(Painter& p, const ViewContext& view, const Rect& area, size_t current,
                                Intents& intents) const {
  struct Button {
    std::string_view label, shorter, brief;  ///< the longest that fits is shown
    bool enabled, on;
    Intent intent;
  };
  const bool watched = std::find(view.breakpoints.begin(), view.breakpoints.end(), Breakpoint{word_, mask_}) !=
                       view.breakpoints.end();
  const bool compared = view.compared.has_value();
  const StepIndex here = view.cursor->position();
  std::vector<Button> buttons;
  buttons.push_back({"\xE2\x86\x90 run back to cause", "\xE2\x86\x90 to its cause", "\xE2\x86\x90 cause",
                     current > 0,
                     false,
                     {.kind = Intent::Kind::run_back_to_change, .word = word_, .mask = mask_, .text = {}}});
  buttons.push_back({watched ? "do not break here" : "break when it changes",
                     watched ? "do not break" : "break on change",
                     watched ? "no break" : "break",
                     true,
                     watched,
                     {.kind = Intent::Kind::toggle_break, .word = word_, .mask = mask_, .text = {}}});
  buttons.push_back({compared ? "end the comparison" : "compare with this moment",
                     compared ? "end compare" : "compare with now",
                     compared ? "end" : "compare",
                     true,
                     compared,
                     {.kind = Intent::Kind::compare, .position = view.compared.value_or(here), .text = {}}});
  if (view.editable)
    buttons.push_back({view.selection.bit >= 0 ? "toggle the bit here" : "toggle: choose a bit",
                       "toggle the bit",
                       "toggle",
                       view.selection.bit >= 0,
                       false,
                       {.kind = Intent::Kind::toggle_bits, .word = word_, .mask = mask_, .text = {}}});
  const auto count = static_cast<float>(buttons.size());
  const float w = (area.w - 8 * (count - 1)) / count;
  float x = area.x;
  for (Button& button : buttons) {
    std::string_view label = button.label;
    for (const std::string_view less : {button.shorter, button.brief}) {
      if (p.width(label, Font::text) + 16 > w) label = less;
    }
    if (p.button({x, area.y, w, area.h}, label, button.enabled, button.on))
      intents.push_back(std::move(button.intent));
    x += w + 8;
  }
}

Table HistoryPanel::table(const ViewContext& view) const {
  Table table{{"step", "rule", "statement", "before", "after", "evidence"}, {}};
  const WordIndex word = focused_word(view);
  if (word == no_word || view.document->history == nullptr) return table;
  constexpr size_t limit = 10000;  // a screen reader's table, not an export
  const Recording& recording = view.cursor->recording();
  const uint64_t mask = mask_of(view.selection);
  const uint32_t telling = telling_write(*view.document->history, word);
  auto writes = view.document->history->writes(word);
  for (auto write = writes.next(); write && table.rows.size() < limit; write = writes.next()) {
    if (write->number != telling && ((write->before ^ write->after) & mask) == 0) continue;
    const Change change{recording.step_of_write(write->number), write->before, write->after, write->evidence};
    table.rows.push_back({std::to_string(change.step + 1), std::string(recording.rule_name(change.step)),
                          std::string(rule(recording.rule_of(change.step)).statement), hex_seen(change.before, unseen_before(view, word, change)),
                          hex_seen(change.after, unseen_bits(view, word, change.after, change.evidence)),
                          std::string(evidence_name(change.evidence))});
  }
  return table;
}

}  // namespace

std::unique_ptr<Panel> make_history_panel() { return std::make_unique<HistoryPanel>(); }

}  // namespace hmmscope::ui
