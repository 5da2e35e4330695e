#pragma once
/// Fonts for the canvases. Faces are found through fontconfig (Inter for text, JetBrains Mono for numbers,
/// else DejaVu, else whatever the desktop offers) and baked at the device pixel ratio, so that text is crisp
/// at every scale.
///
/// One FontCache is shared by the canvases of a window: the atlas of a scale is built once. Threads: the
/// thread of the canvases; what prepare() starts runs beside it.

#include <cstdint>
#include <future>
#include <map>
#include <memory>
#include <string>

struct ImFont;
struct ImFontAtlas;

namespace hmmscope::ui {

/// The few text styles there are.
enum class Font : uint8_t { text, strong, small, title, mono, mono_small, mono_tiny, count_ };

struct FontFile {
  std::string path;  ///< empty when nothing was found
  int index = 0;     ///< face in a collection
};
/// The best installed face; `fallback` is asked for when `family` is not installed. Weight in fontconfig's
/// scale.
FontFile find_font(const char* family, const char* fallback, int weight);

class FontAtlas {
 public:
  FontAtlas(float scale, uint64_t generation);
  ~FontAtlas();
  FontAtlas(const FontAtlas&) = delete;
  FontAtlas& operator=(const FontAtlas&) = delete;

  ImFontAtlas* atlas() const { return atlas_.get(); }
  ImFont* font(Font which) const { return fonts_[static_cast<size_t>(which)]; }
  uint64_t generation() const { return generation_; }
  const uint8_t* coverage(int& width, int& height) const;  ///< one byte a texel
  const uint8_t* rgba(int& width, int& height) const;

 private:
  std::unique_ptr<ImFontAtlas> atlas_;
  ImFont* fonts_[static_cast<size_t>(Font::count_)] = {};
  uint64_t generation_;
};

class FontCache {
 public:
  /// Begins to build the atlas of a scale on a thread of its own; at() waits for it. Only before the first
  /// canvas is made: ImGui counts allocations in whatever context is current.
  void prepare(float scale);
  /// The atlas for device pixels = logical pixels * scale, built on first use.
  std::shared_ptr<const FontAtlas> at(float scale);

 private:
  using Atlas = std::shared_ptr<const FontAtlas>;
  const std::shared_future<Atlas>& begin(float scale, std::launch policy);
  std::map<int, std::shared_future<Atlas>> atlases_;  ///< key: scale in 1/64
  uint64_t generations_ = 0;
};

}  // namespace hmmscope::ui
