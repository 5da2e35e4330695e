/// Who wrote this: every change of the selected bit or word, with the rule that made it.

#include <fmt/format.h>

#include <algorithm>

#include "engine/rules/rule.h"
#include "ui/canvas/painter.h"
#include "ui/panels/panels.h"
#include "ui/words.h"

namespace hmmscope::ui {
namespace {

constexpr float row_height = 42;
constexpr float radius = 9;

class HistoryPanel final : public Panel {
 public:
  std::string_view id() const override { return "history"; }
  std::string_view title() const override { return "History"; }
  std::string subtitle(const ViewContext& view) const override;
  void draw(const ViewContext& view, Intents& intents) override;
  Table table(const ViewContext& view) const override;

 private:
  void update(const ViewContext& view, WordIndex word, uint64_t mask);
  /// Row 0 is the initial value, row k the k-th change.
  size_t rows() const { return changes_.size() + 1; }
  size_t current_row(StepIndex position) const;
  void draw_row(Painter& p, const ViewContext& view, size_t row, const Rect& box, bool current,
                bool future) const;
  void draw_buttons(Painter& p, const Rect& area, WordIndex word, uint64_t mask, size_t current,
                    Intents& intents) const;
  uint64_t initial(const Recording& recording) const;

  const History* history_ = nullptr;
  WordIndex word_ = no_word;
  uint64_t mask_ = 0;
  std::vector<Change> changes_;
  size_t shown_row_ = ~size_t{0};
  float scroll_ = 0;
};

uint64_t mask_of(const Selection& selection) {
  return selection.bit >= 0 && selection.bit < 64 ? 1ull << selection.bit : ~0ull;
}

std::string what(const ViewContext& view, WordIndex word) {
  const std::string name = view.cursor->recording().word_name(word);
  return view.selection.bit >= 0 ? fmt::format("bit {} of {}", view.selection.bit, name) : name;
}

std::string HistoryPanel::subtitle(const ViewContext& view) const {
  const WordIndex word = focused_word(view);
  return word == no_word ? "" : what(view, word);
}

void HistoryPanel::update(const ViewContext& view, WordIndex word, uint64_t mask) {
  const History* history = view.document->history.get();
  if (history == history_ && word == word_ && mask == mask_) return;
  history_ = history;
  word_ = word;
  mask_ = mask;
  changes_ = history == nullptr ? std::vector<Change>{} : history->changes(word, mask);
  shown_row_ = ~size_t{0};
}

size_t HistoryPanel::current_row(StepIndex position) const {
  const auto after = std::lower_bound(changes_.begin(), changes_.end(), position,
                                      [](const Change& change, StepIndex p) { return change.step < p; });
  return static_cast<size_t>(after - changes_.begin());
}

uint64_t HistoryPanel::initial(const Recording& recording) const {
  if (!changes_.empty()) return changes_.front().before;
  return word_ < recording.initial().size() ? recording.initial()[word_] : 0;
}

void HistoryPanel::draw(const ViewContext& view, Intents& intents) {
  Painter p(view.theme);
  const WordIndex word = focused_word(view);
  if (word == no_word) {
    p.empty("No history yet", "Open a recording and click a bit: every step that wrote it is listed here.");
    return;
  }
  const uint64_t mask = mask_of(view.selection);
  update(view, word, mask);
  const Theme& t = p.theme();
  const Rect all = p.area();
  p.fill(all, t.surface);
  p.text_in({16, 8, all.w - 32, 20}, what(view, word), Font::mono, t.text);
  const std::string count = changes_.empty() ? "never written in this recording"
                                             : fmt::format("{} change{}", grouped(changes_.size()),
                                                           changes_.size() == 1 ? "" : "s");
  p.text_in({16, 27, all.w - 32, 16}, count, Font::small, t.text_faint);
  const bool buttons = all.h >= 150;
  const Rect list{0, 50, all.w, std::max(0.0f, all.h - 50 - (buttons ? 52 : 4))};
  const size_t current = current_row(view.cursor->position());
  const float total = row_height * static_cast<float>(rows());
  if (current != shown_row_) {
    shown_row_ = current;
    scroll_ = row_height * static_cast<float>(current) - std::max(0.0f, (list.h - row_height) / 2);
  }
  if (p.hovered(list)) scroll_ -= p.input().wheel_y * row_height;
  scroll_ = std::clamp(scroll_, 0.0f, std::max(0.0f, total - list.h));
  p.push_clip(list);
  const auto first = static_cast<size_t>(scroll_ / row_height);
  const size_t last = std::min(rows(), first + static_cast<size_t>(list.h / row_height) + 2);
  for (size_t row = first; row < last; ++row) {
    const Rect box{8, list.y + row_height * static_cast<float>(row) - scroll_, all.w - 16, row_height};
    draw_row(p, view, row, box, row == current, row > current);
    if (p.clicked(box) && p.hovered(list)) {
      intents.push_back(
          {.kind = Intent::Kind::seek, .position = row == 0 ? 0 : changes_[row - 1].step + 1, .text = {}});
    }
  }
  p.pop_clip();
  if (total > list.h) {
    const float thumb = std::max(24.0f, list.h * list.h / total);
    p.fill({all.w - 6, list.y + (list.h - thumb) * scroll_ / (total - list.h), 4, thumb}, t.border_strong, 2);
  }
  const auto seek_row = [&](size_t row) {
    intents.push_back(
        {.kind = Intent::Kind::seek, .position = row == 0 ? 0 : changes_[row - 1].step + 1, .text = {}});
  };
  if (p.key(Key::up) && current > 0) seek_row(current - 1);
  if (p.key(Key::down) && current + 1 < rows()) seek_row(current + 1);
  if (p.key(Key::home)) seek_row(0);
  if (p.key(Key::end)) seek_row(rows() - 1);
  if (buttons) draw_buttons(p, {16, all.h - 44, all.w - 32, 32}, word, mask, current, intents);
}

void HistoryPanel::draw_row(Painter& p, const ViewContext& view, size_t row, const Rect& box, bool current,
                            bool future) const {
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
  const Change* change = row == 0 ? nullptr : &changes_[row - 1];
  const uint64_t value = change == nullptr ? initial(recording) : change->after;
  const uint64_t before = change == nullptr ? value : change->before;
  const Evidence evidence = change == nullptr ? Evidence::computed : change->evidence;
  const bool set = (value & mask_) != 0;
  const Color ink = current ? t.accent : future ? t.text_faint : t.text_muted;
  // Known is a full circle, inferred a ring with a dot, unknown a ring.
  if (evidence == Evidence::inferred)
    p.disc(x, y, 3, ink);
  else if (one_bit && evidence != Evidence::unknown && set)
    p.disc(x, y, radius, mix(t.surface, ink, 70));
  p.ring(x, y, radius, ink, current ? 2 : 1.25f);
  if (one_bit && evidence != Evidence::inferred) {
    p.text_in({x - radius, y - radius, 2 * radius, 2 * radius},
              evidence == Evidence::unknown ? "?"
              : set                         ? "1"
                                            : "0",
              Font::mono_small,
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
  const std::string after = evidence == Evidence::unknown ? "?" : one_bit ? (set ? "1" : "0") : hex(value);
  std::string values = one_bit ? fmt::format("{} \xE2\x86\x92 {}", (before & mask_) != 0 ? 1 : 0, after)
                               : hex(before) + " \xE2\x86\x92 " + after;
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
  if (!one_bit && change != nullptr) lines.push_back(hex(before, 16) + " \xE2\x86\x92 " + hex(value, 16));
  if (change != nullptr) lines.push_back("evidence: " + std::string(evidence_name(evidence)));
  lines.emplace_back("Click: go there");
  p.tooltip(std::move(lines));
}

void HistoryPanel::draw_buttons(Painter& p, const Rect& area, WordIndex word, uint64_t mask, size_t current,
                                Intents& intents) const {
  const float w = (area.w - 8) / 2;
  const auto push = [&](Intent::Kind kind) {
    intents.push_back({.kind = kind, .word = word, .mask = mask, .text = {}});
  };
  const bool narrow = w < 150;
  if (p.button({area.x, area.y, w, area.h}, narrow ? "\xE2\x86\x90 cause" : "\xE2\x86\x90 run back to cause",
               current > 0))
    push(Intent::Kind::run_back_to_change);
  if (p.button({area.x + w + 8, area.y, w, area.h}, narrow ? "break" : "break when it changes"))
    push(Intent::Kind::toggle_break);
}

Table HistoryPanel::table(const ViewContext& view) const {
  Table table{{"step", "rule", "statement", "before", "after", "evidence"}, {}};
  const WordIndex word = focused_word(view);
  if (word == no_word || view.document->history == nullptr) return table;
  constexpr size_t limit = 10000;  // a screen reader's table, not an export
  const Recording& recording = view.cursor->recording();
  for (const Change& change : view.document->history->changes(word, mask_of(view.selection))) {
    if (table.rows.size() == limit) break;
    table.rows.push_back({std::to_string(change.step + 1), std::string(recording.rule_name(change.step)),
                          std::string(rule(recording.rule_of(change.step)).statement), hex(change.before, 16),
                          hex(change.after, 16), std::string(evidence_name(change.evidence))});
  }
  return table;
}

}  // namespace

std::unique_ptr<Panel> make_history_panel() { return std::make_unique<HistoryPanel>(); }

}  // namespace hmmscope::ui
