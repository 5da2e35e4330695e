/// Why: the call path, the rules of the function in the order in which it tries them, the one that fired and
/// what it looked at.

#include <fmt/format.h>

#include <algorithm>

#include "engine/rules/rule.h"
#include "ui/canvas/painter.h"
#include "ui/panels/panels.h"
#include "ui/words.h"

namespace hmmscope::ui {
namespace {

constexpr float line = 17;
constexpr float number_width = 28;
constexpr float low_decision = 230;

class DecisionPanel final : public Panel {
 public:
  std::string_view id() const override { return "decision"; }
  std::string_view title() const override { return "Decision"; }
  std::string subtitle(const ViewContext&) const override { return "why this value"; }
  void draw(const ViewContext& view, Intents& intents) override;
  Table table(const ViewContext& view) const override;

 private:
  struct Row {
    RuleId rule;
    std::vector<std::string_view> lines;
    float height;
    bool fired;
  };

  float draw_path(Painter& p, const Recording& recording, StepIndex step, const Rect& area,
                  Intents& intents) const;
  float draw_short_path(Painter& p, const Recording& recording, StepIndex step, const Rect& area) const;
  std::vector<Row> layout_rows(const Painter& p, const Recording& recording, StepIndex step,
                               float width) const;
  void draw_row(Painter& p, const Recording& recording, StepIndex step, const Row& row, size_t number,
                const Rect& box) const;
  float draw_verdict(Painter& p, const CallCheck& check, const Rect& all) const;

