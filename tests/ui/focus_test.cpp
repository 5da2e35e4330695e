// Which word the panels show: at every step of a walk the page that the step is about, not one from before.
#include <gtest/gtest.h>

#include "tests/ui/stage.h"
#include "traces/document.h"
#include "ui/words.h"

namespace hmmscope::ui::test {
namespace {

std::shared_ptr<const traces::Document> opened(const char* file) {
  auto document = traces::open_document(std::string(HMMSCOPE_SOURCE_DIR) + file);
  EXPECT_TRUE(document) << document.error().to_string();
  return document ? *document : nullptr;
}

/// Steps inside hmm_vma_handle_pte, which is given one address.
uint32_t expect_pages_in_focus(const std::shared_ptr<const traces::Document>& document) {
  const Recording& recording = *document->recording;
  Cursor cursor(document->recording, document->keyframes);
  ViewContext view;
  view.document = document.get();
  view.cursor = &cursor;
  view.layout = document->model.hmm_pfn;
  uint32_t looked = 0;
  for (StepIndex step = 0; step < recording.steps(); ++step) {
    const CallId call = recording.call_of(step);
    if (call == no_call || recording.calls()[call].function != Function::hmm_vma_handle_pte) continue;
    cursor.seek(step + 1);
    EXPECT_EQ(address_of(view, focused_word(view)), recording.arguments(call)[0])
        << "step " << step + 1 << " " << recording.rule_name(step);
    ++looked;
  }
  return looked;
}

TEST(Focus, IsThePageThatAStepDecidesAbout) {
  EXPECT_GT(expect_pages_in_focus(opened("/lessons/scenarios/first-walk.json")), 20u);
  EXPECT_GT(expect_pages_in_focus(opened("/traces/samples/6.12-snapshot.trace.txt")), 5u);
  EXPECT_GT(expect_pages_in_focus(opened("/traces/samples/6.12-unified-uffd_zero.trace.txt.xz")), 20u);
}

/// Before a call has written anything its own array is shown, not that of the call before.
TEST(Focus, IsInTheArrayOfTheCallUnderWay) {
  const auto document = opened("/lessons/scenarios/first-walk.json");
  const Recording& recording = *document->recording;
  Cursor cursor(document->recording, document->keyframes);
  ViewContext view;
  view.document = document.get();
  view.cursor = &cursor;
  uint32_t looked = 0;
  for (StepIndex step = 0; step < recording.steps(); ++step) {
    if (recording.rule_of(step) != RuleId::pte_present || recording.write_count(step) == 0) continue;
    cursor.seek(step);   // the decision before it
    const RegionId written = recording.region_of(recording.write(step, 0).first);
    EXPECT_EQ(recording.region_of(focused_word(view)), written) << "step " << step;
    ++looked;
  }
  EXPECT_GT(looked, 5u);
}

TEST(Focus, IsTheSelectionWhenThereIsOne) {
  const auto document = opened("/lessons/scenarios/first-walk.json");
  Cursor cursor(document->recording, document->keyframes);
  cursor.seek(10);
  ViewContext view;
  view.document = document.get();
  view.cursor = &cursor;
  view.selection.word = 3;
  EXPECT_EQ(focused_word(view), 3u);
}

}  // namespace
}  // namespace hmmscope::ui::test
