/// When: lanes of calls, faults, migration, notifiers and verdicts over the steps of the recording, with the
/// playhead.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "ui/canvas/painter.h"
#include "ui/panels/lane_index.h"
#include "ui/panels/panels.h"
#include "ui/panels/stop_ticks.h"
#include "ui/panels/timeline_marks.h"
#include "ui/words.h"

namespace hmmscope::ui {
namespace {

constexpr float label_width = 124;
constexpr float head = timeline_head;
constexpr float foot = 22;       ///< room for the step numbers
constexpr float rare_width = 3;  ///< a divergence is never narrower than this

class TimelinePanel final : public Panel {
 public:
  std::string_view id() const override { return "timeline"; }
  std::string_view title() const override { return "Timeline"; }
  std::string subtitle(const ViewContext& view) const override;
  void draw(const ViewContext& view, Intents& intents) override;
  Table table(const ViewContext& view) const override;

 private:
  using Axis = TimelineAxis;

  void update(const ViewContext& view);
  void navigate(Painter& p, const Rect& track, StepIndex position);
  void draw_lane(Painter& p, const Axis& axis, Lane lane, const Rect& row) const;
  void draw_divergences(Painter& p, const Axis& axis, const Rect& row, const Recording& recording) const;
  void draw_stops(Painter& p, const Axis& axis, const ViewContext& view);
  void hover(Painter& p, const Axis& axis, const Rect& row, Lane lane, const Recording& recording) const;
  void interact(Painter& p, const Axis& axis, const ViewContext& view, Intents& intents) const;