  StepIndex shown_step_ = no_step;  ///< the list follows the fired rule when the step changes, else the wheel
  const Recording* shown_recording_ = nullptr;
  float shown_height_ = 0;  ///< and when the room for the list changes
  float scroll_ = 0;
  CheckIndex checks_;
};

/// The function whose rules are listed: the one the rule belongs to.
Function function_of(const Recording& recording, StepIndex step) {
  return rule(recording.rule_of(step)).function;
}

/// The functions on the way to the step, outermost first.
std::vector<std::pair<std::string, CallId>> call_path(const Recording& recording, StepIndex step) {
  std::vector<std::pair<std::string, CallId>> names;
  for (const CallId call : recording.path(recording.call_of(step)))
    names.emplace_back(recording.function_name_of(call), call);
  const std::string own(function_name(function_of(recording, step)));
  if (names.empty() || (names.back().first != own && function_of(recording, step) != Function::scenario))
    names.emplace_back(own, no_call);
  return names;
}

/// The end of the path on one line: in a low panel the rules need the room.
float DecisionPanel::draw_short_path(Painter& p, const Recording& recording, StepIndex step,
                                     const Rect& area) const {
  const Theme& t = p.theme();
  const auto names = call_path(recording, step);
  const std::string& last = names.back().first;
  std::string before, shown = names.size() > 1 ? "\xE2\x80\xA6 " : "";
  for (size_t i = names.size() - 1; i-- > 0;) {
    before = names[i].first + " \xE2\x86\x92 " + before;
    const std::string longer = (i > 0 ? "\xE2\x80\xA6 " : "") + before;
    if (p.width(longer + last, Font::mono_small) > area.w) break;
    shown = longer;
  }
  const float x = area.x + p.text(area.x, area.y, shown, Font::mono_small, t.text_faint);
  p.text_in({x, area.y, area.right() - x, line}, last, Font::mono_small, t.text);
  return area.y + line;
}

float DecisionPanel::draw_path(Painter& p, const Recording& recording, StepIndex step, const Rect& area,
                               Intents& intents) const {
  const Theme& t = p.theme();
  const auto names = call_path(recording, step);
  constexpr size_t most = 5;
  const size_t skipped = names.size() > most ? names.size() - most : 0;
  float y = area.y;
  for (size_t i = skipped; i < names.size(); ++i) {
    const bool last = i + 1 == names.size();
    const float indent = 14 * static_cast<float>(i - skipped);
    const Rect box{area.x + indent, y, area.w - indent, line};
    const bool first_shown = i == skipped;
    const std::string prefix = first_shown ? (skipped > 0 ? "\xE2\x80\xA6 " : "") : "\xE2\x94\x94 ";
    const bool hot = names[i].second != no_call && p.hovered(box);
    p.text_in(box, prefix + names[i].first, Font::mono_small, last || hot ? t.text : t.text_faint);
    if (hot) {
      const Call& call = recording.calls()[names[i].second];
      std::string result = call.returned ? fmt::format("returns {}", call.result)
                                         : std::string("has not returned in this recording");
      p.tooltip({names[i].first, fmt::format("first step {}", grouped(call.first_step)), result,
                 "Click: go to its first step"});
      if (p.clicked(box))
        intents.push_back({.kind = Intent::Kind::seek, .position = call.first_step + 1, .text = {}});
    }
    y += line;
  }
  return y;
}

std::vector<DecisionPanel::Row> DecisionPanel::layout_rows(const Painter& p, const Recording& recording,
                                                           StepIndex step, float width) const {
  std::vector<Row> rows;
  const RuleId fired = recording.rule_of(step);
  for (const RuleId id : rules_of(function_of(recording, step))) {
    if (!same_era(rule(id), rule(fired))) continue;
    Row row{id, {}, 0, id == fired};
    row.lines = p.wrap(rule(id).statement, Font::small, width - number_width - 24);
    if (!row.fired && row.lines.size() > 2) row.lines.resize(2);
    row.height = 9 + line * static_cast<float>(row.lines.size());
    if (row.fired) row.height += 8 + line * static_cast<float>(recording.operands(step).size());
    rows.push_back(std::move(row));
  }
  return rows;
}

void DecisionPanel::draw_row(Painter& p, const Recording& recording, StepIndex step, const Row& row,
                             size_t number, const Rect& box) const {
  const Theme& t = p.theme();
  if (row.fired) {
    p.fill(box, t.accent_fill, measure::radius);
    p.outline(box, t.accent, measure::radius);
  }
  float y = box.y + 4;
  p.text_in({box.x + 8, y, number_width - 12, line}, std::to_string(number), Font::mono_small,
            row.fired ? t.on_accent_fill : t.text_faint, Align::right);
  const Color ink = row.fired ? t.on_accent_fill : t.text_muted;
  const float x = box.x + number_width + 6, w = box.right() - 8 - x;
  for (size_t i = 0; i < row.lines.size(); ++i) {
    std::string text(row.lines[i]);
    const bool cut = i + 1 == row.lines.size() && row.lines[i].end() != rule(row.rule).statement.end();
    if (cut) text += " \xE2\x80\xA6";
    p.text_in({x, y, w, line}, text, Font::small, ink);
    y += line;
  }
  if (!row.fired) return;
  y += 4;
  const auto operands = recording.operands(step);
  for (uint32_t i = 0; i < operands.size(); ++i) {
    const std::string_view name = rule(row.rule).operand_name(i);
    p.text_in({x, y, 104, line}, name.empty() ? "operand" : name, Font::mono_small, ink);
    p.text_in({x + 108, y, w - 108, line}, operand_text(name, operands[i]), Font::mono_small,
              t.on_accent_fill);
    y += line;
  }
}

/// A strip at the bottom: what the check of this call found. Returns its height.
float DecisionPanel::draw_verdict(Painter& p, const CallCheck& check, const Rect& all) const {
  const Theme& t = p.theme();
  std::string text;
  Color ink = t.text_muted, face = t.raised;
  switch (check.verdict) {
    case Verdict::agreed:
      text = "The kernel agrees: " + counted(check.words_compared, "word", "words") + " compared";
      ink = t.good;
      face = t.good_fill;
      break;
    case Verdict::diverged:
      text = "The kernel differs: " + check.reason;
      ink = t.bad;
      face = t.bad_fill;
      break;
    case Verdict::unknown:
      text = "Not compared: " + check.reason;
      break;
  }
  auto lines = p.wrap(text, Font::small, all.w - 48);
  const size_t most = all.h < low_decision ? 1 : 3;
  if (lines.size() > most) lines.resize(most);
  const float height = 10 + line * static_cast<float>(lines.size());
  const Rect box{16, all.bottom() - height - 10, all.w - 32, height};
  p.fill(box, face, measure::radius_small);
  float y = box.y + 5;
  for (const auto& text_line : lines) {
    p.text_in({box.x + 8, y, box.w - 16, line}, text_line, Font::small, ink);
    y += line;
  }
  return height + 12;
}

void DecisionPanel::draw(const ViewContext& view, Intents& intents) {
  Painter p(view.theme);
  if (!has_recording(view)) {
    p.empty("No decision yet",
            "Open a recording and step: the rule that fired stands here with the values it looked at.");
    return;
  }
  const Recording& recording = view.cursor->recording();
  const StepIndex step = view.cursor->current_step();
  if (step == no_step) {
    p.empty("At the start", "Step forward: the rule of each step stands here with the values it looked at.");
    return;
  }
  checks_.update(&recording);
  const Theme& t = p.theme();
  const Rect all = p.area();
  p.fill(all, t.surface);
  const bool low = all.h < low_decision;
  float y = low ? draw_short_path(p, recording, step, {16, 6, all.w - 32, 0}) + 4
                : draw_path(p, recording, step, {16, 10, all.w - 32, 0}, intents) + 8;
  p.horizontal(0, all.w, y, t.border);
  y += low ? 4 : 7;
  float bottom = all.h - 8;
  const CallCheck* check = checks_.at(step);
  if (check != nullptr) bottom -= draw_verdict(p, *check, all);
  const Rect list{8, y, all.w - 16, std::max(0.0f, bottom - y)};
  const auto rows = layout_rows(p, recording, step, list.w);
  float total = 0, fired_top = 0, fired_height = 0;
  for (const Row& row : rows) {
    if (row.fired) {
      fired_top = total;
      fired_height = row.height;
    }
    total += row.height;
  }
  if (step != shown_step_ || &recording != shown_recording_ || list.h != shown_height_) {
    shown_step_ = step;
    shown_height_ = list.h;
    shown_recording_ = &recording;
    scroll_ = fired_top - std::max(0.0f, (list.h - fired_height) / 2);
  }
  if (p.hovered(list)) scroll_ -= p.input().wheel_y * 3 * line;
  if (p.key(Key::down)) scroll_ += 3 * line;
  if (p.key(Key::up)) scroll_ -= 3 * line;
  scroll_ = std::clamp(scroll_, 0.0f, std::max(0.0f, total - list.h));
  p.push_clip(list);
  float row_y = list.y - scroll_;
  for (size_t i = 0; i < rows.size(); ++i) {
    const Rect box{list.x, row_y, list.w - (total > list.h ? 8 : 0), rows[i].height};
    row_y += rows[i].height;
    if (box.bottom() < list.y || box.y > list.bottom()) continue;
    draw_row(p, recording, step, rows[i], i + 1, box);
    if (p.hovered(box) && p.hovered(list)) {
      const Rule& row = rule(rows[i].rule);
      p.tooltip({std::string(row.id), std::string(row.statement), "kernels: " + std::string(row.versions)});
    }
  }
  p.pop_clip();
  if (total > list.h) {
    const float thumb = std::max(24.0f, list.h * list.h / total);
    p.fill({list.right() - 4, list.y + (list.h - thumb) * scroll_ / (total - list.h), 4, thumb},
           t.border_strong, 2);
  }
}

Table DecisionPanel::table(const ViewContext& view) const {
  Table table{{"order", "rule", "statement", "fired", "operands"}, {}};
  if (!has_recording(view) || view.cursor->current_step() == no_step) return table;
  const Recording& recording = view.cursor->recording();
  const StepIndex step = view.cursor->current_step();
  size_t number = 0;
  for (const RuleId id : rules_of(function_of(recording, step))) {
    if (!same_era(rule(id), rule(recording.rule_of(step)))) continue;
    const bool fired = id == recording.rule_of(step);
    std::string operands;
    for (uint32_t i = 0; fired && i < recording.operands(step).size(); ++i) {
      const std::string_view name = rule(id).operand_name(i);
      operands +=
          (i == 0 ? "" : ", ") + std::string(name) + " = " + operand_text(name, recording.operands(step)[i]);
    }
    table.rows.push_back({std::to_string(++number), std::string(rule(id).id), std::string(rule(id).statement),
                          fired ? "yes" : "", operands});
  }
  return table;
}

}  // namespace

std::unique_ptr<Panel> make_decision_panel() { return std::make_unique<DecisionPanel>(); }

}  // namespace hmmscope::ui
