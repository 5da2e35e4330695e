#include "ui/panels/lane_index.h"

#include <gtest/gtest.h>

#include <random>

#include "engine/recording/recorder.h"
#include "tests/ui/stage.h"
#include "ui/theme/theme.h"

namespace hmmscope::ui::test {
namespace {

constexpr StepIndex ten_million = 10'000'000;

/// Made once: the recording is large.
std::shared_ptr<const traces::Document> large() {
  static const auto document = long_document(ten_million, 7'654'321);
  return document;
}

TEST(LaneIndex, ARareStateIsInEveryRangeThatHoldsIt) {
  const LaneIndex index(*large()->recording);
  std::mt19937 random(3);
  for (int round = 0; round < 20000; ++round) {
    const auto width = static_cast<StepIndex>(1u << std::uniform_int_distribution<>(0, 23)(random));
    const StepIndex rare = 7'654'321, offset = std::uniform_int_distribution<StepIndex>(0, width - 1)(random);
    const StepIndex begin = rare > offset ? rare - offset : 0;
    ASSERT_EQ(index.summary(Lane::verdict, begin, begin + width).worst, LaneState::diverged)
        << begin << " +" << width;
  }
}

TEST(LaneIndex, ARareStateIsNotSeenFarFromIt) {
  const LaneIndex index(*large()->recording);
  for (const StepIndex width : {1u, 100u, 1000u, 100'000u}) {
    EXPECT_EQ(index.summary(Lane::verdict, 7'654'321 - 2 * width, 7'654'321 - width).worst, LaneState::agreed)
        << width;
    EXPECT_EQ(index.summary(Lane::verdict, 7'654'322 + width, 7'654'322 + 2 * width).worst, LaneState::agreed)
        << width;
  }
}

TEST(LaneIndex, NarrowRangesAreExact) {
  const auto document = walk_document(true);
  const LaneIndex index(*document->recording);
  for (size_t lane = 0; lane < static_cast<size_t>(Lane::count_); ++lane) {
    const auto& spans = index.spans(static_cast<Lane>(lane));
    for (size_t i = 0; i + 1 < spans.size(); ++i)
      ASSERT_LE(spans[i].end, spans[i + 1].begin) << "lane " << lane;
    for (StepIndex step = 0; step < index.steps(); ++step) {
      const LaneIndex::Span* span = index.span_at(static_cast<Lane>(lane), step);
      const LaneIndex::Summary summary = index.summary(static_cast<Lane>(lane), step, step + 1);
      ASSERT_EQ(summary.worst, span == nullptr ? LaneState::none : span->state);
      ASSERT_EQ(summary.coverage, span == nullptr ? 0 : 255);
    }
  }
}

TEST(LaneIndex, OverlappingCallsOfTasksAreJoined) {
  Memory memory;
  Recorder recorder(memory);
  const CallId root = recorder.enter(Function::kernel_trace);
  const CallId first = recorder.enter(Function::hmm_range_fault);
  recorder.step(RuleId::pte_none_zero);
  recorder.switch_to(root);
  const CallId second = recorder.enter(Function::hmm_range_fault);
  recorder.step(RuleId::pte_none_zero);
  recorder.switch_to(first);
  recorder.step(RuleId::pte_none_zero);
  recorder.leave(0);
  recorder.switch_to(second);
  recorder.step(RuleId::pte_none_zero);
  recorder.leave(0);
  recorder.leave();
  const Recording recording = std::move(recorder).finish();
  const LaneIndex index(recording);
  ASSERT_EQ(index.spans(Lane::range_fault).size(), 1u);
  EXPECT_EQ(index.spans(Lane::range_fault)[0].begin, 0u);
  EXPECT_EQ(index.spans(Lane::range_fault)[0].end, 4u);
}

TEST(LaneIndex, ACheckIsInTheLaneOfTheCallItIsAbout) {
  Memory memory;
  Recorder recorder(memory);
  recorder.enter(Function::kernel_trace);
  const CallId setup = recorder.enter(Function::migrate_vma_setup);
  recorder.step(RuleId::setup_done);
  recorder.leave(0);
  recorder.step(RuleId::check_unknown);  // a word of it; the check names the step after
  CallCheck check;
  check.call = setup;
  check.step = recorder.step(RuleId::check_agreed);
  recorder.add_check(check);
  recorder.step(RuleId::trace_marker);
  const CallId range = recorder.enter(Function::hmm_range_fault);
  recorder.step(RuleId::pte_none_zero);
  recorder.leave(0);
  check.call = range;
  check.step = recorder.step(RuleId::check_agreed);
  recorder.add_check(check);
  recorder.leave();
  const Recording recording = std::move(recorder).finish();
  const LaneIndex index(recording);
  ASSERT_EQ(index.spans(Lane::migration).size(), 1u);
  EXPECT_EQ(index.spans(Lane::migration)[0].end, 3u);
  ASSERT_EQ(index.spans(Lane::range_fault).size(), 1u);
  EXPECT_EQ(index.spans(Lane::range_fault)[0].begin, 4u);
  EXPECT_EQ(index.spans(Lane::range_fault)[0].end, 6u);
}

/// Longest run of pixels of the colour in the row of the verdict lane.
int widest_red(const Image& image, Color color) {
  int widest = 0;
  for (int y = 0; y < image.height; ++y) {
    int run = 0;
    for (int x = 0; x < image.width; ++x) {
      run = image.pixels[static_cast<size_t>(y * image.width + x)] == color ? run + 1 : 0;
      widest = std::max(widest, run);
    }
  }
  return widest;
}

TEST(Timeline, ADivergenceIsAtLeastThreePixelsAtEveryZoom) {
  Stage stage("timeline", large(), 7'654'322);
  stage.size = {1200, 210, 1};
  CanvasInput wheel;
  wheel.mouse_y = 100;
  for (int zoom = 0; zoom < 60; ++zoom) {
    const Image image = stage.picture();
    ASSERT_GE(widest_red(image, theme(ThemeKind::dark).bad), 3) << "zoom " << zoom;
    // Zoom in at the playhead, which stands on the divergence.
    stage.key(Key::plus);
  }
}

TEST(Timeline, ManyDivergencesDoNotHideEachOtherNorTakeLong) {
  Memory memory;
  Recorder recorder(memory);
  for (int i = 0; i < 20000; ++i) {
    const CallId call = recorder.enter(Function::hmm_range_fault);
    recorder.step(RuleId::pte_none_zero);
    recorder.leave(0);
    CallCheck check;
    check.call = call;
    check.verdict = i % 100 == 0 ? Verdict::diverged : Verdict::agreed;
    check.step = static_cast<StepIndex>(i);
    recorder.add_check(check);
  }
  const Recording recording = std::move(recorder).finish();
  const LaneIndex index(recording);
  EXPECT_EQ(index.diverged().size(), 200u);
  EXPECT_EQ(index.diverged_in(0, 100), (std::pair<size_t, size_t>{0, 1}));
  EXPECT_EQ(index.diverged_in(100, 301), (std::pair<size_t, size_t>{1, 4}));
}

}  // namespace
}  // namespace hmmscope::ui::test
