#include "app/gui/session.h"

#include <gtest/gtest.h>

#include <QCoreApplication>
#include <QPushButton>
#include <QTreeWidget>

#include "app/gui/bookmarks_dialog.h"
#include "tests/gui/small_document.h"

namespace hmmscope::app {
namespace {

class SessionTest : public testing::Test {
 protected:
  void SetUp() override {
    QObject::connect(&session_, &Session::position_changed, [this] { ++moves_; });
    QObject::connect(&session_, &Session::notice, [this](const QString& text) { notice_ = text; });
    test::open_small(session_);
  }
  Session session_;
  int moves_ = 0;
  QString notice_;
};

TEST_F(SessionTest, StartsAtTheStartAndSeeksWithinTheRecording) {
  EXPECT_EQ(session_.position(), 0u);
  session_.seek(1000);
  EXPECT_EQ(session_.position(), 8u);
  EXPECT_EQ(session_.cursor()->load(test::pfns), 1u);
  session_.seek(5);
  EXPECT_EQ(session_.cursor()->load(test::pfns), 3u);
  EXPECT_EQ(moves_, 2);
}

TEST_F(SessionTest, EveryMoveOfAnEmptySessionStays) {
  Session empty;
  for (int move = 0; move <= static_cast<int>(Move::previous_bookmark); ++move) {
    EXPECT_FALSE(empty.go(static_cast<Move>(move)));
  }
  empty.seek(3);
  empty.select(1, 2);
  empty.toggle_breakpoint(0, 1);
  empty.toggle_bookmark(0);
  EXPECT_EQ(empty.focused_word(), no_word);
  EXPECT_TRUE(empty.breakpoints().empty());
  EXPECT_TRUE(empty.bookmarks().empty());
}

TEST_F(SessionTest, RunsToFaultsCallsAndDivergencesInBothDirections) {
  ASSERT_TRUE(session_.go(Move::next_fault));
  EXPECT_EQ(session_.position(), 2u);
  ASSERT_TRUE(session_.go(Move::next_divergence));
  EXPECT_EQ(session_.position(), 5u);
  ASSERT_TRUE(session_.go(Move::next_fault));
  EXPECT_EQ(session_.position(), 7u);
  EXPECT_FALSE(session_.go(Move::next_fault));
  EXPECT_EQ(session_.position(), 7u);
  EXPECT_FALSE(notice_.isEmpty());
  ASSERT_TRUE(session_.go(Move::previous_divergence));
  EXPECT_EQ(session_.position(), 5u);
  ASSERT_TRUE(session_.go(Move::previous_call));
  EXPECT_EQ(session_.position(), 1u);
}

TEST_F(SessionTest, ChangesOfASelectedBitSkipWritesThatLeaveItAlone) {
  session_.select(test::pfns, 1);
  ASSERT_TRUE(session_.go(Move::next_change));  // 0 -> 1 leaves bit 1 alone; 1 -> 3 sets it
  EXPECT_EQ(session_.position(), 5u);
  ASSERT_TRUE(session_.go(Move::next_change));
  EXPECT_EQ(session_.position(), 8u);
  EXPECT_FALSE(session_.go(Move::next_change));
  ASSERT_TRUE(session_.go(Move::previous_change));
  EXPECT_EQ(session_.position(), 5u);
  EXPECT_FALSE(session_.go(Move::previous_change));
}

TEST_F(SessionTest, BreakpointsStopRunsAtTheNearestChange) {
  EXPECT_FALSE(session_.go(Move::run_to_break));
  session_.toggle_breakpoint(test::pte, ~0ull);
  session_.toggle_breakpoint(test::pfns + 1, 2);
  ASSERT_TRUE(session_.go(Move::run_to_break));
  EXPECT_EQ(session_.position(), 2u);
  ASSERT_TRUE(session_.go(Move::run_to_break));
  EXPECT_EQ(session_.position(), 4u);
  ASSERT_TRUE(session_.go(Move::run_to_break));
  EXPECT_EQ(session_.position(), 7u);
  ASSERT_TRUE(session_.go(Move::run_back_to_break));
  EXPECT_EQ(session_.position(), 4u);
  session_.toggle_breakpoint(test::pte, ~0ull);
  EXPECT_EQ(session_.breakpoints().size(), 1u);
}

TEST_F(SessionTest, IntentsOfPanelsDoWhatTheySay) {
  ui::Intent intent;
  intent.kind = ui::Intent::Kind::select_bit;
  intent.word = test::pfns;
  intent.bit = 1;
  session_.apply(intent);
  EXPECT_EQ(session_.selection().word, test::pfns);
  EXPECT_EQ(session_.selection().bit, 1);
  intent.kind = ui::Intent::Kind::run_to_change;
  intent.mask = 2;
  session_.apply(intent);
  EXPECT_EQ(session_.position(), 5u);
  session_.seek(8);
  intent.kind = ui::Intent::Kind::run_back_to_change;
  session_.apply(intent);
  EXPECT_EQ(session_.position(), 5u);
  intent.kind = ui::Intent::Kind::set_layout;
  intent.text = "hmm-v9-posted";
  session_.apply(intent);
  EXPECT_STREQ(session_.layout()->id, "hmm-v9-posted");
  intent.text = "no such layout";
  session_.apply(intent);
  EXPECT_STREQ(session_.layout()->id, "hmm-v9-posted");
  QString copied;
  QObject::connect(&session_, &Session::text_copied, [&](const QString& text) { copied = text; });
  intent.kind = ui::Intent::Kind::copy_text;
  intent.text = "0x12";
  session_.apply(intent);
  EXPECT_EQ(copied, QStringLiteral("0x12"));
}

TEST_F(SessionTest, SelectionsOutsideTheRecordingAreRefused) {
  session_.select(4000000000u, 3);
  EXPECT_EQ(session_.selection().word, no_word);
  EXPECT_EQ(session_.selection().bit, -1);
  session_.select(test::pfns, 99);
  EXPECT_EQ(session_.selection().bit, 63);
}

TEST_F(SessionTest, JumpsCanBeReturnedFrom) {
  session_.seek(1);
  session_.seek(7);
  session_.seek(3);
  ASSERT_TRUE(session_.can_return());
  session_.return_to_past();
  EXPECT_EQ(session_.position(), 7u);
  session_.return_to_past();
  EXPECT_EQ(session_.position(), 1u);
  session_.return_to_future();
  EXPECT_EQ(session_.position(), 7u);
}

TEST_F(SessionTest, StateComesBackAndWhatDoesNotFitIsDropped) {
  session_.seek(6);
  session_.select(test::pte, 4);
  session_.choose_layout(QStringLiteral("hmm-6.16"));
  session_.toggle_breakpoint(test::pfns, 8);
  session_.toggle_bookmark(2);
  session_.note_bookmark(2, QStringLiteral("here"));
  SessionState state = session_.state();
  Session other;
  test::open_small(other);
  other.restore(state);
  EXPECT_EQ(other.position(), 6u);
  EXPECT_EQ(other.selection().word, test::pte);
  EXPECT_EQ(other.selection().bit, 4);
  EXPECT_EQ(other.chosen_layout(), QStringLiteral("hmm-6.16"));
  EXPECT_EQ(other.breakpoints(), session_.breakpoints());
  EXPECT_EQ(other.bookmarks(), session_.bookmarks());
  state.position = 900;
  state.word = 900;
  state.breakpoints.push_back({900, 1});
  state.bookmarks.push_back({900, {}});
  other.restore(state);
  EXPECT_EQ(other.position(), 8u);
  EXPECT_EQ(other.selection().word, no_word);
  EXPECT_EQ(other.breakpoints().size(), 1u);
  EXPECT_EQ(other.bookmarks().size(), 1u);
}

TEST_F(SessionTest, PanelsSeeBreakpointsAndBookmarks) {
  session_.toggle_bookmark(6);
  session_.toggle_bookmark(2);
  session_.note_bookmark(6, QStringLiteral("here"));
  session_.toggle_breakpoint(test::pte, 2);
  const ui::ViewContext view = session_.view();
  ASSERT_EQ(view.bookmarks.size(), 2u);
  EXPECT_EQ(view.bookmarks[0].position, 2u);
  EXPECT_EQ(view.bookmarks[1].note, "here");
  ASSERT_EQ(view.breakpoints.size(), 1u);
  EXPECT_EQ(ui::watched_bits(view, test::pte), 2u);
  EXPECT_EQ(ui::watched_bits(view, test::pfns), 0u);
  session_.close();
  EXPECT_TRUE(session_.view().bookmarks.empty());
  EXPECT_TRUE(session_.view().breakpoints.empty());
}

TEST_F(SessionTest, TheDialogListsAndRemovesBookmarksAndBreakpoints) {
  session_.toggle_bookmark(6);
  session_.note_bookmark(6, QStringLiteral("here"));
  session_.toggle_breakpoint(test::pte, 2);
  BookmarksDialog dialog(session_, nullptr);
  auto* tree = dialog.findChild<QTreeWidget*>();
  ASSERT_EQ(tree->topLevelItemCount(), 2);
  EXPECT_EQ(tree->topLevelItem(0)->text(2), QStringLiteral("here"));
  EXPECT_TRUE(tree->topLevelItem(1)->text(1).contains(QStringLiteral("bit 1 of")));
  const auto press = [&](const char* text) {
    for (QPushButton* button : dialog.findChildren<QPushButton*>()) {
      if (button->text() == QLatin1String(text)) button->click();
    }
    QCoreApplication::processEvents();
  };
  tree->setCurrentItem(tree->topLevelItem(1));
  press("Go there");
  EXPECT_EQ(session_.selection().word, test::pte);
  EXPECT_EQ(session_.selection().bit, 1);
  press("Remove");
  EXPECT_TRUE(session_.breakpoints().empty());
  ASSERT_EQ(tree->topLevelItemCount(), 1);
  tree->setCurrentItem(tree->topLevelItem(0));
  press("Go there");
  EXPECT_EQ(session_.position(), 6u);
  tree->topLevelItem(0)->setText(2, QStringLiteral("there"));
  EXPECT_EQ(session_.bookmarks()[0].note, QStringLiteral("there"));
  QCoreApplication::processEvents();
  tree->setCurrentItem(tree->topLevelItem(0));
  press("Remove");
  EXPECT_EQ(tree->topLevelItemCount(), 0);
}

TEST_F(SessionTest, BookmarksStayInOrderAndCanBeWalked) {
  for (const StepIndex place : {5u, 1u, 7u}) session_.toggle_bookmark(place);
  session_.seek(2);
  ASSERT_TRUE(session_.go(Move::next_bookmark));
  EXPECT_EQ(session_.position(), 5u);
  ASSERT_TRUE(session_.go(Move::previous_bookmark));
  EXPECT_EQ(session_.position(), 1u);
  session_.toggle_bookmark(1);
  EXPECT_EQ(session_.bookmarks().size(), 2u);
}

TEST_F(SessionTest, EveryMarkCanBeTakenBackAndMadeAgain) {
  session_.toggle_bookmark(3);
  session_.note_bookmark(3, QStringLiteral("why"));
  session_.toggle_breakpoint(test::pfns, 2);
  session_.clear_breakpoints();
  EXPECT_TRUE(session_.breakpoints().empty());
  session_.edits().undo();
  ASSERT_EQ(session_.breakpoints().size(), 1u);
  EXPECT_EQ(session_.view().breakpoints.size(), 1u);
  session_.edits().undo();
  EXPECT_TRUE(session_.breakpoints().empty());
  session_.edits().undo();
  ASSERT_EQ(session_.bookmarks().size(), 1u);
  EXPECT_TRUE(session_.bookmarks().front().note.isEmpty());
  session_.edits().undo();
  EXPECT_TRUE(session_.bookmarks().empty());
  EXPECT_TRUE(session_.view().bookmarks.empty());
  EXPECT_FALSE(session_.edits().canUndo());
  while (session_.edits().canRedo()) session_.edits().redo();
  ASSERT_EQ(session_.bookmarks().size(), 1u);
  EXPECT_EQ(session_.bookmarks().front().note, QStringLiteral("why"));
  EXPECT_TRUE(session_.breakpoints().empty());
  test::open_small(session_);
  EXPECT_FALSE(session_.edits().canUndo());  // another document's marks are not these
}

TEST_F(SessionTest, TheSameDocumentReadFurtherKeepsPlaceMarksAndEdits) {
  session_.seek(5);
  session_.select(test::pfns, 1);
  session_.toggle_bookmark(4);
  session_.toggle_breakpoint(test::pte, 1);
  session_.compare_with(2);
  const DocumentPtr again = test::small_document();
  session_.update(again, find_landmarks(*again->recording));
  EXPECT_EQ(session_.shared_document(), again);
  EXPECT_EQ(session_.position(), 5u);
  EXPECT_EQ(session_.selection().word, test::pfns);
  EXPECT_EQ(session_.bookmarks().size(), 1u);
  EXPECT_EQ(session_.breakpoints().size(), 1u);
  EXPECT_EQ(session_.compared(), std::optional<StepIndex>(2));
  session_.edits().undo();
  EXPECT_TRUE(session_.breakpoints().empty());
}

TEST_F(SessionTest, AMomentIsComparedUntilItIsLetGo) {
  const auto compare = [&](StepIndex position) {
    session_.apply(ui::Intent{.kind = ui::Intent::Kind::compare, .position = position, .text = {}});
  };
  compare(3);
  EXPECT_EQ(session_.view().compared, std::optional<StepIndex>(3));
  session_.seek(7);
  EXPECT_EQ(session_.compared(), std::optional<StepIndex>(3));
  compare(3);
  EXPECT_FALSE(session_.compared());
  session_.compare_with(99);
  EXPECT_FALSE(session_.compared());  // past the end
}

TEST_F(SessionTest, BitsAreToggledInBranchesOnly) {
  int asked = 0;
  QObject::connect(&session_, &Session::toggle_asked, [&](quint32 word, quint64 mask) {
    ++asked;
    EXPECT_EQ(word, test::pfns);
    EXPECT_EQ(mask, 4u);
  });
  const ui::Intent toggle{.kind = ui::Intent::Kind::toggle_bits, .word = test::pfns, .mask = 4, .text = {}};
  session_.apply(toggle);
  EXPECT_EQ(asked, 0);
  EXPECT_TRUE(notice_.contains(QStringLiteral("branch")));
  session_.set_editable(true);
  session_.apply(toggle);
  EXPECT_EQ(asked, 1);
  test::open_small(session_);
  EXPECT_FALSE(session_.editable());
}

}  // namespace
}  // namespace hmmscope::app
