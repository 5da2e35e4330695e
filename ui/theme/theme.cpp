#include "ui/theme/theme.h"

#include <algorithm>
#include <cmath>

namespace hmmscope::ui {
namespace {

// The eight Okabe-Ito hues. Black is replaced by a neutral that works on both themes.
enum class Hue : uint8_t { neutral, orange, sky, green, yellow, blue, vermillion, purple };

constexpr Color fills[] = {rgb(0x8b97a6), rgb(0xe69f00), rgb(0x56b4e9), rgb(0x1fae86),
                           rgb(0xd9cf3c), rgb(0x4a90d0), rgb(0xe0743a), rgb(0xcc79a7)};
constexpr Color dark_texts[] = {rgb(0xa9b4c2), rgb(0xf0b13a), rgb(0x6cc0ef), rgb(0x35c79c),
                                rgb(0xe3da5c), rgb(0x76afe6), rgb(0xf09163), rgb(0xdd97bd)};
constexpr Color light_texts[] = {rgb(0x4f5b69), rgb(0x8a5a00), rgb(0x0b6799), rgb(0x0a6b50),
                                 rgb(0x6b6200), rgb(0x1f5f9e), rgb(0xa3470f), rgb(0x93406c)};

Hue hue_of(Role role) {
  switch (role) {
    case Role::valid:
    case Role::present:
      return Hue::green;
    case Role::write:
    case Role::dirty:
    case Role::saved_dirty:
      return Hue::orange;
    case Role::error:
    case Role::no_execute:
    case Role::locked:
      return Hue::vermillion;
    case Role::order:
    case Role::huge:
    case Role::compound:
      return Hue::sky;
    case Role::dma_mapped:
    case Role::p2pdma:
    case Role::p2pdma_bus:
    case Role::device_private:
    case Role::devmap:
    case Role::exclusive:
      return Hue::purple;
    case Role::migrate:
    case Role::swap_type:
    case Role::select:
      return Hue::yellow;
    case Role::read:
    case Role::user:
    case Role::accessed:
    case Role::global:
    case Role::soft_dirty:
    case Role::uffd_wp:
      return Hue::blue;
    case Role::none:
    case Role::pfn:
    case Role::special:
    case Role::empty:
    case Role::pkey:
    case Role::cache:
    case Role::swap_offset:
    case Role::table_address:
    case Role::hw:
      return Hue::neutral;
  }
  return Hue::neutral;
}

constexpr Theme dark_theme{
    .kind = ThemeKind::dark,
    .window = rgb(0x0c1016),
    .surface = rgb(0x141a22),
    .raised = rgb(0x1b232d),
    .sunken = rgb(0x0f141b),
    .border = rgb(0x26303c),
    .border_strong = rgb(0x3a4757),
    .text = rgb(0xe4eaf1),
    .text_muted = rgb(0xa3afbd),
    .text_faint = rgb(0x8491a1),
    .accent = rgb(0x56b4e9),
    .accent_fill = rgb(0x14384d),
    .on_accent_fill = rgb(0xf2f8fc),
    .good = rgb(0x35c79c),
    .warning = rgb(0xe8b64c),
    .bad = rgb(0xff7b7b),
    .bad_fill = rgb(0x4a1d22),
    .good_fill = rgb(0x15352b),
    .changed = rgb(0xffffff),
    .on_field = rgb(0x0b0f14),
};

constexpr Theme light_theme{
    .kind = ThemeKind::light,
    .window = rgb(0xe9edf2),
    .surface = rgb(0xffffff),
    .raised = rgb(0xf4f7fa),
    .sunken = rgb(0xeef2f6),
    .border = rgb(0xd5dce4),
    .border_strong = rgb(0xa9b5c2),
    .text = rgb(0x17202a),
    .text_muted = rgb(0x485565),
    .text_faint = rgb(0x5c6978),
    .accent = rgb(0x0b6fa8),
    .accent_fill = rgb(0xd6ebf8),
    .on_accent_fill = rgb(0x0b2f47),
    .good = rgb(0x0a6b50),
    .warning = rgb(0x855300),
    .bad = rgb(0xb3261e),
    .bad_fill = rgb(0xfadcd9),
    .good_fill = rgb(0xd5efe5),
    .changed = rgb(0x0b0f14),
    .on_field = rgb(0x0b0f14),
};

double linear(uint32_t channel) {
  const double value = channel / 255.0;
  return value <= 0.04045 ? value / 12.92 : std::pow((value + 0.055) / 1.055, 2.4);
}

double luminance(Color color) {
  return 0.2126 * linear(color & 0xff) + 0.7152 * linear((color >> 8) & 0xff) +
         0.0722 * linear((color >> 16) & 0xff);
}

}  // namespace

Color mix(Color under, Color over, uint32_t parts) {
  Color result = 0xff000000u;
  for (int shift = 0; shift < 24; shift += 8) {
    const uint32_t a = (under >> shift) & 0xff, b = (over >> shift) & 0xff;
    result |= ((a * (255 - parts) + b * parts + 127) / 255) << shift;
  }
  return result;
}

double contrast(Color a, Color b) {
  const double first = luminance(a), second = luminance(b);
  return (std::max(first, second) + 0.05) / (std::min(first, second) + 0.05);
}

Color Theme::field(Role role) const { return fills[static_cast<size_t>(hue_of(role))]; }

Color Theme::field_text(Role role) const {
  const auto index = static_cast<size_t>(hue_of(role));
  return kind == ThemeKind::dark ? dark_texts[index] : light_texts[index];
}

const Theme& theme(ThemeKind kind) { return kind == ThemeKind::dark ? dark_theme : light_theme; }

}  // namespace hmmscope::ui
