#include <gtest/gtest.h>

#include <QAbstractItemModelTester>
#include <QCoreApplication>

#include "app/gui/check_view.h"
#include "app/gui/details_view.h"
#include "app/gui/event_model.h"
#include "app/gui/search.h"
#include "app/gui/trial_progress.h"
#include "engine/recording/recorder.h"
#include "tests/gui/small_document.h"

namespace hmmscope::app {
namespace {

QString cell(const QAbstractItemModel& model, int row, int column) {
  return model.data(model.index(row, column), Qt::DisplayRole).toString();
}

void finish_filter(EventModel& model) {
  while (model.filtering()) QCoreApplication::processEvents();
}

TEST(EventModel, ShowsEveryStepWithItsCallRuleAndOperands) {
  EventModel model;
  const QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::Fatal);
  EXPECT_EQ(model.rowCount(), 0);
  const DocumentPtr document = test::small_document();
  model.set_recording(document->recording);
  ASSERT_EQ(model.rowCount(), 8);
  EXPECT_EQ(cell(model, 1, EventModel::number), QStringLiteral("2"));
  EXPECT_EQ(cell(model, 1, EventModel::function), QStringLiteral("handle_mm_fault"));
  EXPECT_TRUE(cell(model, 5, EventModel::operands).contains(QStringLiteral("0xabc")));
}

TEST(EventModel, FilterKeepsStepsThatHoldEveryWord) {
  EventModel model;
  const DocumentPtr document = test::small_document();
  model.set_recording(document->recording);
  model.set_filter(QStringLiteral("handle_mm"));
  finish_filter(model);
  ASSERT_EQ(model.rowCount(), 3);
  EXPECT_EQ(model.step_at(2), 6u);
  EXPECT_EQ(model.row_of(6), 2);
  EXPECT_EQ(model.row_of(5), 1);  // the last shown step before it
  EXPECT_EQ(model.row_of(0), -1);
  model.set_filter(QStringLiteral("hmm_range 0xabc"));
  finish_filter(model);
  ASSERT_EQ(model.rowCount(), 1);
  EXPECT_EQ(model.step_at(0), 5u);
  model.set_filter(QStringLiteral("nothing-is-called-so"));
  finish_filter(model);
  EXPECT_EQ(model.rowCount(), 0);
  model.set_filter({});
  EXPECT_EQ(model.rowCount(), 8);
}

TEST(EventModel, MarksBookmarksAndTheStepsAtWhichARunStops) {
  EventModel model;
  const QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::Fatal);
  model.set_recording(test::small_document()->recording);
  QPixmap dot(4, 4);
  dot.fill(Qt::red);
  model.set_icons(QIcon(dot), QIcon(dot));
  const auto marked = [&](int row) {
    return model.data(model.index(row, EventModel::number), Qt::DecorationRole).isValid();
  };
  const auto tip = [&](int row) { return model.data(model.index(row, 2), Qt::ToolTipRole).toString(); };
  for (int row = 0; row < 8; ++row) EXPECT_FALSE(marked(row)) << row;
  // A bookmark at position 4 is the row of step 3; bit 1 of pte[0] changes at step 6 only (0x11 -> 0x13).
  model.set_marks({{4, QStringLiteral("look")}}, {{test::pte, 2}});
  for (int row = 0; row < 8; ++row) EXPECT_EQ(marked(row), row == 3 || row == 6) << row;
  EXPECT_TRUE(tip(3).contains(QStringLiteral("look")));
  EXPECT_TRUE(tip(6).contains(QStringLiteral("stops here")));
  EXPECT_TRUE(model.data(model.index(3, 0), Qt::AccessibleTextRole).toString().contains(QStringLiteral("look")));
  model.set_marks({}, {{test::pte, ~0ull}});
  EXPECT_TRUE(marked(1));
  EXPECT_FALSE(marked(2));
}

TEST(CheckModel, DivergedCallsAreListedWithTheirReason) {
  CheckModel model;
  const DocumentPtr document = test::small_document();
  model.set_recording(document->recording, false);
  ASSERT_EQ(model.rowCount(), 1);
  EXPECT_EQ(cell(model, 0, 0), QStringLiteral("diverged"));
  EXPECT_EQ(cell(model, 0, 1), QStringLiteral("5"));
  EXPECT_EQ(cell(model, 0, 4), QStringLiteral("the kernel kept bit 0"));
  EXPECT_EQ(model.check_at(1), nullptr);
}

TEST(CheckModel, DescriptionShowsBothWordsAndTheDifferingBits) {
  const DocumentPtr document = test::small_document();
  const CallCheck& check = document->recording->checks().front();
  const QString html = describe_check(*document, check, find_layout("hmm-6.16"), {});
  EXPECT_TRUE(html.contains(QStringLiteral("0x0000000000000003")));
  EXPECT_TRUE(html.contains(QStringLiteral("0x0000000000000002")));
  EXPECT_TRUE(html.contains(QStringLiteral("0x0000000000000001")));
  EXPECT_TRUE(summarise_checks(*document).contains(QStringLiteral("1 diverged")));
}

