// Branches: scenarios that are changed bit by bit, and run again.
#include "app/gui/branch.h"

#include <gtest/gtest.h>

#include <QFile>
#include <QFileInfo>
#include <QSettings>
#include <QTemporaryDir>
#include <QTest>
#include <nlohmann/json.hpp>

#include "app/gui/canvas_panel.h"
#include "app/gui/main_window.h"
#include "app/gui/message_bar.h"
#include "tests/gui/small_document.h"
#include "tests/gui/wait.h"

namespace hmmscope::app {
namespace {

using Json = nlohmann::json;

const char* const scenario_path = HMMSCOPE_SOURCE_DIR "/lessons/scenarios/two-owners.json";

DocumentPtr opened(const QString& path) {
  auto document = traces::open_document(path.toStdString());
  if (!document) {
    ADD_FAILURE() << document.error().to_string();
    return nullptr;
  }
  return *document;
}

/// The position after the first step that fills a slot of an hmm_pfns array, and that slot.
std::pair<StepIndex, WordIndex> first_slot(const Recording& recording) {
  for (StepIndex step = 0; step < recording.steps(); ++step) {
    for (uint32_t i = 0; i < recording.write_count(step); ++i) {
      const WriteView write = recording.write(step, i);
      const RegionId region = recording.region_of(write.first);
      if (region != no_region && recording.regions()[region].kind == RegionKind::hmm_pfns && write.new_at(0) != 0)
        return {step + 1, write.first};
    }
  }
  return {0, no_word};
}

TEST(Branch, AScenarioKeepsItsText) {
  const DocumentPtr document = opened(QString::fromLatin1(scenario_path));
  ASSERT_NE(document, nullptr);
  const auto text = branch_text(*document, 0);
  ASSERT_TRUE(text.has_value());
  EXPECT_EQ(Json::parse(*text).at("hmmscope-scenario"), 1);
}

TEST(Branch, ACallOfATraceBecomesAScenario) {
  const DocumentPtr document = opened(QStringLiteral(HMMSCOPE_SOURCE_DIR "/traces/samples/6.12-snapshot.trace.txt"));
  ASSERT_NE(document, nullptr);
  EXPECT_FALSE(branch_text(*document, 0).has_value());  // before every call
  const auto [position, word] = first_slot(*document->recording);
  ASSERT_NE(word, no_word);
  const auto text = branch_text(*document, position);
  ASSERT_TRUE(text.has_value()) << text.error().to_string();
  const auto path = save_branch("call", *text);
  ASSERT_TRUE(path.has_value());
  EXPECT_TRUE(is_branch(*path));
  EXPECT_FALSE(is_branch(QString::fromLatin1(scenario_path)));
  const DocumentPtr branch = opened(*path);
  ASSERT_NE(branch, nullptr);
  EXPECT_EQ(branch->kind, traces::SourceKind::scenario);
  EXPECT_TRUE(branch->failures.empty());
  QFile::remove(*path);
}

TEST(Branch, AFlipIsAStepThatChangesTheWordAndCanBeChanged) {
  const DocumentPtr document = opened(QString::fromLatin1(scenario_path));
  ASSERT_NE(document, nullptr);
  const Recording& recording = *document->recording;
  const auto [position, word] = first_slot(recording);
  ASSERT_LT(position, recording.steps());
  const std::string text = branch_text(*document, 0).value();
  const auto one = flip_bits(text, recording, position, word, 1);
  ASSERT_TRUE(one.has_value()) << one.error().to_string();
  EXPECT_EQ(one->position, position + 1);
  const auto path = save_branch("flip", one->text);
  ASSERT_TRUE(path.has_value());
  const DocumentPtr changed = opened(*path);
  ASSERT_NE(changed, nullptr);
  Cursor before(document->recording, document->keyframes), after(changed->recording, changed->keyframes);
  before.seek(position);
  after.seek(one->position);
  EXPECT_EQ(after.load(word), before.load(word) ^ 1);
  for (StepIndex step = 0; step < position; ++step) ASSERT_EQ(changed->recording->rule_of(step), recording.rule_of(step));

  // Behind the flip the same bit takes it back, another one joins it, and a flip before it moves it on.
  const auto back = flip_bits(one->text, *changed->recording, one->position, word, 1);
  ASSERT_TRUE(back.has_value());
  EXPECT_FALSE(Json::parse(back->text).contains("inject"));
  EXPECT_EQ(back->position, position);
  const auto two = flip_bits(one->text, *changed->recording, one->position, word, 4);
  ASSERT_TRUE(two.has_value());
  EXPECT_EQ(Json::parse(two->text).at("inject").size(), 1u);
  EXPECT_EQ(Json::parse(two->text).at("inject").at(0).at("bits"), "0x5");
  const auto earlier = flip_bits(one->text, *changed->recording, position - 1, word, 2);
  ASSERT_TRUE(earlier.has_value());
  EXPECT_EQ(Json::parse(earlier->text).at("inject").at(0).at("step"), position + 2);
  QFile::remove(*path);
}

TEST(Branch, AnEntryOfAPageTableCanBeFlipped) {
  const DocumentPtr document = opened(QStringLiteral(HMMSCOPE_SOURCE_DIR "/traces/samples/6.12-snapshot.trace.txt"));
  ASSERT_NE(document, nullptr);
  const auto [position, slot] = first_slot(*document->recording);
  const auto saved = save_branch("entry", branch_text(*document, position).value());
  ASSERT_TRUE(saved.has_value());
  const DocumentPtr branch = opened(*saved);
  ASSERT_NE(branch, nullptr);
  const auto initial = branch->recording->initial();
  WordIndex entry = no_word;
  for (const Region& region : branch->recording->regions()) {
    for (WordIndex word = region.first; region.kind == RegionKind::pte && word < region.first + region.count; ++word) {
      if (entry == no_word && word < initial.size() && (initial[word] & 1) != 0) entry = word;
    }
  }
  ASSERT_NE(entry, no_word);
  const auto flipped = flip_bits(read_branch(*saved).value(), *branch->recording, 1, entry, 1);
  ASSERT_TRUE(flipped.has_value()) << flipped.error().to_string();
  ASSERT_TRUE(write_branch(*saved, flipped->text).has_value());
  const DocumentPtr changed = opened(*saved);
  ASSERT_NE(changed, nullptr);
  Cursor cursor(changed->recording, changed->keyframes);
  cursor.seek(flipped->position);
  EXPECT_EQ(cursor.load(entry), initial[entry] ^ 1);
  QFile::remove(*saved);
}

TEST(Branch, WordsThatNoFlipNamesAreRefused) {
  const DocumentPtr document = opened(QString::fromLatin1(scenario_path));
  ASSERT_NE(document, nullptr);
  const std::string text = branch_text(*document, 0).value();
  for (const Region& region : document->recording->regions()) {
    if (region.kind != RegionKind::vma && region.kind != RegionKind::mm) continue;
    EXPECT_FALSE(flip_bits(text, *document->recording, 1, region.first, 1).has_value()) << region.name;
  }
  const auto [position, word] = first_slot(*document->recording);
  EXPECT_FALSE(flip_bits(text, *document->recording, document->recording->steps(), word, 1).has_value());
}

TEST(BranchInTheWindow, SpaceTogglesABitTheEngineRunsOnAndUndoTakesItBack) {
  QTemporaryDir folder;
  QSettings settings(folder.filePath(QStringLiteral("w.ini")), QSettings::IniFormat);
  WindowSetup setup;
  setup.settings = &settings;
  MainWindow window(setup);
  window.show();
  window.open(QString::fromLatin1(scenario_path));
  ASSERT_TRUE(wait_for([&] { return window.session().document() != nullptr; }));
  EXPECT_FALSE(window.session().editable());
  const auto [position, word] = first_slot(*window.session().recording());
  window.session().seek(position);
  window.actions().action(QStringLiteral("file.branch"))->trigger();
  ASSERT_TRUE(wait_for([&] { return window.session().editable(); }));
  const QString path = QString::fromStdString(window.session().document()->path.string());
  EXPECT_TRUE(is_branch(path));
  EXPECT_EQ(window.session().position(), position);

  window.session().select(word, 0);
  const uint64_t before = window.session().cursor()->load(word);
  const DocumentPtr unchanged = window.session().shared_document();
  QWidget* bits = window.canvas(QStringLiteral("bits"))->surface();
  bits->setFocus();
  QTest::keyClick(bits, Qt::Key_Space);
  ASSERT_TRUE(wait_for([&] { return window.session().shared_document() != unchanged; }));
  EXPECT_EQ(window.session().position(), position + 1);
  EXPECT_EQ(window.session().cursor()->load(word), before ^ 1);
  EXPECT_EQ(window.session().selection().bit, 0);

  const DocumentPtr changed = window.session().shared_document();
  QAction* undo = window.actions().action(QStringLiteral("edit.undo"));
  ASSERT_TRUE(undo->isEnabled());
  EXPECT_TRUE(undo->text().contains(QStringLiteral("bit 0"))) << undo->text().toStdString();
  undo->trigger();
  ASSERT_TRUE(wait_for([&] { return window.session().shared_document() != changed; }));
  EXPECT_EQ(window.session().position(), position);
  EXPECT_EQ(window.session().cursor()->load(word), before);
  EXPECT_TRUE(window.actions().action(QStringLiteral("edit.redo"))->isEnabled());
  QFile::remove(path);
}

TEST(BranchInTheWindow, WhereNoCallIsThereIsNoBranchAndWordsSaySo) {
  MainWindow window(WindowSetup{});
  window.show();
  window.show_document(test::small_document(), 5);
  window.actions().action(QStringLiteral("file.branch"))->trigger();
  ASSERT_TRUE(QTest::qWaitFor([&] { return window.message_bar().isVisible(); }, 10000));
  EXPECT_TRUE(window.message_bar().text().contains(QStringLiteral("branch")));
  EXPECT_EQ(window.session().document()->title, "small");
}

}  // namespace
}  // namespace hmmscope::app
