/// Lost events, comparisons, and documents that are still being read, in the panels.
#include <gtest/gtest.h>

#include "engine/recording/recorder.h"
#include "tests/ui/stage.h"
#include "ui/panels/lane_index.h"
#include "ui/theme/theme.h"
#include "ui/words.h"

namespace hmmscope::ui::test {
namespace {

/// Events of two CPUs, one step an event. CPU 1 loses events between its events 1 and 5 (the mark).
std::shared_ptr<const traces::Document> lossy_document() {
  Memory memory;
  Region array;
  array.kind = RegionKind::hmm_pfns;
  array.count = 2;
  array.name = "hmm_pfns";
  memory.add_region(array);
  Recorder recorder(memory);
  recorder.set_meta("model", "6.12");
  const uint16_t kind = recorder.add_event_kind("rf_in"), lost = recorder.add_event_kind("lost_events");
  recorder.add_task({1, "a"});
  const uint16_t cpus[] = {0, 1, 0, 0, 0, 1, 1, 0};
  for (uint32_t i = 0; i < 8; ++i) {
    Event event;
    event.time_ns = 1000 * i;
    event.line = 10 + i;
    event.cpu = cpus[i];
    event.kind = i == 5 ? lost : kind;
    const EventIndex index = recorder.add_event(event);
    recorder.set_event(index);
    if (i == 5) {
      recorder.step(RuleId::trace_lost_events, {12, 1, 1000, 5000});
      continue;
    }
    recorder.step(RuleId::pte_none_zero, {});
    recorder.write(0, i + 1);
  }
  auto document = std::make_shared<traces::Document>();
  document->kind = traces::SourceKind::trace;
  document->path = "/nowhere/lossy.dat";
  document->model = kernel_model("6.12").value();
  document->recording = std::make_shared<const Recording>(std::move(recorder).finish());
  document->keyframes = Cursor(document->recording).keyframes();
  document->history = std::make_shared<const History>(document->recording);
  return document;
}

/// Pixels of that colour in column x of the picture.
int count_colour(const Image& image, int x, Color color) {
  int found = 0;
  for (int y = 0; y < image.height; ++y) found += image.pixels[static_cast<size_t>(y * image.width + x)] == color;
  return found;
}

TEST(Gaps, SpanWhatTheirCpuDidNotShow) {
  const auto document = lossy_document();
  const auto gaps = gaps_of(*document->recording);
  ASSERT_EQ(gaps.size(), 1u);
  EXPECT_EQ(gaps[0].begin, 2u);  // behind event 1, the last one of CPU 1 before its mark
  EXPECT_EQ(gaps[0].step, 5u);   // the mark's own step
  EXPECT_EQ(gaps[0].event, 5u);
  EXPECT_EQ(gap_text(gaps[0]), "CPU 1 lost 12 events between 0.000001000 and 0.000005000");
  EXPECT_TRUE(gaps_of(*walk_document(true)->recording).empty());
  EXPECT_EQ(LaneIndex(*document->recording).gaps().size(), 1u);
}

TEST(Gaps, AreDrawnThroughTheLanesAndListed) {
  Stage stage("timeline", lossy_document(), 1);
  stage.size = {800, 200, 1};
  const Image image = stage.picture();
  const Theme& theme = hmmscope::ui::theme(ThemeKind::dark);
  // The track begins at 140 and is 644 wide for eight steps; the gap begins at the second.
  const int edge = 140 + 644 * 2 / 8;
  int most = 0;
  for (int x = edge - 1; x <= edge + 1; ++x) most = std::max(most, count_colour(image, x, theme.warning));
  EXPECT_GT(most, 100);
  EXPECT_EQ(count_colour(image, edge - 20, theme.warning), 0);
  bool listed = false;
  for (const auto& row : stage.canvas().panel().table(stage.view).rows) listed |= row[0] == "events lost";
  EXPECT_TRUE(listed);
}

TEST(Loading, TheUnreadPartHasItsShareOfTheTimeline) {
  Stage stage("timeline", walk_document(true), 10);
  stage.size = {800, 200, 1};
  const Loading loading{25, 100, {}};
  stage.view.loading = &loading;
  const StepIndex steps = stage.document().recording->steps();
  // A quarter of the track is what was read: its middle is half of the steps.
  const Intents intents = stage.click(140 + 644 / 8, 60);
  ASSERT_EQ(intents.size(), 1u);
  EXPECT_EQ(intents[0].kind, Intent::Kind::seek);
  EXPECT_NEAR(static_cast<double>(intents[0].position), steps / 2.0, steps / 50.0);
  // Behind it there is nothing to go to but the end.
  const Intents beyond = stage.click(700, 60);
  ASSERT_EQ(beyond.size(), 1u);
  EXPECT_EQ(beyond[0].position, steps);
  stage.view.loading = nullptr;
  const Intents whole = stage.click(140 + 644 / 8, 60);
  ASSERT_EQ(whole.size(), 1u);
  EXPECT_NEAR(static_cast<double>(whole[0].position), steps / 8.0, steps / 50.0);
}

TEST(Compared, BitsShowTheWordAsItWasAtTheOtherMoment) {
  Stage stage("bits", lossy_document(), 8);
  stage.view.compared = 3;
  const Table table = stage.canvas().panel().table(stage.view);
  EXPECT_EQ(table.header[2], "step 3");
  EXPECT_EQ(table.header[3], "now, step 8");
  ASSERT_FALSE(table.rows.empty());
  EXPECT_EQ(table.rows[0][2], hex(3, 16));
  EXPECT_EQ(table.rows[0][3], hex(8, 16));
  stage.view.compared.reset();
  EXPECT_EQ(stage.canvas().panel().table(stage.view).rows[0][2], hex(7, 16));
}

TEST(Compared, HistoryStartsAndEndsAComparison) {
  Stage stage("history", walk_document(true), 60);
  stage.size = {420, 400, 1};
  // The last of three buttons.
  const Intents begin = stage.click(350, 400 - 24);
  ASSERT_EQ(begin.size(), 1u);
  EXPECT_EQ(begin[0].kind, Intent::Kind::compare);
  EXPECT_EQ(begin[0].position, 60u);
  stage.view.compared = 12;
  const Intents end = stage.click(350, 400 - 24);
  ASSERT_EQ(end.size(), 1u);
  EXPECT_EQ(end[0].position, 12u);
}

TEST(Editable, SpaceAndTheButtonToggleTheSelectedBit) {
  Stage bits("bits", walk_document(false), 60);
  bits.view.selection.word = focused_word(bits.view);
  EXPECT_TRUE(bits.key(Key::space).empty());  // no bit
  bits.view.selection.bit = 3;
  const Intents space = bits.key(Key::space);
  ASSERT_EQ(space.size(), 1u);
  EXPECT_EQ(space[0].kind, Intent::Kind::toggle_bits);
  EXPECT_EQ(space[0].mask, 8u);
  Stage history("history", walk_document(false), 60);
  history.size = {420, 400, 1};
  history.view.selection = bits.view.selection;
  history.view.editable = true;
  const Intents button = history.click(380, 400 - 24);
  ASSERT_EQ(button.size(), 1u);
  EXPECT_EQ(button[0].kind, Intent::Kind::toggle_bits);
  EXPECT_EQ(button[0].mask, 8u);
}

}  // namespace
}  // namespace hmmscope::ui::test
