// Keys that belong to the window wherever the focus is, and what the lists below the panels show whole.
#include <gtest/gtest.h>

#include <QApplication>
#include <QSettings>
#include <QTableView>
#include <QTemporaryDir>
#include <QTest>

#include "app/gui/canvas_panel.h"
#include "app/gui/command_palette.h"
#include "app/gui/dock.h"
#include "app/gui/main_window.h"
#include "engine/recording/recording_file.h"
#include "tests/gui/small_document.h"
#include "tests/gui/wait.h"

namespace hmmscope::app {
namespace {

class Keys : public testing::Test {
 protected:
  WindowSetup setup() {
    WindowSetup setup;
    setup.settings = &settings_;
    return setup;
  }
  QTemporaryDir folder_;
  QSettings settings_{folder_.filePath(QStringLiteral("w.ini")), QSettings::IniFormat};
};

TEST_F(Keys, LeftAndRightStepWhereverTheFocusIs) {
  MainWindow window(setup());
  window.show();
  window.show_document(test::small_document(), 3);
  window.activateWindow();
  QTest::qWait(20);
  for (const char* id : {"walk", "bits", "decision", "history", "timeline", "events", "divergences"}) {
    if (QAction* show = window.actions().action(QStringLiteral("view.") + QString::fromLatin1(id));
        !window.dock(QString::fromLatin1(id))->isVisible())
      show->trigger();
    window.dock(QString::fromLatin1(id))->go_to();
    QWidget* focus = QApplication::focusWidget();
    ASSERT_NE(focus, nullptr) << id;
    ASSERT_TRUE(window.dock(QString::fromLatin1(id))->isAncestorOf(focus)) << id;
    QTest::keyClick(focus, Qt::Key_Right);
    EXPECT_EQ(window.session().position(), 4u) << id;
    QTest::keyClick(focus, Qt::Key_Left);
    EXPECT_EQ(window.session().position(), 3u) << id;
  }
}

TEST_F(Keys, TheListOfChecksCutsNothingShort) {
  MainWindow window(setup());
  window.show();
  window.show_document(test::small_document(), 5);
  window.actions().action(QStringLiteral("view.divergences"))->trigger();
  QTest::qWait(20);
  const auto* table = window.dock(QStringLiteral("divergences"))->findChild<QTableView*>();
  ASSERT_NE(table, nullptr);
  ASSERT_GT(table->model()->rowCount(), 0);
  const QFontMetrics metrics(table->font());
  EXPECT_GE(table->columnWidth(2), metrics.horizontalAdvance(QStringLiteral("migrate_vma_finalize")));
  for (int column = 0; column < 4; ++column) {
    const QString text = table->model()->index(0, column).data().toString();
    EXPECT_GT(table->columnWidth(column), metrics.horizontalAdvance(text)) << column;
  }
}

TEST_F(Keys, EscapeCancelsALoadUnlessAFieldTakesIt) {
  MainWindow window(setup());
  window.show();
  window.show_document(test::small_document(), 3);
  window.activateWindow();
  QTest::qWait(20);
  const QString saved = folder_.filePath(QStringLiteral("small.hmmrec"));
  ASSERT_TRUE(RecordingFile::save(*test::small_document()->recording, saved.toStdString()));
  window.open(saved);  // its end comes by an event, and none is let happen
  window.actions().action(QStringLiteral("edit.palette"))->trigger();
  ASSERT_TRUE(window.loader().busy());
  QTest::keyClick(QApplication::focusWidget(), Qt::Key_Escape);
  EXPECT_FALSE(window.palette_dialog().isVisible());
  ASSERT_TRUE(window.loader().busy());
  QWidget* bits = window.canvas(QStringLiteral("bits"))->surface();
  bits->setFocus();
  QTest::keyClick(bits, Qt::Key_Escape);
  EXPECT_FALSE(window.loader().busy());
  EXPECT_EQ(window.session().position(), 3u);
}

}  // namespace
}  // namespace hmmscope::app