  const Recording* recording_ = nullptr;
  const LaneIndex* index_ = nullptr;  ///< the view's, else own_
  std::unique_ptr<LaneIndex> own_;
  StopTicks stops_;
  std::filesystem::path path_;   ///< of the document
  double extent_ = 0;            ///< steps, and as many more as the unread part of the file may hold
  double first_ = 0, span_ = 0;  ///< the steps in view
};

Color lane_color(const Theme& theme, Lane lane) {
  switch (lane) {
    case Lane::range_fault:
      return theme.field(Role::order);
    case Lane::cpu_fault:
      return theme.field(Role::write);
    case Lane::migration:
      return theme.field(Role::migrate);
    case Lane::notifier:
      return theme.field(Role::dma_mapped);
    default:
      return theme.good_fill;
  }
}

void TimelinePanel::update(const ViewContext& view) {
  const Recording* recording = has_recording(view) ? &view.cursor->recording() : nullptr;
  if (recording != nullptr && recording->steps() == 0) recording = nullptr;
  const double steps = recording == nullptr ? 0 : recording->steps();
  double extent = steps;
  if (view.loading != nullptr && view.loading->shown > 0 && view.loading->total > view.loading->shown)
    extent *= static_cast<double>(view.loading->total) / static_cast<double>(view.loading->shown);
  if (recording != recording_ || extent != extent_) {
    // What was zoomed into stays in view when more of the same file has been read.
    const bool zoomed = recording != nullptr && view.document->path == path_ && span_ < extent_ && first_ < steps;
    if (!zoomed) {
      first_ = 0;
      span_ = extent;
    }
    extent_ = extent;
    path_ = recording == nullptr ? std::filesystem::path() : view.document->path;
  }
  if (recording == recording_ && (view.lanes == nullptr || view.lanes == index_)) return;
  recording_ = recording;
  own_.reset();
  if (recording != nullptr && view.lanes == nullptr) own_ = std::make_unique<LaneIndex>(*recording);
  index_ = recording == nullptr ? nullptr : own_ != nullptr ? own_.get() : view.lanes;
}

std::string TimelinePanel::subtitle(const ViewContext& view) const {
  if (!has_recording(view)) return "";
  const Recording& recording = view.cursor->recording();
  std::string text = grouped(recording.steps()) + " steps";
  if (const auto events = recording.events(); !events.empty()) {
    const double ms = static_cast<double>(events.back().time_ns - events.front().time_ns) / 1e6;
    text += fmt::format(" \xC2\xB7 kernel capture, {:.1f} ms", ms);
  }
  return text + " \xC2\xB7 wheel zooms, drag pans";
}

void TimelinePanel::navigate(Painter& p, const Rect& track, StepIndex position) {
  const double steps = std::max(1.0, extent_);
  const auto zoom = [&](double at, double factor) {
    const double wanted = std::clamp(span_ * factor, std::min(steps, 8.0), steps);
    first_ = at - (at - first_) * (wanted / span_);
    span_ = wanted;
  };
  const float wheel = p.input().wheel_y;
  if (wheel != 0 && p.hovered(p.area())) {
    const auto share = static_cast<double>(std::clamp((p.input().mouse_x - track.x) / track.w, 0.0f, 1.0f));
    zoom(first_ + span_ * share, std::pow(0.8, static_cast<double>(wheel)));
  }
  if (p.input().wheel_x != 0) first_ -= static_cast<double>(p.input().wheel_x) * span_ * 0.05;
  if (p.dragging() && p.press_started(p.area())) first_ -= static_cast<double>(p.drag_dx() / track.w) * span_;
  if (p.key(Key::plus)) zoom(position, 0.5);
  if (p.key(Key::minus)) zoom(position, 2);
  first_ = std::clamp(first_, 0.0, steps - span_);
}

void TimelinePanel::draw(const ViewContext& view, Intents& intents) {
  Painter p(view.theme);
  update(view);
  if (recording_ == nullptr) {
    p.empty("No steps yet",
            "Open a kernel trace or a scenario to see its calls, faults and invalidations over time.");
    return;
  }
  const Recording& recording = *recording_;
  const Theme& t = p.theme();
  const Rect all = p.area();
  p.fill(all, t.surface);
  const bool wide = all.w >= 480;
  const Rect track{wide ? label_width + 16 : 16, head, all.w - (wide ? label_width + 32 : 32),
                   std::max(20.0f, all.h - head - foot)};
  navigate(p, track, view.cursor->position());
  const Axis axis{track, first_, span_};
  const float pitch = track.h / static_cast<float>(Lane::count_);
  const float bar = std::clamp(pitch - 8, 4.0f, 20.0f);
  for (size_t i = 0; i < static_cast<size_t>(Lane::count_); ++i) {
    const auto lane = static_cast<Lane>(i);
    const Rect row{track.x, track.y + pitch * static_cast<float>(i) + (pitch - bar) / 2, track.w, bar};
    if (wide) p.text_in({16, row.y, label_width - 12, row.h}, lane_name(lane), Font::small, t.text_muted);
    draw_lane(p, axis, lane, row);
    if (p.hovered(row)) hover(p, axis, row, lane, recording);
  }
  draw_ruler(p, axis, track.bottom());
  draw_stops(p, axis, view);
  draw_bookmarks(p, axis, view.bookmarks);
  draw_gaps(p, axis, index_->gaps());
  if (view.loading != nullptr && index_->steps() < extent_) draw_unread(p, axis, index_->steps(), *view.loading);
  if (view.compared) draw_playhead(p, axis, *view.compared, true);
  draw_playhead(p, axis, view.cursor->position(), false);
  // Last, so that the playhead does not hide a divergence it stands on.
  draw_divergences(p, axis, {track.x, track.bottom() - (pitch + bar) / 2, track.w, bar}, recording);
  interact(p, axis, view, intents);
}

void TimelinePanel::draw_lane(Painter& p, const Axis& axis, Lane lane, const Rect& row) const {
  const Theme& t = p.theme();
  p.fill(row, t.sunken, 2);
  if (index_->spans(lane).empty()) {
    const std::string_view text =
        lane == Lane::verdict ? "not a kernel trace: nothing to compare with" : "none in this recording";
    p.text_in({row.x + 8, row.y, row.w - 16, row.h}, text, Font::small, t.text_faint);
    return;
  }
  const float pixel = p.hairline();
  const int columns = std::max(1, static_cast<int>(std::lround(row.w / pixel)));
  const double per_column = axis.span / columns;
  const Color base = lane_color(t, lane);
  Color current = 0;
  int start = 0;
  const auto flush = [&](int end) {
    if (current != 0)
      p.fill(
          {row.x + static_cast<float>(start) * pixel, row.y, static_cast<float>(end - start) * pixel, row.h},
          current);
  };
  for (int x = 0; x < columns; ++x) {
    const double from = axis.first + per_column * x;
    const auto begin = static_cast<StepIndex>(from);
    const auto end = std::max(begin + 1, static_cast<StepIndex>(std::ceil(from + per_column)));
    const LaneIndex::Summary s = index_->summary(lane, begin, end);
    Color color = 0;
    if (s.worst == LaneState::unknown)
      color = mix(t.sunken, t.border_strong, 200);
    else if (s.worst != LaneState::none) {
      // Partly covered columns are paler in eight steps, never paler than a third.
      const uint32_t strength = 90 + (s.coverage / 32u) * 165 / 7;
      color = mix(t.sunken, base, per_column <= 1 ? 255 : strength);
    }
    if (color == current) continue;
    flush(x);
    current = color;
    start = x;
  }
  flush(columns);
}

void TimelinePanel::draw_divergences(Painter& p, const Axis& axis, const Rect& row,
                                     const Recording& recording) const {
  const auto [first, last] = index_->diverged_in(static_cast<StepIndex>(axis.first),
                                                 static_cast<StepIndex>(std::ceil(axis.first + axis.span)));
  if (first == last) return;
  const Theme& t = p.theme();
  const auto& steps = index_->diverged();
  const float width = std::max(rare_width, axis.track.w / static_cast<float>(axis.span));
  float drawn_to = -1, counted_at = -1;
  size_t counted = 0;
  // How many one mark stands for, where the next mark leaves room to say so.
  const auto say_count = [&](float next_x) {
    if (counted < 2) return;
    const std::string text = fmt::format("\xC3\x97{}", grouped(counted));
    if (counted_at + 3 + p.width(text, Font::mono_tiny) < next_x - 3)
      p.text_in({counted_at + 3, row.y, next_x - counted_at, row.h}, text, Font::mono_tiny, t.text);
  };
  for (size_t i = first; i < last;) {
    const float x = std::min(axis.x_of(steps[i]), row.right() - width);
    if (x >= drawn_to - 1) {
      say_count(x);
      p.fill({x, row.y, width, row.h}, t.bad);
      counted = 0;
      counted_at = drawn_to = x + width;
    }
    // Jump over those that fall on the pixels just drawn.
    const double next = axis.step_at(drawn_to);
    const size_t jump =
        std::max(i + 1, index_->diverged_in(static_cast<StepIndex>(std::max(0.0, next)), no_step).first);
    counted += std::min(jump, last) - i;
    i = jump;
  }
  std::string text = fmt::format("{} divergence{}", grouped(last - first), last - first == 1 ? "" : "s");
  if (last - first == 1) {
    for (const CallCheck& check : recording.checks()) {
      if (check.verdict == Verdict::diverged && check.step == steps[first] && !check.reason.empty()) {
        text += ": " + check.reason;
        break;
      }
    }
  }
  const float mark = axis.x_of(steps[first]) + width + 8, needed = p.width(text, Font::small);
  const float room = row.right() - 8 - mark;
  // Behind the one mark, before several: the label must not hide marks.
  const float before = axis.x_of(steps[first]) - 8 - needed;
  const bool behind = needed <= room && (last - first == 1 || before < row.x + 8);
  const float x = behind ? mark : std::max(row.x + 8, before);
  const Rect label{x, row.y, behind ? room : axis.x_of(steps[first]) - 8 - x, row.h};
  p.fill({label.x - 4, row.y + 1, std::min(needed, label.w) + 8, row.h - 2}, t.surface, 2);
  p.text_in(label, text, Font::small, t.bad);
}

/// Ticks under the lanes: where a run would stop at a breakpoint.
void TimelinePanel::draw_stops(Painter& p, const Axis& axis, const ViewContext& view) {
  if (view.breakpoints.empty()) return;
  const Theme& t = p.theme();
  const int columns = std::max(1, static_cast<int>(std::lround(axis.track.w / p.hairline())));
  const auto& ticks = stops_.update(view, axis.first, axis.span, columns);
  for (const int column : ticks) {
    const float x = axis.track.x + static_cast<float>(column) * p.hairline();
    p.fill({x - 1, axis.track.bottom() + 1, 2, 5}, t.text);
  }
  const Rect row{axis.track.x, axis.track.bottom(), axis.track.w, 7};
  if (axis.track.x > label_width)
    p.text_in({16, row.y - 1, label_width - 12, 16}, "breakpoints", Font::small, t.text_muted);
  if (p.hovered(row)) p.tooltip({"Ticks: a run stops here, a watched bit changes", "Click: go there"});
}

void TimelinePanel::hover(Painter& p, const Axis& axis, const Rect& row, Lane lane,
                          const Recording& recording) const {
  const double pixel_steps = axis.span / static_cast<double>(row.w);
  const double at = axis.step_at(p.input().mouse_x);
  const auto begin = static_cast<StepIndex>(std::max(0.0, at - pixel_steps)),
             end = std::max(begin + 1, static_cast<StepIndex>(std::ceil(at + pixel_steps)));
  std::vector<std::string> lines{std::string(lane_name(lane)) + " at step " +
                                 grouped(static_cast<StepIndex>(std::max(0.0, at)) + 1)};
  const auto& spans = index_->spans(lane);
  const auto first = std::upper_bound(spans.begin(), spans.end(), begin,
                                      [](StepIndex s, const LaneIndex::Span& span) { return s < span.end; });
  const auto last = std::lower_bound(first, spans.end(), end,
                                     [](const LaneIndex::Span& span, StepIndex s) { return span.begin < s; });
  const auto count = last - first;
  if (count == 1)
    lines.push_back(fmt::format("steps {} to {}", grouped(first->begin + 1), grouped(first->end)));
  else if (count > 1)
    lines.push_back(fmt::format("{} stretches under this pixel", grouped(static_cast<uint64_t>(count))));
  else
    lines.emplace_back("nothing here");
  if (lane == Lane::verdict) {
    const auto [from, to] = index_->diverged_in(begin, end);
    if (to > from) lines.push_back(fmt::format("{} diverged", grouped(to - from)));
    const auto unknown = static_cast<uint64_t>(std::count_if(
        first, last, [](const LaneIndex::Span& span) { return span.state == LaneState::unknown; }));
    if (count > 1 && unknown > 0)
      lines.push_back(fmt::format("{} could not be compared", grouped(unknown)));
    else if (count == 1 && to == from)
      lines.emplace_back(first->state == LaneState::unknown ? "could not be compared"
                                                            : "the engine agrees with the kernel");
  } else if (count == 1 && first->begin < recording.steps()) {
    const CallId call = recording.call_of(first->begin);
    if (call != no_call) lines.emplace_back(recording.function_name_of(call));
  }
  p.tooltip(std::move(lines));
}

void TimelinePanel::interact(Painter& p, const Axis& axis, const ViewContext& view, Intents& intents) const {
  const StepIndex steps = index_->steps(), position = view.cursor->position();
  const auto seek = [&](StepIndex to) {
    Intent intent{.kind = Intent::Kind::seek, .position = to, .text = {}};
    intents.push_back(std::move(intent));
  };
  const Rect target{axis.track.x, 0, axis.track.w, p.area().h};
  if (p.clicked(target)) {
    const auto [first, last] = index_->diverged_in(
        static_cast<StepIndex>(std::max(0.0, axis.step_at(p.input().mouse_x - rare_width))),
        static_cast<StepIndex>(std::ceil(axis.step_at(p.input().mouse_x + rare_width))));
    const double at =
        std::clamp(std::round(axis.step_at(p.input().mouse_x)), 0.0, static_cast<double>(steps));
    // A divergence is easier to hit than its three pixels: one step past it shows what it did.
    seek(first < last ? index_->diverged()[first] + 1 : static_cast<StepIndex>(at));
  }
  if (p.key(Key::left) && position > 0) seek(position - 1);
  if (p.key(Key::right) && position < steps) seek(position + 1);
  if (p.key(Key::home)) seek(0);
  if (p.key(Key::end)) seek(steps);
}

Table TimelinePanel::table(const ViewContext& view) const {
  Table table{{"lane", "from step", "to step", "state"}, {}};
  if (!has_recording(view)) return table;
  const Recording& recording = view.cursor->recording();
  std::unique_ptr<LaneIndex> own;
  if (view.lanes == nullptr) own = std::make_unique<LaneIndex>(recording);
  const LaneIndex& index = view.lanes != nullptr ? *view.lanes : *own;
  for (const Bookmark& mark : view.bookmarks) {
    const std::string at = std::to_string(mark.position);
    table.rows.push_back({"bookmark", at, at, mark.note});
  }
  for (const Gap& gap : index.gaps())
    table.rows.push_back({"events lost", std::to_string(gap.begin), std::to_string(gap.step), gap_text(gap)});
  for (const Breakpoint& point : view.breakpoints)
    table.rows.push_back({"breakpoint", "", "", breakpoint_text(recording, point)});
  constexpr size_t limit = 10000;  // a screen reader's table, not an export
  constexpr std::string_view states[] = {"none", "active", "agreed", "unknown", "diverged"};
  for (size_t i = 0; i < static_cast<size_t>(Lane::count_); ++i) {
    for (const LaneIndex::Span& span : index.spans(static_cast<Lane>(i))) {
      if (table.rows.size() == limit) return table;
      table.rows.push_back({std::string(lane_name(static_cast<Lane>(i))), std::to_string(span.begin + 1),
                            std::to_string(span.end), std::string(states[static_cast<size_t>(span.state)])});
    }
  }
  return table;
}

}  // namespace

std::unique_ptr<Panel> make_timeline_panel() { return std::make_unique<TimelinePanel>(); }

}  // namespace hmmscope::ui
