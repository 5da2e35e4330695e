#include "app/gui/navigation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/gui/small_document.h"

namespace hmmscope::app {
namespace {

using testing::ElementsAre;

class Navigation : public testing::Test {
 protected:
  const DocumentPtr document_ = test::small_document();
  const Recording& recording_ = *document_->recording;
};

TEST_F(Navigation, LandmarksAreTheFirstStepsOfCallsAndFaultsAndTheDivergentSteps) {
  const Landmarks found = find_landmarks(recording_);
  EXPECT_THAT(found.calls, ElementsAre(1, 5, 8));
  EXPECT_THAT(found.faults, ElementsAre(2, 7));
  EXPECT_THAT(found.divergences, ElementsAre(5));
}

TEST_F(Navigation, NextAndPreviousLandmarkExcludeTheOneUnderTheCursor) {
  const std::vector<StepIndex> marks = {2, 7};
  EXPECT_EQ(next_landmark(marks, 0), 2u);
  EXPECT_EQ(next_landmark(marks, 2), 7u);
  EXPECT_EQ(next_landmark(marks, 7), std::nullopt);
  EXPECT_EQ(previous_landmark(marks, 7), 2u);
  EXPECT_EQ(previous_landmark(marks, 8), 7u);
  EXPECT_EQ(previous_landmark(marks, 2), std::nullopt);
}

TEST_F(Navigation, StepOverPassesTheCallsMadeFromHere) {
  EXPECT_EQ(step_over(recording_, 1), 4u);  // steps 1 and 2 are inside B
  EXPECT_EQ(step_over(recording_, 2), 3u);  // inside B itself: one step
  EXPECT_EQ(step_over(recording_, 6), 8u);  // D is passed, then E
  EXPECT_EQ(step_over(recording_, 8), 8u);
  EXPECT_EQ(step_over(recording_, 0), 1u);
}

TEST_F(Navigation, BackOverIsItsMirror) {
  EXPECT_EQ(back_over(recording_, 4), 1u);
  EXPECT_EQ(back_over(recording_, 3), 2u);
  EXPECT_EQ(back_over(recording_, 1), 0u);
  EXPECT_EQ(back_over(recording_, 0), 0u);
}

TEST_F(Navigation, StepOutStopsBehindTheCallAndBackOutBeforeIt) {
  EXPECT_EQ(step_out(recording_, 2), 4u);
  EXPECT_EQ(step_out(recording_, 1), 5u);
  EXPECT_EQ(step_out(recording_, 8), 8u);
  EXPECT_EQ(back_out(recording_, 3), 1u);
  EXPECT_EQ(back_out(recording_, 7), 6u);
  EXPECT_EQ(back_out(recording_, 4), 0u);
}

TEST_F(Navigation, EveryMoveMakesProgressOrStays) {
  for (StepIndex at = 0; at <= recording_.steps(); ++at) {
    EXPECT_TRUE(at == recording_.steps() || step_over(recording_, at) > at);
    EXPECT_TRUE(at == recording_.steps() || step_out(recording_, at) > at);
    EXPECT_TRUE(at == 0 || back_over(recording_, at) < at);
    EXPECT_TRUE(at == 0 || back_out(recording_, at) < at);
  }
}

}  // namespace
}  // namespace hmmscope::app
