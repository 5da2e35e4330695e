#pragma once
/// Colours and measures of the window. Every panel, lesson and export takes its colours from here, so that a
/// colour has one meaning everywhere. Field colours are derived from the Okabe-Ito palette (safe for the
/// colour-blind) and are never the only sign of anything.
///
/// Measures are logical pixels: spacing in steps of 4, radii of 4 to 8. Text colours reach a contrast
/// of 4.5:1 on every surface they are used on (tests/ui/theme_test.cpp computes it).

#include <cstdint>

#include "engine/encoding/layout.h"
#include "ui/view.h"

namespace hmmscope::ui {

using Color = uint32_t;  ///< 0xAABBGGRR, R in the lowest byte, not premultiplied

constexpr Color rgb(uint32_t hex, uint32_t alpha = 255) {
  return (alpha << 24) | ((hex & 0xff) << 16) | (hex & 0xff00) | ((hex >> 16) & 0xff);
}
constexpr Color with_alpha(Color color, uint32_t alpha) { return (color & 0x00ffffffu) | (alpha << 24); }
/// `over` at `parts`/255 on top of `under`; opaque result.
Color mix(Color under, Color over, uint32_t parts);
/// Contrast of two opaque colours as WCAG 2 defines it, 1..21.
double contrast(Color a, Color b);

namespace measure {
inline constexpr float unit = 4, gap = 8, margin = 16;
inline constexpr float radius_small = 4, radius = 6;
inline constexpr float row = 20;  ///< one line of a list
}  // namespace measure

struct Theme {
  ThemeKind kind;
  Color window;                        ///< behind the panels
  Color surface;                       ///< a panel
  Color raised;                        ///< a card on a panel
  Color sunken;                        ///< a track or a table column in a panel
  Color border;                        ///< hairlines
  Color border_strong;                 ///< cell outlines
  Color text, text_muted, text_faint;  ///< three weights; all of them readable on surface, raised and sunken
  Color accent;                        ///< the one accent: lines, outlines, text
  Color accent_fill;                   ///< selected background
  Color on_accent_fill;
  Color good, warning, bad;  ///< text and marks of agreement, doubt, error
  Color bad_fill, good_fill;
  Color changed;   ///< outline of what this step changed
  Color on_field;  ///< text on a solid field colour

  /// Solid colour of a field. The same role has the same colour everywhere.
  Color field(Role role) const;
  /// A colour of the same hue that is readable as text on the panel.
  Color field_text(Role role) const;
};

const Theme& theme(ThemeKind kind);

}  // namespace hmmscope::ui
