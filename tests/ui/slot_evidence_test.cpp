#include "ui/panels/slot_evidence.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "engine/recording/recorder.h"
#include "tests/ui/stage.h"
#include "ui/words.h"

namespace hmmscope::ui::test {
namespace {

TEST(SlotEvidence, IsThatOfTheLastWriteWhereverTheCursorWasBefore) {
  const auto document = walk_document(true);
  Stage stage("walk", document, 0);
  const auto regions = document->recording->regions();
  const auto array = std::find_if(regions.begin(), regions.end(),
                                  [](const Region& r) { return r.kind == RegionKind::hmm_pfns; });
  ASSERT_NE(array, regions.end());
  SlotEvidence evidence;
  std::mt19937 random(5);
  std::uniform_int_distribution<StepIndex> anywhere(0, document->recording->steps());
  size_t inferred = 0, unknown = 0;
  for (int move = 0; move < 300; ++move) {
    if (move % 3 == 0)
      stage.cursor().seek(anywhere(random));
    else if (move % 3 == 1)
      stage.cursor().step();
    else
      stage.cursor().back();
    evidence.update(stage.view, *array);
    for (uint32_t slot = 0; slot < array->count; ++slot) {
      ASSERT_EQ(evidence[slot], last_write(stage.view, array->first + slot).evidence)
          << "slot " << slot << " at " << stage.cursor().position();
      inferred += evidence[slot] == Evidence::inferred;
      unknown += evidence[slot] == Evidence::unknown;
    }
  }
  EXPECT_GT(inferred, 0u);
  EXPECT_GT(unknown, 0u);
}

TEST(SlotEvidence, ComputedRecordingsAreKnownThroughout) {
  const auto document = walk_document(false);
  Stage stage("walk", document, 100);
  SlotEvidence evidence;
  evidence.update(stage.view, document->recording->regions()[4]);
  EXPECT_EQ(evidence[0], Evidence::computed);
}

TEST(Panels, AnUnknownWordShowsNoNumber) {
  const auto document = walk_document(true);
  Stage stage("bits", document, document->recording->steps());
  const auto regions = document->recording->regions();
  const auto array = std::find_if(regions.begin(), regions.end(),
                                  [](const Region& r) { return r.kind == RegionKind::hmm_pfns; });
  WordIndex word = array->first;
  while (last_write(stage.view, word).evidence != Evidence::unknown) ++word;
  ASSERT_LT(word, array->first + array->count);
  stage.view.selection.word = word;
  const Table table = stage.canvas().panel().table(stage.view);
  ASSERT_FALSE(table.rows.empty());
  EXPECT_EQ(table.rows[0][3], "unknown");
}

}  // namespace
}  // namespace hmmscope::ui::test
