#include <gtest/gtest.h>

#include <QAccessible>
#include <QApplication>
#include <QDragEnterEvent>
#include <QMenu>
#include <QMimeData>
#include <QMouseEvent>
#include <QSettings>
#include <QTableView>
#include <QTemporaryDir>
#include <QTest>
#include <QUrl>
#include <fstream>

#include "app/gui/canvas_panel.h"
#include "app/gui/command_palette.h"
#include "app/gui/desktop_theme.h"
#include "app/gui/dock.h"
#include "app/gui/lesson_view.h"
#include "app/gui/main_window.h"
#include "app/gui/message_bar.h"
#include "app/gui/tool_bar.h"
#include "engine/recording/recording_file.h"
#include "tests/gui/small_document.h"
#include "tests/gui/wait.h"
#include "ui/panels/lane_index.h"

namespace hmmscope::app {
namespace {

/// Runs the event loop until `done`; false after ten seconds.
class Window : public testing::Test {
 protected:
  WindowSetup setup() {
    WindowSetup setup;
    setup.settings = &settings_;
    return setup;
  }
  QString saved_recording() {
    const QString path = folder_.filePath(QStringLiteral("small.hmmrec"));
    EXPECT_TRUE(RecordingFile::save(*test::small_document()->recording, path.toStdString()));
    return path;
  }
  QTemporaryDir folder_;
  QSettings settings_{folder_.filePath(QStringLiteral("w.ini")), QSettings::IniFormat};
};

TEST_F(Window, BindsEveryActionOfTheTable) {
  MainWindow window(setup());
  EXPECT_EQ(window.actions().unbound(), QStringList());
}

TEST_F(Window, EveryActionSurvivesAnEmptyWindow) {
  MainWindow window(setup());
  window.show();
  for (QAction* action : window.actions().actions()) {
    const QString id = ActionRegistry::id(action);
    // These wait for a person.
    if (id.startsWith(QLatin1String("file.open")) || id == QLatin1String("file.sample") ||
        id == QLatin1String("edit.shortcuts") || id == QLatin1String("help.about") ||
        id == QLatin1String("file.quit")) {
      continue;
    }
    action->trigger();
    QCoreApplication::processEvents();
  }
  EXPECT_TRUE(window.isVisible());
  EXPECT_EQ(window.session().document(), nullptr);
}

TEST_F(Window, OffscreenCanvasesAreNotBlank) {
  MainWindow window(setup());
  window.show();
  window.show_document(test::small_document(), 5);
  QTest::qWait(50);
  for (const char* id : {"walk", "bits", "decision", "history", "timeline"}) {
    CanvasPanel* panel = window.canvas(QString::fromLatin1(id));
    ASSERT_NE(panel, nullptr) << id;
    const QImage picture = panel->surface()->grab().toImage();
    ASSERT_GT(picture.width(), 50) << id;
    QSet<QRgb> colours;
    for (int y = 0; y < picture.height(); y += 2) {
      for (int x = 0; x < picture.width(); x += 2) colours.insert(picture.pixel(x, y));
    }
    EXPECT_GT(colours.size(), 8) << id << " is blank";
  }
}

TEST_F(Window, AnIdleWindowRunsNoFrames) {
  MainWindow window(setup());
  window.show();
  window.show_document(test::small_document(), 5);
  QTest::qWait(500);
  const CanvasDriver& bits = window.canvas(QStringLiteral("bits"))->driver();
  const CanvasDriver& timeline = window.canvas(QStringLiteral("timeline"))->driver();
  const uint64_t before = bits.frames() + timeline.frames();
  ASSERT_GT(before, 0u);
  QTest::qWait(300);
  EXPECT_EQ(bits.frames() + timeline.frames(), before);
  window.session().seek(6);
  QTest::qWait(50);
  EXPECT_GT(bits.frames() + timeline.frames(), before);
}

TEST_F(Window, KeysStepAndACanvasKeepsItsArrows) {
  MainWindow window(setup());
  window.show();
  window.show_document(test::small_document(), 3);
  window.activateWindow();
  QTest::qWait(20);
  QTest::keyClick(&window, Qt::Key_F11);
  EXPECT_EQ(window.session().position(), 4u);
  QTest::keyClick(&window, Qt::Key_F10, Qt::ShiftModifier);
  EXPECT_EQ(window.session().position(), 1u);
  QTest::keyClick(&window, Qt::Key_F10);
  EXPECT_EQ(window.session().position(), 4u);
  QWidget* bits = window.canvas(QStringLiteral("bits"))->surface();
  bits->setFocus();
  const int bit = window.session().selection().bit;
  QTest::keyClick(bits, Qt::Key_Right, Qt::ShiftModifier);
  EXPECT_TRUE(wait_for([&] { return window.session().selection().bit != bit; }));
  EXPECT_EQ(window.session().position(), 4u);
  QTest::keyClick(bits, Qt::Key_Tab);
  EXPECT_FALSE(bits->hasFocus());
}

TEST_F(Window, OpensAFileOffTheUiThreadAndRestoresThePlace) {
  const QString path = saved_recording();
  {
    MainWindow window(setup());
    window.show();
    window.open(path);
    EXPECT_EQ(window.session().document(), nullptr);  // not on this thread
    ASSERT_TRUE(wait_for([&] { return window.session().document() != nullptr; }));
    EXPECT_EQ(window.session().position(), 1u);  // the first pfn that was written
    window.session().seek(6);
    window.session().select(test::pte, 1);
    window.session().toggle_bookmark(6);
    window.close();
  }
  MainWindow window(setup());
  window.restore_state();
  window.show();
  window.open(path);
  ASSERT_TRUE(wait_for([&] { return window.session().document() != nullptr; }));
  EXPECT_EQ(window.session().position(), 6u);
  EXPECT_EQ(window.session().selection().word, test::pte);
  EXPECT_EQ(window.session().bookmarks().size(), 1u);
}

TEST_F(Window, AnotherKernelModelOpensTheFileAgainAndKeepsThePlace) {
  MainWindow window(setup());
  window.show();
  window.open(QStringLiteral(HMMSCOPE_SOURCE_DIR "/lessons/scenarios/two-owners.json"),
              QStringLiteral("6.12-v9"));
  ASSERT_TRUE(wait_for([&] { return window.session().document() != nullptr; }));
  EXPECT_EQ(window.session().document()->model.id, "6.12-v9");
  window.session().seek(7);
  Q_EMIT window.findChild<ToolBar*>()->kernel_chosen(QStringLiteral("6.16"));
  ASSERT_TRUE(wait_for([&] { return window.session().document()->model.id == "6.16"; }));
  EXPECT_EQ(window.session().position(), 7u);
}

TEST_F(Window, TheEventTableFollowsTheCursorAndSeeks) {
  MainWindow window(setup());
  window.show();
  window.show_document(test::small_document(), 5);
  window.actions().action(QStringLiteral("view.events"))->trigger();
  QTest::qWait(20);
  auto* table = window.dock(QStringLiteral("events"))->findChild<QTableView*>();
  ASSERT_NE(table, nullptr);
  ASSERT_EQ(table->model()->rowCount(), 8);
  EXPECT_EQ(table->currentIndex().row(), 4);
  window.session().seek(2);
  EXPECT_EQ(table->currentIndex().row(), 1);
  table->setCurrentIndex(table->model()->index(6, 0));
  QTest::keyClick(table, Qt::Key_Return);
  EXPECT_EQ(window.session().position(), 7u);
}

TEST_F(Window, AFailureIsSaidAndTheOpenDocumentStays) {
  MainWindow window(setup());
  window.show();
  window.show_document(test::small_document(), 5);
  const QString path = folder_.filePath(QStringLiteral("broken.json"));
  std::ofstream(path.toStdString()) << "{\n  \"format\": \n";
  window.open(path);
  ASSERT_TRUE(wait_for([&] { return window.message_bar().isVisible(); }));
  EXPECT_TRUE(window.message_bar().text().contains(QStringLiteral("broken.json:")))
      << window.message_bar().text().toStdString();
  ASSERT_NE(window.session().document(), nullptr);
  EXPECT_EQ(window.session().document()->title, "small");
  EXPECT_EQ(window.session().position(), 5u);
}

TEST_F(Window, ACancelledLoadLeavesNothingBehind) {
  MainWindow window(setup());
  window.show();
  window.open(saved_recording());
  window.loader().cancel();
  EXPECT_FALSE(window.loader().busy());
  QTest::qWait(100);
  EXPECT_EQ(window.session().document(), nullptr);
}

TEST_F(Window, ALoadBringsTheTimelinesIndexWithIt) {
  MainWindow window(setup());
  window.show();
  window.open(saved_recording());
  ASSERT_TRUE(wait_for([&] { return window.session().document() != nullptr; }));
  const ui::ViewContext view = window.session().view();
  ASSERT_NE(view.lanes, nullptr);  // not left to the first frame
  EXPECT_EQ(view.lanes->steps(), window.session().steps());
}

TEST_F(Window, TheKernelMenuTicksWhatWasAskedFor) {
  MainWindow window(setup());
  window.show();
  const auto ticked = [&] {
    QMenu* menu = window.findChild<ToolBar*>()->findChildren<QMenu*>().at(1);
    Q_EMIT menu->aboutToShow();
    QStringList names;
    for (QAction* action : menu->actions()) {
      if (action->isCheckable() && action->isChecked()) names << action->text().section(QLatin1Char('\t'), 0, 0);
    }
    return names.value(0);
  };
  const QString path = QStringLiteral(HMMSCOPE_SOURCE_DIR "/traces/samples/6.12-snapshot.trace.txt");
  window.open(path);
  ASSERT_TRUE(wait_for([&] { return window.session().document() != nullptr; }));
  EXPECT_EQ(ticked(), QStringLiteral("As the file says"));
  window.open(path, QStringLiteral("6.15"));
  ASSERT_TRUE(wait_for([&] { return window.session().document()->model.id == "6.15"; }));
  EXPECT_EQ(ticked(), QString::fromStdString(kernel_model("6.15")->title));
}

TEST_F(Window, ATraceThatDoesNotSayItsKernelIsOpenedWithTheOneChosen) {
  const QString path = folder_.filePath(QStringLiteral("nameless.txt"));
  std::ofstream(path.toStdString()) << "              sh-55      [001] .....    75.000001: e: a=1\n";
  MainWindow window(setup());
  window.show();
  window.show_document(test::small_document(), 5);
  window.open(path);
  ASSERT_TRUE(wait_for([&] { return window.message_bar().isVisible(); }));
  EXPECT_FALSE(window.message_bar().text().contains(QStringLiteral("--kernel")));
  Q_EMIT window.findChild<ToolBar*>()->kernel_chosen(QStringLiteral("6.12"));
  ASSERT_TRUE(wait_for([&] { return window.session().document()->title == "nameless"; }));
  EXPECT_EQ(window.session().document()->model.id, "6.12");
  EXPECT_FALSE(window.message_bar().isVisible());
}

TEST_F(Window, AFileThatIsDroppedIsOpened) {
  MainWindow window(setup());
  window.show();
  QMimeData data;
  data.setUrls({QUrl::fromLocalFile(saved_recording()), QUrl::fromLocalFile(QStringLiteral("/second"))});
  QDragEnterEvent enter(QPoint(50, 50), Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
  QApplication::sendEvent(&window, &enter);
  EXPECT_TRUE(enter.isAccepted());
  QDropEvent drop(QPointF(50, 50), Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
  QApplication::sendEvent(&window, &drop);
  EXPECT_TRUE(wait_for([&] { return window.session().document() != nullptr; }));
  QMimeData text;
  text.setUrls({QUrl(QStringLiteral("https://example.org/a.json"))});
  QDragEnterEvent other(QPoint(50, 50), Qt::CopyAction, &text, Qt::LeftButton, Qt::NoModifier);
  other.ignore();
  QApplication::sendEvent(&window, &other);
  EXPECT_FALSE(other.isAccepted());
}

TEST_F(Window, ADroppedDirectoryIsRefusedWithWords) {
  MainWindow window(setup());
  window.show();
  QMimeData data;
  data.setUrls({QUrl::fromLocalFile(folder_.path())});
  QDragEnterEvent enter(QPoint(50, 50), Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
  QApplication::sendEvent(&window, &enter);
  QDropEvent drop(QPointF(50, 50), Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
  QApplication::sendEvent(&window, &drop);
  ASSERT_TRUE(wait_for([&] { return window.message_bar().isVisible(); }));
  EXPECT_TRUE(window.message_bar().text().contains(QStringLiteral("directory")));
}

TEST_F(Window, PanelsDoNotOverlapInTheSmallestWindow) {
  MainWindow window(setup());
  window.show();
  window.show_document(test::small_document(), 5);
  for (const QSize size : {window.minimumSize(), QSize(1280, 720), QSize(1680, 1040)}) {
    window.resize(size);
    QTest::qWait(30);
    ASSERT_EQ(window.size(), size);
    std::vector<Dock*> shown;
    for (Dock* dock : window.findChildren<Dock*>()) {
      if (dock->isVisible()) shown.push_back(dock);
    }
    ASSERT_GE(shown.size(), 6u);
    for (size_t i = 0; i < shown.size(); ++i) {
      const QRect a = shown[i]->geometry();
      EXPECT_TRUE(window.rect().contains(a)) << qPrintable(shown[i]->objectName()) << " at " << size.width();
      for (size_t k = i + 1; k < shown.size(); ++k) {
        EXPECT_FALSE(a.intersects(shown[k]->geometry()))
            << qPrintable(shown[i]->objectName() + shown[k]->objectName()) << " at " << size.width();
      }
    }
  }
}

TEST_F(Window, NotesDoNotPushThePanelsAbout) {
  MainWindow window(setup());
  window.show();
  window.show_document(test::small_document(), 5);
  QTest::qWait(30);
  const QRect walk = window.dock(QStringLiteral("walk"))->geometry();
  window.open(QStringLiteral("/does/not/exist"));
  ASSERT_TRUE(wait_for([&] { return window.message_bar().isVisible(); }));
  QTest::qWait(30);
  EXPECT_EQ(window.dock(QStringLiteral("walk"))->geometry(), walk);
  EXPECT_TRUE(window.rect().contains(
      QRect(window.message_bar().mapTo(&window, QPoint()), window.message_bar().size())));
  EXPECT_GT(window.message_bar().height(), 30);
}

TEST_F(Window, FollowsTheDesktopOnlyWhereItWasAskedTo) {
  MainWindow window(setup());
  window.show();
  EXPECT_EQ(window.session().theme(), ui::ThemeKind::dark);
  window.set_desktop_theme(ui::ThemeKind::light);
  EXPECT_EQ(window.session().theme(), ui::ThemeKind::light);
  window.choose_theme(ThemeChoice::dark);
  window.set_desktop_theme(ui::ThemeKind::light);
  EXPECT_EQ(window.session().theme(), ui::ThemeKind::dark);
}

TEST(DesktopThemeOf, ThePortalWinsOverThePalette) {
  DesktopTheme desktop{QPalette(Qt::black)};  // a dark platform
  ASSERT_EQ(desktop.kind(), ui::ThemeKind::dark);
  int changes = 0;
  QObject::connect(&desktop, &DesktopTheme::changed, [&] { ++changes; });
  const auto say = [&](const char* key, uint32_t value) {
    desktop.setting_changed(QStringLiteral("org.freedesktop.appearance"), QString::fromLatin1(key),
                            QDBusVariant(QVariant::fromValue(QDBusVariant(value))));
  };
  say("accent-color", 2);
  EXPECT_EQ(changes, 0);
  say("color-scheme", 2);
  EXPECT_EQ(desktop.kind(), ui::ThemeKind::light);
  say("color-scheme", 2);
  EXPECT_EQ(changes, 1);
  say("color-scheme", 1);
  EXPECT_EQ(desktop.kind(), ui::ThemeKind::dark);
  say("color-scheme", 0);  // no preference: the palette's again
  EXPECT_EQ(desktop.kind(), ui::ThemeKind::dark);
  EXPECT_EQ(changes, 3);
}

TEST_F(Window, ThemeAndZoomAreRemembered) {
  {
    MainWindow window(setup());
    window.show();
    window.choose_theme(ThemeChoice::light);
    window.set_zoom(1.3);
    window.close();
  }
  MainWindow window(setup());
  window.restore_state();
  EXPECT_EQ(window.session().theme(), ui::ThemeKind::light);
  EXPECT_NEAR(window.zoom(), 1.3, 1e-9);
  window.set_zoom(99);
  EXPECT_LE(window.zoom(), 2.5);
}

TEST_F(Window, TabReachesEverythingAndEveryStopHasAName) {
  MainWindow window(setup());
  window.show();
  window.show_document(test::small_document(), 5);
  window.actions().action(QStringLiteral("view.events"))->trigger();
  window.activateWindow();
  QTest::qWait(50);
  QSet<QWidget*> stops;
  window.setFocus();
  for (int i = 0; i < 200; ++i) {
    QTest::keyClick(QApplication::focusWidget() != nullptr ? QApplication::focusWidget() : &window, Qt::Key_Tab);
    QWidget* focus = QApplication::focusWidget();
    ASSERT_NE(focus, nullptr);
    if (stops.contains(focus)) break;
    stops.insert(focus);
    QAccessibleInterface* reader = QAccessible::queryAccessibleInterface(focus);
    ASSERT_NE(reader, nullptr);
    EXPECT_FALSE(reader->text(QAccessible::Name).isEmpty())
        << focus->metaObject()->className() << " " << qPrintable(focus->objectName());
  }
  for (const char* id : {"walk", "bits", "decision", "history"}) {
    EXPECT_TRUE(stops.contains(window.canvas(QString::fromLatin1(id))->surface())) << id;
  }
  EXPECT_TRUE(stops.contains(&window.findChild<ToolBar*>()->layout_choice()));
  EXPECT_TRUE(stops.contains(&window.findChild<ToolBar*>()->search()));
  EXPECT_GT(stops.size(), 12);
}

TEST_F(Window, EveryCanvasHasATableBehindIt) {
  MainWindow window(setup());
  window.show();
  window.show_document(test::small_document(), 5);
  window.actions().action(QStringLiteral("view.tables"))->trigger();
  QTest::qWait(20);
  for (const char* id : {"walk", "bits", "decision", "history", "timeline"}) {
    CanvasPanel* panel = window.canvas(QString::fromLatin1(id));
    EXPECT_TRUE(panel->shows_table()) << id;
    EXPECT_FALSE(panel->surface()->accessibleName().isEmpty()) << id;
    const auto* table = panel->findChild<QTableView*>();
    ASSERT_NE(table, nullptr);
    EXPECT_GT(table->model()->columnCount(), 0) << id;
    EXPECT_TRUE(panel->table_text().contains(QLatin1Char('\t'))) << id;
  }
}

TEST_F(Window, ThePaletteFindsActionsAndSteps) {
  MainWindow window(setup());
  window.show();
  window.show_document(test::small_document(), 5);
  window.actions().action(QStringLiteral("edit.palette"))->trigger();
  CommandPalette& palette = window.palette_dialog();
  ASSERT_TRUE(palette.isVisible());
  palette.set_text(QStringLiteral("step over"));
  ASSERT_GT(palette.count(), 0);
  EXPECT_EQ(palette.title_at(0), QStringLiteral("Step over"));
  palette.run_current();
  EXPECT_EQ(window.session().position(), 6u);
  window.actions().action(QStringLiteral("edit.palette"))->trigger();
  palette.set_text(QStringLiteral("2"));
  palette.run_current();
  EXPECT_EQ(window.session().position(), 2u);
  EXPECT_FALSE(palette.isVisible());
}

TEST_F(Window, DocksCanBeHiddenFloatedAndPutBack) {
  MainWindow window(setup());
  window.show();
  window.show_document(test::small_document(), 5);
  Dock* walk = window.dock(QStringLiteral("walk"));
  walk->setFloating(true);
  window.dock(QStringLiteral("bits"))->hide();
  QTest::qWait(20);
  window.actions().action(QStringLiteral("view.reset"))->trigger();
  QTest::qWait(20);
  EXPECT_FALSE(walk->isFloating());
  EXPECT_TRUE(window.dock(QStringLiteral("bits"))->isVisible());
}

}  // namespace
}  // namespace hmmscope::app
