#pragma once
/// The middle of the Walk panel: the entry that decides about the slot, decoded, and the facts around it.

#include "ui/canvas/painter.h"
#include "ui/panels/walk_scene.h"

namespace hmmscope::ui {

/// The last entry of the path (or the focused one), its fields, and what the current step made of it. Returns
/// the card, which is as tall as it needs to be.
Rect draw_entry_card(Painter& p, const ViewContext& view, const WalkScene& scene, const Rect& area);
/// VMA, range, notifier and device entry, as far as the recording has them and there is room.
void draw_walk_facts(Painter& p, const ViewContext& view, const RegionIndex& regions, const WalkScene& scene,
                     Rect area);

}  // namespace hmmscope::ui
