#pragma once
/// What the painter of a frame knows beside the draw list. Reached through ImGui's io.UserData; internal to
/// canvas/.

#include <memory>

#include "ui/canvas/fonts.h"
#include "ui/canvas/input.h"

namespace hmmscope::ui {

struct FrameState {
  CanvasSize size;
  CanvasInput input;
  std::shared_ptr<const FontAtlas> fonts;
  float last_x = 0, last_y = 0;    ///< mouse in the previous frame
  float press_x = 0, press_y = 0;  ///< where the left button went down
  bool was_down = false;
  bool pressed = false;        ///< went down in this frame
  bool released = false;       ///< went up in this frame
  bool dragged = false;        ///< moved further than a click may since it went down
  bool another_frame = false;  ///< a panel asked for one more frame

  void begin(const CanvasSize& new_size, const CanvasInput& new_input);
};

}  // namespace hmmscope::ui
