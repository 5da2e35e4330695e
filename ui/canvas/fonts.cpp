#include "ui/canvas/fonts.h"

#include <fontconfig/fontconfig.h>
#include <imgui.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <vector>

namespace hmmscope::ui {
namespace {

struct Style {
  Font font;
  const char* family;
  const char* fallback;
  int weight;
  float size;  ///< em size in logical pixels, as in CSS
};

constexpr std::array styles{
    Style{Font::text, "Inter", "DejaVu Sans", FC_WEIGHT_REGULAR, 13},
    Style{Font::strong, "Inter", "DejaVu Sans", FC_WEIGHT_DEMIBOLD, 13},
    Style{Font::small, "Inter", "DejaVu Sans", FC_WEIGHT_REGULAR, 12},
    Style{Font::title, "Inter", "DejaVu Sans", FC_WEIGHT_DEMIBOLD, 16},
    Style{Font::mono, "JetBrains Mono", "DejaVu Sans Mono", FC_WEIGHT_REGULAR, 12.5f},
    Style{Font::mono_small, "JetBrains Mono", "DejaVu Sans Mono", FC_WEIGHT_REGULAR, 11.5f},
    Style{Font::mono_tiny, "JetBrains Mono", "DejaVu Sans Mono", FC_WEIGHT_REGULAR, 10},
};

// Latin, general punctuation, sub/superscripts, arrows, mathematical operators, box drawing, geometric
// shapes, marks.
constexpr ImWchar glyph_ranges[] = {0x20,   0x17f,  0x2010, 0x2027, 0x2030, 0x203a, 0x2070, 0x2089,
                                    0x2190, 0x2199, 0x2208, 0x2208, 0x2212, 0x2212, 0x2227, 0x2229,
                                    0x2248, 0x2248, 0x2260, 0x2265, 0x2500, 0x251c, 0x25a0, 0x25a1,
                                    0x25b2, 0x25c6, 0x25cb, 0x25cf, 0x2713, 0x2717, 0};

uint32_t big_endian(const std::vector<uint8_t>& bytes, size_t offset, int count) {
  uint32_t value = 0;
  for (int i = 0; i < count; ++i) value = (value << 8) | bytes[offset + static_cast<size_t>(i)];
  return value;
}

std::vector<uint8_t> read_at(FILE* file, long offset, size_t count) {
  std::vector<uint8_t> bytes(count);
  if (std::fseek(file, offset, SEEK_SET) != 0 || std::fread(bytes.data(), 1, count, file) != count)
    bytes.clear();
  return bytes;
}

/// (ascender - descender) / em of an OpenType face: ImGui asks for the former, people think in the
/// latter. 1.2 when the file is odd.
float line_to_em(const FontFile& font) {
  constexpr float usual = 1.2f;
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(font.path.c_str(), "rb"), std::fclose);
  if (file == nullptr) return usual;
  long start = 0;
  auto head = read_at(file.get(), 0, 16);
  if (head.empty()) return usual;
  if (std::memcmp(head.data(), "ttcf", 4) == 0) {
    const auto entry = read_at(file.get(), 12 + 4L * font.index, 4);
    if (entry.empty()) return usual;
    start = static_cast<long>(big_endian(entry, 0, 4));
    head = read_at(file.get(), start, 16);
    if (head.empty()) return usual;
  }
  const uint32_t tables = big_endian(head, 4, 2);
  const auto directory = read_at(file.get(), start + 12, size_t{16} * tables);
  float em = 0, line = 0;
  for (size_t i = 0; i * 16 + 16 <= directory.size(); ++i) {
    const long offset = static_cast<long>(big_endian(directory, i * 16 + 8, 4));
    if (std::memcmp(directory.data() + i * 16, "head", 4) == 0) {
      const auto units = read_at(file.get(), offset + 18, 2);
      if (!units.empty()) em = static_cast<float>(big_endian(units, 0, 2));
    } else if (std::memcmp(directory.data() + i * 16, "hhea", 4) == 0) {
      const auto metrics = read_at(file.get(), offset + 4, 4);
      if (!metrics.empty()) {
        line = static_cast<float>(static_cast<int16_t>(big_endian(metrics, 0, 2)) -
                                  static_cast<int16_t>(big_endian(metrics, 2, 2)));
      }
    }
  }
  return em > 0 && line > em / 2 ? line / em : usual;
}

bool same_family(FcPattern* found, const char* family) {
  FcChar8* name = nullptr;
  for (int i = 0; FcPatternGetString(found, FC_FAMILY, i, &name) == FcResultMatch; ++i) {
    if (FcStrCmpIgnoreCase(name, reinterpret_cast<const FcChar8*>(family)) == 0) return true;
  }
  return false;
}

FontFile match(const char* family, int weight, bool any) {
  FcPattern* pattern = FcPatternCreate();
  FcPatternAddString(pattern, FC_FAMILY, reinterpret_cast<const FcChar8*>(family));
  FcPatternAddInteger(pattern, FC_WEIGHT, weight);
  FcPatternAddInteger(pattern, FC_SLANT, FC_SLANT_ROMAN);
  FcPatternAddBool(pattern, FC_VARIABLE, FcFalse);
  FcPatternAddBool(pattern, FC_OUTLINE, FcTrue);
  FcConfigSubstitute(nullptr, pattern, FcMatchPattern);
  FcDefaultSubstitute(pattern);
  FcResult result = FcResultNoMatch;
  FcPattern* found = FcFontMatch(nullptr, pattern, &result);
  FontFile file;
  FcChar8* path = nullptr;
  if (found != nullptr && (any || same_family(found, family)) &&
      FcPatternGetString(found, FC_FILE, 0, &path) == FcResultMatch) {
    file.path = reinterpret_cast<const char*>(path);
    FcPatternGetInteger(found, FC_INDEX, 0, &file.index);
    file.index &= 0xffff;
  }
  if (found != nullptr) FcPatternDestroy(found);
  FcPatternDestroy(pattern);
  return file;
}

}  // namespace

