/// Breakpoints and bookmarks in the panels, and histories that are paged.

#include <gtest/gtest.h>

#include <random>

#include "engine/recording/recorder.h"
#include "tests/ui/stage.h"
#include "ui/panels/change_pages.h"
#include "ui/panels/stop_ticks.h"
#include "ui/theme/theme.h"

namespace hmmscope::ui::test {
namespace {

/// One word written `writes` times; bit 63 changes every 1000 writes, bit 0 with each, and some writes change nothing.
struct Busy {
  explicit Busy(uint32_t writes) {
    Memory memory;
    Region region;
    region.kind = RegionKind::hmm_pfns;
    region.count = 4;
    region.stride = 4096;
    memory.add_region(region);
    Recorder recorder(memory);
    uint64_t value = 0;
    for (uint32_t i = 0; i < writes; ++i) {
      recorder.step(RuleId::pte_none_zero, {});
      if (i % 7 != 0) value ^= 1;
      if (i % 1000 == 999) value ^= 1ull << 63;
      recorder.write(1, value);
    }
    recording = std::make_shared<const Recording>(std::move(recorder).finish());
    history = std::make_unique<const History>(recording);
  }
  std::shared_ptr<const Recording> recording;
  std::unique_ptr<const History> history;
};

TEST(ChangePages, AreTheChangesOfTheHistory) {
  const Busy busy(20000);
  for (const uint64_t mask : {~0ull, 1ull, 1ull << 63, 2ull}) {
    const auto expected = busy.history->changes(1, mask);
    ChangePages pages;
    EXPECT_TRUE(pages.show(busy.history.get(), 1, mask));
    EXPECT_FALSE(pages.show(busy.history.get(), 1, mask));
    while (pages.advance()) {
    }
    ASSERT_EQ(pages.count(), expected.size()) << mask;
    std::mt19937 random(7);
    for (int i = 0; i < 300 && !expected.empty(); ++i) {
      const size_t k = random() % expected.size();
      ASSERT_EQ(pages.at(k).step, expected[k].step);
      ASSERT_EQ(pages.at(k).after, expected[k].after);
      const auto position = static_cast<StepIndex>(random() % (busy.recording->steps() + 1));
      const auto before = std::count_if(expected.begin(), expected.end(),
                                        [&](const Change& change) { return change.step < position; });
      ASSERT_EQ(pages.before(position), static_cast<size_t>(before)) << position;
    }
  }
}

TEST(ChangePages, AreCountedInSlicesAndUsableMeanwhile) {
  const Busy busy(700'000);
  ChangePages pages;
  pages.show(busy.history.get(), 1, ~0ull);
  EXPECT_FALSE(pages.complete());
  const size_t first = pages.count();
  EXPECT_GT(first, 0u);
  EXPECT_EQ(pages.at(first - 1).step, busy.history->changes(1)[first - 1].step);
  EXPECT_LE(pages.before(busy.recording->steps()), first);
  int slices = 1;
  while (pages.advance()) ++slices;
  EXPECT_GT(slices, 1);
  EXPECT_EQ(pages.count(), busy.history->changes(1).size());
}

TEST(ChangePages, OfNothingAreEmpty) {
  ChangePages pages;
  pages.show(nullptr, 0, ~0ull);
  EXPECT_TRUE(pages.complete());
  EXPECT_EQ(pages.count(), 0u);
  EXPECT_EQ(pages.before(5), 0u);
  const Busy busy(10);
  pages.show(busy.history.get(), 3, ~0ull);  // never written
  EXPECT_TRUE(pages.complete());
  EXPECT_EQ(pages.count(), 0u);
}

TEST(StopTicks, AreTheColumnsInWhichAWatchedBitChanges) {
  const auto document = walk_document(true);
  Stage stage("timeline", document, 60);
  const Recording& recording = *document->recording;
  const WordIndex word = focused_word(stage.view);
  const std::vector<Breakpoint> points{{word, ~0ull}, {word + 1, 1ull << 63}};
  stage.view.breakpoints = points;
  StopTicks ticks;
  for (const int columns : {1, 7, 100, 5000}) {
    for (const double first : {0.0, 33.3}) {
      const double span = recording.steps() - first;
      std::vector<int> expected;
      for (const Breakpoint& point : points) {
        for (const Change& change : document->history->changes(point.word, point.mask)) {
          const double column = std::floor((change.step + 1 - first) / (span / columns));
          if (column >= 0 && column < columns) expected.push_back(static_cast<int>(column));
        }
      }
      std::sort(expected.begin(), expected.end());
      expected.erase(std::unique(expected.begin(), expected.end()), expected.end());
      EXPECT_FALSE(expected.empty());
      EXPECT_EQ(ticks.update(stage.view, first, span, columns), expected) << columns << " from " << first;
    }
  }
}

int pixels_of(const Image& image, Color color) {
  return static_cast<int>(std::count(image.pixels.begin(), image.pixels.end(), color));
}

/// In the first `rows` rows.
int pixels_above(const Image& image, Color color, int rows) {
  return static_cast<int>(
      std::count(image.pixels.begin(), image.pixels.begin() + ptrdiff_t{rows} * image.width, color));
}

TEST(Timeline, ShowsBookmarksAndWhereRunsStop) {
  Stage stage("timeline", walk_document(true), 60);
  stage.size = {1200, 210, 1};
  const Color accent = theme(ThemeKind::dark).accent;
  const Image plain = stage.picture();
  const std::vector<Bookmark> marks{{10, "first"}, {200, ""}};
  stage.view.bookmarks = marks;
  const Image marked = stage.picture();
  EXPECT_EQ(pixels_above(plain, accent, 26), 0);
  EXPECT_GT(pixels_above(marked, accent, 26), 30);  // two flags
  const std::vector<Breakpoint> points{{focused_word(stage.view), ~0ull}};
  stage.view.breakpoints = points;
  EXPECT_NE(stage.picture().pixels, marked.pixels);
  const Table table = stage.canvas().panel().table(stage.view);
  EXPECT_EQ(table.rows[0], (std::vector<std::string>{"bookmark", "10", "10", "first"}));
  EXPECT_EQ(table.rows[2][0], "breakpoint");
}

TEST(Bits, MarkTheBitsThatStopARun) {
  Stage stage("bits", walk_document(false), 60);
  const Image plain = stage.picture();
  const std::vector<Breakpoint> points{{focused_word(stage.view), 1ull << 57}};
  stage.view.breakpoints = points;
  const Image marked = stage.picture();
  EXPECT_NE(marked.pixels, plain.pixels);
  const std::vector<Breakpoint> other{{focused_word(stage.view) + 1, 1ull << 57}};
  stage.view.breakpoints = other;
  EXPECT_EQ(stage.picture().pixels, plain.pixels);
}

TEST(History, ItsButtonSaysThatABreakpointIsSet) {
  Stage stage("history", walk_document(false), 60);
  stage.size = {420, 310, 1};
  const Image plain = stage.picture();
  const std::vector<Breakpoint> points{{focused_word(stage.view), ~0ull}};
  stage.view.breakpoints = points;
  EXPECT_NE(stage.picture().pixels, plain.pixels);
}

TEST(Decision, TheFiredRuleStaysInViewWhenThePanelShrinks) {
  const auto document = walk_document(false);
  Stage stage("decision", document, 60);
  const Color fill = theme(ThemeKind::dark).accent_fill;
  stage.size = {420, 500, 1};
  ASSERT_GT(pixels_of(stage.picture(), fill), 500);
  stage.size = {420, 140, 1};
  stage.frame();
  const Image low = stage.picture();
  Stage fresh("decision", document, 60);
  fresh.size = stage.size;
  fresh.frame();
  EXPECT_EQ(low.pixels, fresh.picture().pixels);
  EXPECT_GT(pixels_of(low, fill), 500);
}

}  // namespace
}  // namespace hmmscope::ui::test
