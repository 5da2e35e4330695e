#pragma once
/// How a known, an inferred and an unknown thing look: solid, hatched, empty.

#include "ui/canvas/painter.h"

namespace hmmscope::ui {

inline void evidence_box(Painter& p, const Rect& rect, Color color, Evidence evidence, float radius = 0) {
  switch (evidence) {
    case Evidence::computed:
    case Evidence::observed:
      p.fill(rect, color, radius);
      break;
    case Evidence::inferred:
      p.fill(rect, with_alpha(color, 70), radius);
      p.hatch(rect, color);
      break;
    case Evidence::unknown:
      p.outline(rect, color, radius);
      break;
  }
}

}  // namespace hmmscope::ui