TEST(CheckModel, ACallWithManyDifferencesCountsOnce) {
  Memory memory;
  Recorder recorder(memory);
  CallCheck check;
  check.verdict = Verdict::diverged;
  check.call = recorder.enter(Function::hmm_range_fault);
  check.step = recorder.step(RuleId::pte_none_zero);
  recorder.leave(0);
  for (int word = 0; word < 3; ++word) recorder.add_check(check);
  check.verdict = Verdict::agreed;
  check.call = recorder.enter(Function::migrate_vma_setup);
  check.step = recorder.step(RuleId::setup_done);
  recorder.leave(0);
  recorder.add_check(check);
  traces::Document document;
  document.kind = traces::SourceKind::trace;
  document.recording = std::make_shared<const Recording>(std::move(recorder).finish());
  EXPECT_EQ(summarise_checks(document), QStringLiteral("1 call: 0 agreed, 1 diverged, 0 unknown; "
                                                       "1 migrate call: 1 agreed, 0 diverged, 0 unknown"));
}

TEST(TrialProgress, NamesTheModelAndNeverGoesBack) {
  std::string stage;
  uint64_t at = 0, all = 0;
  traces::Progress whole;
  whole.report = [&](std::string_view what, uint64_t done, uint64_t total) {
    EXPECT_GE(done, at);
    EXPECT_LE(done, total);
    stage = what;
    at = done;
    all = total;
  };
  TrialProgress trials(whole, 2);
  trials.begin("6.1");
  const traces::Progress model = trials.of_model();
  for (const char* part : {"reading", "replay", "keyframes", "history"}) {
    for (const uint64_t done : {0, 50, 100}) model.at(part, done, 100);
  }
  EXPECT_EQ(stage, "model 1 of 2: 6.1");
  EXPECT_EQ(at * 2, all);
  trials.begin("6.16");
  model.at("reading", 0, 0);
  EXPECT_EQ(stage, "model 2 of 2: 6.16");
  EXPECT_EQ(at * 2, all);
}

TEST(Details, TellTheRuleTheCallPathAndBothValues) {
  Session session;
  EXPECT_TRUE(describe_step(session).contains(QStringLiteral("Nothing is open")));
  test::open_small(session);
  session.seek(7);
  const QString html = describe_step(session);
  EXPECT_TRUE(html.contains(QStringLiteral("handle_mm_fault(0x11000)")));
  EXPECT_TRUE(html.contains(QStringLiteral("hmm_range_fault(0x10000, 0x14000)")));
  EXPECT_TRUE(html.contains(QStringLiteral("0x0000000000000011 → 0x0000000000000013")));
}

class SearchTest : public testing::Test {
 protected:
  void SetUp() override { test::open_small(session_); }
  std::vector<Hit> of(const char* text, const char* group) {
    std::vector<Hit> found;
    for (Hit& hit : search(session_, QString::fromLatin1(text))) {
      if (hit.group == QLatin1String(group)) found.push_back(std::move(hit));
    }
    return found;
  }
  Session session_;
};

TEST_F(SearchTest, ANumberIsAStep) {
  const auto hits = of("5", "Step");
  ASSERT_EQ(hits.size(), 1u);
  session_.apply(hits.front().intents);
  EXPECT_EQ(session_.position(), 5u);
  EXPECT_TRUE(of("9", "Step").empty());
  EXPECT_EQ(of("step 7", "Step").size(), 1u);
}

TEST_F(SearchTest, AnAddressFindsTheWordsThatCoverIt) {
  const auto hits = of("0x11fff", "Word");
  ASSERT_EQ(hits.size(), 2u);  // the array's slot and the table's entry
  session_.apply(hits.front().intents);
  EXPECT_EQ(session_.selection().word, test::pfns + 1);
}

TEST_F(SearchTest, AValueFindsTheWordsThatHoldItNow) {
  EXPECT_TRUE(of("0x13", "Word").empty());
  session_.seek(8);
  ASSERT_EQ(of("0x13", "Word").size(), 1u);
}

TEST_F(SearchTest, NamesFindSlotsFieldsFunctionsAndRules) {
  session_.seek(1);
  ASSERT_FALSE(of("hmm_pfns[2]", "Word").empty());
  EXPECT_EQ(of("hmm_pfns[2]", "Word").front().intents.front().word, test::pfns + 2);
  EXPECT_FALSE(of("valid", "Bit").empty());
  const auto calls = of("handle_mm", "Function");
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_EQ(calls.front().intents.front().position, 2u);
  session_.seek(7);
  EXPECT_EQ(of("handle_mm", "Function").front().intents.front().position, 2u);  // none ahead: from the start
  const std::string id(rule(session_.recording()->rule_of(6)).id);
  EXPECT_FALSE(of(id.c_str(), "Rule").empty());
}

TEST_F(SearchTest, NothingIsFoundInNothing) {
  EXPECT_TRUE(search(session_, QStringLiteral("  ")).empty());
  EXPECT_TRUE(search(Session(), QStringLiteral("5")).empty());
}

}  // namespace
}  // namespace hmmscope::app
