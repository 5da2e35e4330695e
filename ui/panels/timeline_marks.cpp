#include "ui/panels/timeline_marks.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "ui/words.h"

namespace hmmscope::ui {

void draw_ruler(Painter& p, const TimelineAxis& axis, float y) {
  const Theme& t = p.theme();
  const double wanted = axis.span * 96 / static_cast<double>(axis.track.w);
  double step = std::pow(10, std::floor(std::log10(std::max(1.0, wanted))));
  if (step * 5 < wanted)
    step *= 10;
  else if (step * 2 < wanted)
    step *= 5;
  else if (step < wanted)
    step *= 2;
  for (double at = std::ceil(axis.first / step) * step; at <= axis.first + axis.span; at += step) {
    const std::string text = grouped(static_cast<uint64_t>(at));
    const float x = axis.x_of(at), w = p.width(text, Font::mono_tiny);
    p.vertical(x, y, y + 4, t.border_strong);
    const float left = std::clamp(x - w / 2, axis.track.x, axis.track.right() - w);
    p.text(left, y + 6, text, Font::mono_tiny, t.text_faint);
  }
}

void draw_playhead(Painter& p, const TimelineAxis& axis, StepIndex position, bool other) {
  const Theme& t = p.theme();
  const float x = axis.x_of(position);
  const std::string text = grouped(position);
  const float w = std::max(36.0f, p.width(text, Font::mono_small) + 16);
  const bool left_out = x<axis.track.x - 1, right_out = x> axis.track.right() + 1;
  const float label = std::clamp(x - w / 2, axis.track.x - 8, axis.track.right() - w + 8);
  const Rect flag{label, 4, w, timeline_head - 10};
  const Color line = other ? mix(t.surface, t.changed, 150) : t.changed;
  if (!left_out && !right_out) p.vertical(x - 0.5f, flag.bottom(), axis.track.bottom() + 2, line, other ? 1 : 2);
  p.fill(flag, other ? t.surface : t.changed, 3);
  if (other) p.outline(flag, line, 3);
  p.text_in(flag, text, Font::mono_small, other ? t.text : t.surface, Align::center);
}

void draw_bookmarks(Painter& p, const TimelineAxis& axis, std::span<const Bookmark> bookmarks) {
  const Theme& t = p.theme();
  const float foot_of_flag = axis.track.y - 1;
  float drawn_to = -1e9f;
  std::vector<std::string> lines;
  for (const Bookmark& mark : bookmarks) {
    const float x = axis.x_of(mark.position);
    if (x < axis.track.x - 1 || x > axis.track.right() + 1) continue;
    if (p.hovered({x - 6, 0, 12, timeline_head}) && lines.size() < 8) {
      lines.push_back("bookmark at step " + grouped(mark.position));
      if (!mark.note.empty()) lines.push_back(mark.note);
    }
    if (x < drawn_to + 1) continue;
    p.vertical(x - 0.5f, foot_of_flag, axis.track.bottom(), mix(t.surface, t.accent, 110));
    p.wedge_down(x, foot_of_flag, 5, t.accent);
    drawn_to = x;
  }
  if (!lines.empty()) p.tooltip(std::move(lines));
}

void draw_gaps(Painter& p, const TimelineAxis& axis, std::span<const Gap> gaps) {
  constexpr float least = 5;
  const Theme& t = p.theme();
  const auto touches = [&](const Gap& gap) { return gap.step >= axis.first; };
  auto gap = std::find_if(gaps.begin(), gaps.end(), touches);
  while (gap != gaps.end() && gap->begin <= axis.first + axis.span) {
    const auto first = gap;
    float x0 = axis.x_of(gap->begin), x1 = std::max(axis.x_of(gap->step), x0 + least);
    for (++gap; gap != gaps.end() && axis.x_of(gap->begin) <= x1 + 1; ++gap)
      x1 = std::max(x1, axis.x_of(gap->step));
    x0 = std::max(x0, axis.track.x);
    x1 = std::min(x1, axis.track.right());
    if (x1 - x0 < least) x0 = std::max(axis.track.x, x1 - least);
    const Rect bar{x0, axis.track.y, x1 - x0, axis.track.h};
    p.fill({bar.x, bar.y - 2, bar.w, 3}, t.warning, 1);
    p.hatch(bar, mix(t.surface, t.warning, 190));
    p.vertical(bar.x, bar.y, bar.bottom(), t.warning);
    p.vertical(bar.right() - p.hairline(), bar.y, bar.bottom(), t.warning);
    if (!p.hovered(bar)) continue;
    const auto count = static_cast<uint64_t>(gap - first);
    std::vector<std::string> lines{count == 1 ? "Events were lost here"
                                              : "Events were lost at " + grouped(count) + " places here"};
    for (auto each = first; each != gap && lines.size() < 6; ++each) lines.push_back(gap_text(*each));
    lines.emplace_back("What happened meanwhile is not in the trace");
    p.tooltip(std::move(lines));
  }
}

void draw_unread(Painter& p, const TimelineAxis& axis, StepIndex steps, const Loading& loading) {
  const Theme& t = p.theme();
  const float from = std::max(axis.track.x, axis.x_of(steps));
  if (from >= axis.track.right()) return;
  const Rect rest{from, axis.track.y, axis.track.right() - from, axis.track.h};
  p.fill(rest, t.surface);
  p.hatch(rest, mix(t.surface, t.border_strong, 140));
  const std::string text = fmt::format("{:.0f} % of the file is shown; the rest is being read",
                                       100 * static_cast<double>(loading.shown) /
                                           static_cast<double>(loading.total));
  const float w = std::min(rest.w - 16, p.width(text, Font::small) + 16);
  const Rect label{rest.mid_x() - w / 2, rest.mid_y() - 11, w, 22};
  if (w < 60) return;
  p.fill(label, t.surface, 4);
  p.text_in(label, text, Font::small, t.text_muted, Align::center);
}

}  // namespace hmmscope::ui
