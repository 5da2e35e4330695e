#pragma once
/// What the timeline draws over and around its lanes.

#include <span>

#include "engine/recording/gaps.h"
#include "ui/canvas/painter.h"
#include "ui/view.h"

namespace hmmscope::ui {

inline constexpr float timeline_head = 26;  ///< room above the lanes for the playhead's label

/// Steps along the track.
struct TimelineAxis {
  Rect track;
  double first, span;  ///< the steps in view
  float x_of(double step) const { return track.x + static_cast<float>((step - first) / span) * track.w; }
  double step_at(float x) const { return first + span * static_cast<double>((x - track.x) / track.w); }
};

/// Step numbers under the lanes.
void draw_ruler(Painter& p, const TimelineAxis& axis, float y);
/// The moment that is shown, or the other one of a comparison: the same flag, hollow.
void draw_playhead(Painter& p, const TimelineAxis& axis, StepIndex position, bool other);
/// Flags above the lanes with a line down through them. Where several fall on the same pixels one is drawn; the
/// tooltip names them all.
void draw_bookmarks(Painter& p, const TimelineAxis& axis, std::span<const Bookmark> bookmarks);
/// Hatched bars through all lanes where events were lost, never narrower than a few pixels; those that fall on
/// the same pixels are one bar. `gaps` by begin.
void draw_gaps(Painter& p, const TimelineAxis& axis, std::span<const Gap> gaps);
/// The part of a file that has not been read, behind the `steps` that were: there is something, what it is
/// nobody knows yet.
void draw_unread(Painter& p, const TimelineAxis& axis, StepIndex steps, const Loading& loading);

}  // namespace hmmscope::ui
