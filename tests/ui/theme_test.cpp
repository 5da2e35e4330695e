#include "ui/theme/theme.h"

#include <gtest/gtest.h>

namespace hmmscope::ui {
namespace {

constexpr double readable = 4.5;

class ThemeContrast : public testing::TestWithParam<ThemeKind> {};

TEST_P(ThemeContrast, TextIsReadableOnEverySurfaceItStandsOn) {
  const Theme& t = theme(GetParam());
  for (const Color surface : {t.surface, t.raised, t.sunken, t.window}) {
    for (const Color text : {t.text, t.text_muted, t.text_faint, t.good, t.warning, t.bad}) {
      EXPECT_GE(contrast(text, surface), readable) << std::hex << text << " on " << surface;
    }
  }
  EXPECT_GE(contrast(t.on_accent_fill, t.accent_fill), readable);
  EXPECT_GE(contrast(t.accent, t.surface), readable);
  EXPECT_GE(contrast(t.bad, t.bad_fill), readable);
  EXPECT_GE(contrast(t.good, t.good_fill), readable);
  EXPECT_GE(contrast(t.surface, t.changed), readable);
}

TEST_P(ThemeContrast, EveryFieldIsReadable) {
  const Theme& t = theme(GetParam());
  for (int i = 0; i <= static_cast<int>(Role::select); ++i) {
    const auto role = static_cast<Role>(i);
    for (const Color surface : {t.surface, t.raised})
      EXPECT_GE(contrast(t.field_text(role), surface), readable) << "role " << i;
    EXPECT_GE(contrast(t.on_field, t.field(role)), readable) << "role " << i;
  }
}

TEST_P(ThemeContrast, OutlinesOfWhatChangedStandOut) {
  const Theme& t = theme(GetParam());
  EXPECT_GE(contrast(t.changed, t.surface), 10);
  EXPECT_GE(contrast(t.accent, t.surface), 3);
}

INSTANTIATE_TEST_SUITE_P(Themes, ThemeContrast, testing::Values(ThemeKind::dark, ThemeKind::light));

TEST(Theme, ContrastIsThatOfTheStandard) {
  EXPECT_NEAR(contrast(rgb(0xffffff), rgb(0x000000)), 21, 1e-9);
  EXPECT_NEAR(contrast(rgb(0x777777), rgb(0xffffff)), 4.48, 0.01);  // the textbook near miss
  EXPECT_NEAR(contrast(rgb(0x336699), rgb(0x336699)), 1, 1e-9);
}

TEST(Theme, AFieldHasOneColourInBothThemes) {
  for (int i = 0; i <= static_cast<int>(Role::select); ++i) {
    EXPECT_EQ(theme(ThemeKind::dark).field(static_cast<Role>(i)),
              theme(ThemeKind::light).field(static_cast<Role>(i)));
  }
}

}  // namespace
}  // namespace hmmscope::ui
