// Sizes of the docks in a window that is not as large as the one whose layout was kept.
#include <gtest/gtest.h>

#include <QSettings>
#include <QTemporaryDir>
#include <QTest>

#include "app/gui/dock.h"
#include "app/gui/main_window.h"

namespace hmmscope::app {
namespace {

class KeptLayout : public testing::Test {
 protected:
  /// Height of the timeline's dock in a window of this size, which comes up with what the one before kept, and where
  /// somebody then makes it about `pulled_to` high (0: nobody does).
  int timeline_height(QSize size, int pulled_to = 0) {
    WindowSetup setup;
    setup.settings = &settings_;
    MainWindow window(setup);
    window.restore_state();
    window.resize(size);
    window.show();
    (void)QTest::qWaitForWindowExposed(&window);
    Dock* const timeline = window.dock(QStringLiteral("timeline"));
    settle(*timeline);
    if (pulled_to != 0) {
      settings_.setValue(QStringLiteral("window/by_hand"), true);
      window.resizeDocks({window.dock(QStringLiteral("lesson")), timeline}, {size.height() - pulled_to, pulled_to}, Qt::Vertical);
      settle(*timeline);
    }
    const int height = timeline->height();
    window.close();
    return height;
  }

  /// Until nothing moves any more, however slow the machine is.
  static void settle(const Dock& dock) {
    for (int same = 0, height = -1; same < 4; same = dock.height() == height ? same + 1 : 0) {
      height = dock.height();
      QTest::qWait(20);
    }
  }

  QTemporaryDir folder_;
  QSettings settings_{folder_.filePath(QStringLiteral("w.ini")), QSettings::IniFormat};
};

TEST_F(KeptLayout, IsSizedForThisWindow) {
  const int usual = timeline_height({1680, 1040});
  timeline_height({800, 800});
  EXPECT_EQ(timeline_height({1680, 1040}), usual);
}

TEST_F(KeptLayout, OfSomebodysHandStaysTheirs) {
  const int usual = timeline_height({1680, 1040}), pulled = timeline_height({1680, 1040}, 400);
  ASSERT_GT(pulled, usual + 50);
  EXPECT_NEAR(timeline_height({1680, 1040}), pulled, 20) << "but for what the style rounds";
}

}  // namespace
}  // namespace hmmscope::app
