#include "app/gui/canvas_input.h"

#include <QKeyEvent>
#include <QMouseEvent>
#include <QWheelEvent>

namespace hmmscope::app {
namespace {

constexpr float wheel_notch = 120;      // eighths of a degree times 8: Qt's unit for one notch
constexpr float pixels_per_notch = 40;  // touch pads report pixels

void set_modifiers(ui::CanvasInput& input, Qt::KeyboardModifiers modifiers) {
  input.ctrl = modifiers.testFlag(Qt::ControlModifier);
  input.shift = modifiers.testFlag(Qt::ShiftModifier);
  input.alt = modifiers.testFlag(Qt::AltModifier);
}

}  // namespace

void CanvasInputState::mouse(const QMouseEvent& event) {
  input_.mouse_x = static_cast<float>(event.position().x() / zoom_);
  input_.mouse_y = static_cast<float>(event.position().y() / zoom_);
  input_.button[0] = event.buttons().testFlag(Qt::LeftButton);
  input_.button[1] = event.buttons().testFlag(Qt::RightButton);
  input_.button[2] = event.buttons().testFlag(Qt::MiddleButton);
  set_modifiers(input_, event.modifiers());
}

void CanvasInputState::wheel(const QWheelEvent& event) {
  input_.mouse_x = static_cast<float>(event.position().x() / zoom_);
  input_.mouse_y = static_cast<float>(event.position().y() / zoom_);
  set_modifiers(input_, event.modifiers());
  if (!event.pixelDelta().isNull()) {
    input_.wheel_x += static_cast<float>(event.pixelDelta().x()) / pixels_per_notch;
    input_.wheel_y += static_cast<float>(event.pixelDelta().y()) / pixels_per_notch;
  } else {
    input_.wheel_x += static_cast<float>(event.angleDelta().x()) / wheel_notch;
    input_.wheel_y += static_cast<float>(event.angleDelta().y()) / wheel_notch;
  }
}

void CanvasInputState::leave() { input_.mouse_x = input_.mouse_y = -1; }

std::optional<ui::Key> CanvasInputState::canvas_key(const QKeyEvent& event) {
  const Qt::KeyboardModifiers modifiers = event.modifiers() & ~(Qt::KeypadModifier | Qt::ShiftModifier);
  if (modifiers != Qt::NoModifier) return std::nullopt;
  const bool shift = event.modifiers().testFlag(Qt::ShiftModifier);
  switch (event.key()) {
    case Qt::Key_Left:
      return shift ? std::optional(ui::Key::left) : std::nullopt;
    case Qt::Key_Right:
      return shift ? std::optional(ui::Key::right) : std::nullopt;
    case Qt::Key_Up:
      return ui::Key::up;
    case Qt::Key_Down:
      return ui::Key::down;
    case Qt::Key_Home:
      return ui::Key::home;
    case Qt::Key_End:
      return ui::Key::end;
    case Qt::Key_PageUp:
      return ui::Key::page_up;
    case Qt::Key_PageDown:
      return ui::Key::page_down;
    case Qt::Key_Return:
    case Qt::Key_Enter:
      return ui::Key::enter;
    case Qt::Key_Space:
      return ui::Key::space;
    case Qt::Key_Plus:
    case Qt::Key_Equal:
      return ui::Key::plus;
    case Qt::Key_Minus:
      return ui::Key::minus;
    default:
      return std::nullopt;
  }
}

bool CanvasInputState::key(const QKeyEvent& event) {
  const auto key = canvas_key(event);
  if (!key) return false;
  set_modifiers(input_, event.modifiers());
  input_.keys.push_back(*key);
  return true;
}

void CanvasInputState::frame_done() {
  input_.wheel_x = input_.wheel_y = 0;
  input_.keys.clear();
}

}  // namespace hmmscope::app
