#include <gtest/gtest.h>

#include <QSettings>
#include <QTemporaryDir>
#include <set>
#include <string>

#include "app/gui/action_registry.h"
#include "app/gui/shortcut_editor.h"

namespace hmmscope::app {
namespace {

TEST(ActionTable, IdsAreUniqueAndEveryRowSaysWhatItDoes) {
  std::set<std::string> seen;
  for (const ActionRow& row : action_table()) {
    EXPECT_TRUE(seen.insert(row.id).second) << row.id;
    EXPECT_NE(std::string(row.text), "") << row.id;
    EXPECT_NE(std::string(row.hint), "") << row.id;
  }
}

TEST(ActionTable, EveryWrittenKeyIsOneThatQtUnderstands) {
  for (const ActionRow& row : action_table()) {
    for (const QString& part :
         QString::fromLatin1(row.shortcuts).split(QStringLiteral("; "), Qt::SkipEmptyParts)) {
      const QKeySequence key = QKeySequence::fromString(part, QKeySequence::PortableText);
      ASSERT_EQ(key.count(), 1) << row.id << " " << part.toStdString();
      EXPECT_NE(key[0].key(), Qt::Key_unknown) << row.id << " " << part.toStdString();
    }
  }
}

TEST(ActionRegistry, NoTwoActionsShareAKey) {
  const ActionRegistry actions;
  for (const ShortcutClash& clash : actions.clashes()) {
    ADD_FAILURE() << clash.first.toStdString() << " and " << clash.second.toStdString() << " want "
                  << clash.key.toString().toStdString();
  }
}

TEST(ActionRegistry, AClashIsFoundWhenThereIsOne) {
  ActionRegistry actions;
  actions.set_shortcuts(QStringLiteral("file.save"), {QKeySequence(QStringLiteral("F10"))});
  ASSERT_EQ(actions.clashes().size(), 1u);
}

TEST(ActionRegistry, PredicatesEnableAndHandlersRun) {
  ActionRegistry actions;
  int runs = 0;
  bool allowed = false;
  actions.bind(
      "run.step", [&] { ++runs; }, [&] { return allowed; });
  actions.refresh();
  actions.action(QStringLiteral("run.step"))->trigger();
  EXPECT_EQ(runs, 0);
  allowed = true;
  actions.refresh();
  actions.action(QStringLiteral("run.step"))->trigger();
  EXPECT_EQ(runs, 1);
}

TEST(ActionRegistry, ChangedKeysComeBackAndDefaultsAreNotStored) {
  const QTemporaryDir folder;
  QSettings settings(folder.filePath(QStringLiteral("keys.ini")), QSettings::IniFormat);
  {
    ActionRegistry actions;
    actions.set_shortcuts(QStringLiteral("run.step"), {QKeySequence(QStringLiteral("Ctrl+Alt+S"))});
    actions.set_shortcuts(QStringLiteral("run.back"), {});
    actions.save(settings);
  }
  ActionRegistry actions;
  actions.load(settings);
  EXPECT_EQ(actions.action(QStringLiteral("run.step"))->shortcut(),
            QKeySequence(QStringLiteral("Ctrl+Alt+S")));
  EXPECT_TRUE(actions.action(QStringLiteral("run.back"))->shortcuts().isEmpty());
  EXPECT_EQ(actions.action(QStringLiteral("run.step_over"))->shortcut(), QKeySequence(QStringLiteral("F10")));
  EXPECT_FALSE(settings.contains(QStringLiteral("shortcuts/run.step_over")));
}

TEST(ShortcutEditor, RefusesAKeyThatIsTakenAndNamesItsOwner) {
  ActionRegistry actions;
  ShortcutEditor editor(actions, nullptr);
  EXPECT_FALSE(editor.assign(QStringLiteral("run.step"), QKeySequence(QStringLiteral("F10"))));
  EXPECT_TRUE(editor.message().contains(QStringLiteral("Step over"))) << editor.message().toStdString();
  EXPECT_TRUE(editor.assign(QStringLiteral("run.step"), QKeySequence(QStringLiteral("Ctrl+Alt+F10"))));
  EXPECT_TRUE(editor.message().isEmpty());
  EXPECT_TRUE(actions.clashes().empty());
}

}  // namespace
}  // namespace hmmscope::app