FontFile find_font(const char* family, const char* fallback, int weight) {
  FontFile file = match(family, weight, false);
  if (file.path.empty()) file = match(fallback, weight, true);
  return file;
}

FontAtlas::FontAtlas(float scale, uint64_t generation)
    : atlas_(std::make_unique<ImFontAtlas>()), generation_(generation) {
  atlas_->Flags = ImFontAtlasFlags_NoMouseCursors | ImFontAtlasFlags_NoBakedLines;
  for (const Style& style : styles) {
    const FontFile file = find_font(style.family, style.fallback, style.weight);
    ImFontConfig config;
    config.OversampleH = scale >= 2 ? 2 : 3;
    config.OversampleV = 1;
    config.FontNo = file.index;
    ImFont* font = nullptr;
    if (!file.path.empty()) {
      const float pixels = style.size * scale * line_to_em(file);
      font = atlas_->AddFontFromFileTTF(file.path.c_str(), pixels, &config, glyph_ranges);
    }
    if (font == nullptr) {
      config.SizePixels = std::round(style.size * scale);
      font = atlas_->AddFontDefault(&config);
    }
    fonts_[static_cast<size_t>(style.font)] = font;
  }
  atlas_->Build();
}

FontAtlas::~FontAtlas() = default;

const uint8_t* FontAtlas::coverage(int& width, int& height) const {
  uint8_t* texels = nullptr;
  atlas_->GetTexDataAsAlpha8(&texels, &width, &height);
  return texels;
}

const uint8_t* FontAtlas::rgba(int& width, int& height) const {
  uint8_t* texels = nullptr;
  atlas_->GetTexDataAsRGBA32(&texels, &width, &height);
  return texels;
}

const std::shared_future<FontCache::Atlas>& FontCache::begin(float scale, std::launch policy) {
  auto& atlas = atlases_[static_cast<int>(std::lround(scale * 64))];
  if (!atlas.valid()) {
    atlas = std::async(policy, [scale, generation = ++generations_] {
              return Atlas(std::make_shared<const FontAtlas>(scale, generation));
            }).share();
  }
  return atlas;
}

void FontCache::prepare(float scale) {
  begin(scale, std::launch::async | std::launch::deferred);  // with no thread to be had, at() builds it
}

std::shared_ptr<const FontAtlas> FontCache::at(float scale) { return begin(scale, std::launch::deferred).get(); }

}  // namespace hmmscope::ui
