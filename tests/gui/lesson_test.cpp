#include <gtest/gtest.h>

#include <QAbstractButton>
#include <QLabel>
#include <QPushButton>
#include <QSettings>
#include <QSpinBox>
#include <QTemporaryDir>
#include <QTest>

#include "app/gui/answer_editor.h"
#include "app/gui/bit_editor.h"
#include "app/gui/lesson_view.h"
#include "app/gui/main_window.h"
#include "tests/gui/small_document.h"
#include "tests/gui/wait.h"

namespace hmmscope::app {
namespace {

TEST(BitEditor, ClicksAndKeysFlipBits) {
  BitEditor editor;
  editor.resize(340, 96);
  editor.show();
  editor.set_layout(find_layout("hmm-6.16"), ui::ThemeKind::dark);
  QTest::mouseClick(&editor, Qt::LeftButton, {}, QPoint(24, 10));  // the first cell
  EXPECT_EQ(editor.word(), uint64_t{1} << 63);
  QTest::keyClick(&editor, Qt::Key_Right);
  QTest::keyClick(&editor, Qt::Key_Space);
  EXPECT_EQ(editor.word(), uint64_t{3} << 62);
  QTest::keyClick(&editor, Qt::Key_Down);
  QTest::keyClick(&editor, Qt::Key_Space);
  EXPECT_EQ(editor.word(), (uint64_t{3} << 62) | (uint64_t{1} << 46));
  QTest::mouseClick(&editor, Qt::LeftButton, {}, QPoint(24, 10));
  EXPECT_EQ(editor.word(), (uint64_t{1} << 62) | (uint64_t{1} << 46));
}

class LessonDock : public testing::Test {
 protected:
  WindowSetup setup() {
    WindowSetup setup;
    setup.settings = &settings_;
    return setup;
  }
  static void press(LessonView& view, const QString& text) {
    for (auto* button : view.findChildren<QAbstractButton*>()) {
      if (button->isVisible() && button->isEnabled() && button->text() == text) {
        button->click();
        return;
      }
    }
    ADD_FAILURE() << "there is no button " << text.toStdString();
  }
  QTemporaryDir folder_;
  QSettings settings_{folder_.filePath(QStringLiteral("l.ini")), QSettings::IniFormat};
};

TEST_F(LessonDock, PredictThenWatchDrivesTheCursorAndProgressComesBack) {
  {
    MainWindow window(setup());
    window.show();
    LessonView& view = window.lesson_view();
    view.open(QStringLiteral("two-owners"));
    ASSERT_TRUE(wait_for([&] { return view.lesson() != nullptr; }));
    const lessons::Runner& runner = view.lesson()->runner;
    press(view, QStringLiteral("Start →"));
    ASSERT_EQ(runner.phase(), lessons::Phase::asking);
    const auto start = runner.target();
    ASSERT_TRUE(start && *start);
    EXPECT_EQ(window.session().shared_document(), (*start)->document);
    EXPECT_EQ(window.session().position(), (*start)->position);
    auto* editor = view.findChild<AnswerEditor*>();
    ASSERT_NE(editor, nullptr);
    EXPECT_FALSE(editor->answer());
    editor->findChildren<QAbstractButton*>().at(1)->click();
    ASSERT_TRUE(editor->answer());
    press(view, QStringLiteral("Answer →"));
    ASSERT_EQ(runner.phase(), lessons::Phase::watching);
    const auto watch = runner.target();
    ASSERT_TRUE(watch && *watch);
    EXPECT_EQ(window.session().position(), (*watch)->position);
    press(view, QStringLiteral("Explain →"));
    EXPECT_EQ(runner.phase(), lessons::Phase::graded);
    ASSERT_TRUE(runner.state(0).grade);
    EXPECT_TRUE(runner.state(0).grade->right);
    window.close();
  }
  MainWindow window(setup());
  window.show();
  ASSERT_TRUE(
      wait_for([&] { return window.lesson_view().lesson() != nullptr; }));  // the last lesson comes back
  EXPECT_TRUE(window.lesson_view().lesson()->runner.state(0).grade);
}

TEST_F(LessonDock, MarksInASampleSurviveTheLessonThatUsesIt) {
  MainWindow window(setup());
  window.show();
  LessonView& view = window.lesson_view();
  view.open(QStringLiteral("two-owners"));
  ASSERT_TRUE(wait_for([&] { return view.lesson() != nullptr; }));
  press(view, QStringLiteral("Start →"));
  const DocumentPtr lessons_own = window.session().shared_document();
  ASSERT_NE(lessons_own, nullptr);
  window.open(QString::fromStdString(lessons_own->path.string()));
  ASSERT_TRUE(wait_for([&] { return window.session().shared_document() != lessons_own; }));
  window.session().toggle_bookmark(7);
  window.session().toggle_breakpoint(3, 4);
  // The first task again: the cursor goes back to the lesson's copy.
  const QString title = QString::fromStdString(view.lesson()->lesson.tasks[0].title);
  for (QPushButton* button : view.findChildren<QPushButton*>()) {
    if (!button->accessibleName().startsWith(title)) continue;
    button->click();
    break;
  }
  ASSERT_EQ(window.session().shared_document(), lessons_own);
  EXPECT_EQ(window.session().bookmarks().size(), 1u);
  EXPECT_EQ(window.session().breakpoints(), (std::vector<Breakpoint>{{3, 4}}));
}

TEST_F(LessonDock, TitlesOfTasksAreShownWhole) {
  MainWindow window(setup());
  window.resize(1280, 720);
  window.show();
  LessonView& view = window.lesson_view();
  view.open(QStringLiteral("two-owners"));
  ASSERT_TRUE(wait_for([&] { return view.lesson() != nullptr; }));
  // Until the labels have been laid out: how long that takes is the machine's business.
  const auto laid_out = [&] {
    for (const lessons::Task& task : view.lesson()->lesson.tasks) {
      for (QLabel* label : view.findChildren<QLabel*>()) {
        if (label->text() != QString::fromStdString(task.title)) continue;
        if (label->height() == 0 || label->mapTo(&view, QPoint(label->width(), 0)).x() > view.width()) return false;
      }
    }
    return true;
  };
  ASSERT_TRUE(wait_for(laid_out));
  size_t found = 0;
  for (const lessons::Task& task : view.lesson()->lesson.tasks) {
    const QString title = QString::fromStdString(task.title);
    for (QLabel* label : view.findChildren<QLabel*>()) {
      if (label->text() != title) continue;
      ++found;
      EXPECT_GE(label->height(), label->heightForWidth(label->width())) << task.title;
      EXPECT_GE(label->width(), label->minimumSizeHint().width()) << task.title;
      EXPECT_LE(label->mapTo(&view, QPoint(label->width(), 0)).x(), view.width()) << task.title;
    }
  }
  EXPECT_EQ(found, view.lesson()->lesson.tasks.size());
}

TEST_F(LessonDock, EveryKindOfTaskHasAnEditorThatGivesAndTakesItsAnswer) {
  MainWindow window(setup());
  window.show();
  LessonView& view = window.lesson_view();
  view.open(QStringLiteral("two-owners"));
  ASSERT_TRUE(wait_for([&] { return view.lesson() != nullptr; }));
  auto open = std::make_shared<OpenLesson>(view.lesson()->lesson);
  ASSERT_TRUE(open->facts.prepare());
  for (size_t i = 0; i < open->lesson.tasks.size(); ++i) {
    open->runner.go_to_task(i);
    const auto task = open->runner.view();
    ASSERT_TRUE(task) << task.error().to_string();
    const std::unique_ptr<AnswerEditor> editor(
        make_answer_editor(*task, window.session(), nullptr, 1, nullptr));
    ASSERT_NE(editor, nullptr) << open->lesson.tasks[i].id;
    lessons::Answer given;
    given.number = 42;
    if (!task->task->choices.empty()) given.choice = task->task->choices.back().id;
    for (const std::string& field : task->task->design.fields) given.layout[field] = 7;
    editor->set(given);
    const auto taken = editor->answer();
    ASSERT_TRUE(taken) << open->lesson.tasks[i].id;
    EXPECT_EQ(taken->choice, given.choice);
    EXPECT_EQ(taken->layout, given.layout);
    using Kind = lessons::TaskKind;
    if (task->task->kind == Kind::number || task->task->kind == Kind::word_bits) {
      EXPECT_EQ(taken->number, 42u);
    }
  }
}

}  // namespace
}  // namespace hmmscope::app
