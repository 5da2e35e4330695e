#pragma once
/// A panel on a canvas with a document and a cursor, driven as the window drives it.

#include <string>

#include "engine/recording/keyframes.h"
#include "tests/ui/demo.h"
#include "ui/canvas/canvas.h"

namespace hmmscope::ui::test {

class Stage {
 public:
  Stage(std::string_view panel, std::shared_ptr<const traces::Document> document, StepIndex position = 0)
      : document_(std::move(document)), canvas_(make_panel(panel), shared_fonts()) {
    if (document_ == nullptr) return;
    cursor_ = std::make_unique<Cursor>(document_->recording, document_->keyframes);
    cursor_->seek(position);
    view.document = document_.get();
    view.cursor = cursor_.get();
    view.layout = document_->model.hmm_pfn;
    view.geometry = find_geometry("x86-64");
  }

  Cursor& cursor() { return *cursor_; }
  Canvas& canvas() { return canvas_; }
  const traces::Document& document() const { return *document_; }

  Intents frame(const CanvasInput& input = {}) {
    Intents intents;
    canvas_.frame(size, input, view, intents);
    return intents;
  }
  Image picture(const CanvasInput& input = {}) {
    frame(input);
    Image image;
    canvas_.rasterise(image);
    return image;
  }
  Intents click(float x, float y) {
    CanvasInput input;
    input.mouse_x = x;
    input.mouse_y = y;
    Intents all = frame(input);
    input.button[0] = true;
    for (auto& intent : frame(input)) all.push_back(std::move(intent));
    input.button[0] = false;
    for (auto& intent : frame(input)) all.push_back(std::move(intent));
    return all;
  }
  Intents key(Key key) {
    CanvasInput input;
    input.focused = true;
    input.keys = {key};
    return frame(input);
  }

  ViewContext view;
  CanvasSize size{900, 360, 1};

 private:
  /// Building an atlas takes longer than a frame; the tests share one cache as the window's canvases do.
  static std::shared_ptr<FontCache> shared_fonts() {
    static const auto fonts = std::make_shared<FontCache>();
    return fonts;
  }

  std::shared_ptr<const traces::Document> document_;
  std::unique_ptr<Cursor> cursor_;
  Canvas canvas_;
};

}  // namespace hmmscope::ui::test
