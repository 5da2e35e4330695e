#include "ui/canvas/canvas.h"

#include <imgui.h>

#include <algorithm>
#include <cmath>

#include "ui/canvas/fonts.h"
#include "ui/canvas/frame_state.h"
#include "ui/canvas/painter.h"
#include "ui/canvas/rasteriser.h"

namespace hmmscope::ui {
namespace {

constexpr float click_slack = 4;  ///< logical pixels a mouse may move and still click

/// ImGui keeps its current context in a global; this puts the previous one back.
class ContextScope {
 public:
  explicit ContextScope(ImGuiContext* context) : previous_(ImGui::GetCurrentContext()) {
    ImGui::SetCurrentContext(context);
  }
  ~ContextScope() { ImGui::SetCurrentContext(previous_); }
  ContextScope(const ContextScope&) = delete;
  ContextScope& operator=(const ContextScope&) = delete;

 private:
  ImGuiContext* previous_;
};

}  // namespace

void FrameState::begin(const CanvasSize& new_size, const CanvasInput& new_input) {
  size = new_size;
  last_x = input.mouse_x;
  last_y = input.mouse_y;
  input = new_input;
  pressed = input.button[0] && !was_down;
  released = !input.button[0] && was_down;
  was_down = input.button[0];
  if (pressed) {
    press_x = last_x = input.mouse_x;
    press_y = last_y = input.mouse_y;
    dragged = false;
  } else if (was_down || released) {
    dragged = dragged || std::abs(input.mouse_x - press_x) > click_slack ||
              std::abs(input.mouse_y - press_y) > click_slack;
  }
  another_frame = false;
}

struct Canvas::Impl {
  std::unique_ptr<Panel> panel;
  std::shared_ptr<FontCache> fonts;
  FrameState state;
  ImGuiContext* context = nullptr;
};

Canvas::Canvas(std::unique_ptr<Panel> panel, std::shared_ptr<FontCache> fonts)
    : impl_(std::make_unique<Impl>()) {
  impl_->panel = std::move(panel);
  impl_->fonts = fonts != nullptr ? std::move(fonts) : std::make_shared<FontCache>();
  impl_->state.fonts = impl_->fonts->at(1);
  // A context is made current by CreateContext only when there was none.
  ImGuiContext* previous = ImGui::GetCurrentContext();
  impl_->context = ImGui::CreateContext(impl_->state.fonts->atlas());
  ImGui::SetCurrentContext(previous);
  const ContextScope scope(impl_->context);
  ImGuiIO& io = ImGui::GetIO();
  io.IniFilename = nullptr;
  io.LogFilename = nullptr;
  io.UserData = &impl_->state;
  io.BackendFlags |= ImGuiBackendFlags_RendererHasVtxOffset;
  io.DeltaTime = 1.0f / 60;
  ImGuiStyle& style = ImGui::GetStyle();
  style.AntiAliasedLinesUseTex = false;  // the atlas bakes no lines
  style.WindowPadding = {0, 0};
  style.WindowBorderSize = 0;
  style.WindowRounding = 0;
  style.WindowMinSize = {1, 1};
}

Canvas::~Canvas() {
  ImGuiContext* previous = ImGui::GetCurrentContext();
  ImGui::DestroyContext(impl_->context);
  if (previous != impl_->context) ImGui::SetCurrentContext(previous);
}

Panel& Canvas::panel() { return *impl_->panel; }

void Canvas::frame(const CanvasSize& size, const CanvasInput& input, const ViewContext& view,
                   Intents& intents) {
  const ContextScope scope(impl_->context);
  FrameState& state = impl_->state;
  state.begin({std::max(1, size.width), std::max(1, size.height), std::clamp(size.scale, 0.5f, 8.0f)}, input);
  state.fonts = impl_->fonts->at(state.size.scale);
  ImGuiIO& io = ImGui::GetIO();
  io.Fonts = state.fonts->atlas();
  io.FontDefault = state.fonts->font(Font::text);
  io.DisplaySize = {std::round(static_cast<float>(state.size.width) * state.size.scale),
                    std::round(static_cast<float>(state.size.height) * state.size.scale)};
  io.DisplayFramebufferScale = {1, 1};
  io.MousePos = input.mouse_x < 0
                    ? ImVec2(-FLT_MAX, -FLT_MAX)
                    : ImVec2(input.mouse_x * state.size.scale, input.mouse_y * state.size.scale);
  ImGui::NewFrame();
  ImGui::SetNextWindowPos({0, 0});
  ImGui::SetNextWindowSize(io.DisplaySize);
  ImGui::Begin("canvas", nullptr,
               ImGuiWindowFlags_NoDecoration | ImGuiWindowFlags_NoMove | ImGuiWindowFlags_NoSavedSettings |
                   ImGuiWindowFlags_NoBackground | ImGuiWindowFlags_NoNav |
                   ImGuiWindowFlags_NoScrollWithMouse);
  impl_->panel->draw(view, intents);
  if (input.focused) {
    Painter painter(view.theme);
    painter.outline(painter.area(), painter.theme().accent, measure::radius_small, 2);
  }
  ImGui::End();
  ImGui::Render();
}

const ImDrawData* Canvas::draw_data() const {
  const ContextScope scope(impl_->context);
  return ImGui::GetDrawData();
}

bool Canvas::wants_another_frame() const { return impl_->state.another_frame; }

void Canvas::rasterise(Image& image) const {
  const ImDrawData* data = draw_data();
  if (data == nullptr) {
    image = {};
    return;
  }
  image.width = static_cast<int>(data->DisplaySize.x);
  image.height = static_cast<int>(data->DisplaySize.y);
  image.pixels.assign(static_cast<size_t>(image.width) * static_cast<size_t>(image.height), 0xff000000u);
  CoverageTexture texture;
  texture.texels = impl_->state.fonts->coverage(texture.width, texture.height);
  rasterise_draw_data(*data, texture, image);
}

void Canvas::font_atlas(const uint8_t*& rgba, int& width, int& height, uint64_t& generation) const {
  rgba = impl_->state.fonts->rgba(width, height);
  generation = impl_->state.fonts->generation();
}

}  // namespace hmmscope::ui
