/// What panels ask for when they are clicked, scrolled and driven by keys.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/ui/stage.h"
#include "ui/words.h"

namespace hmmscope::ui::test {
namespace {

const Intent* find(const Intents& intents, Intent::Kind kind) {
  const auto it =
      std::find_if(intents.begin(), intents.end(), [kind](const Intent& i) { return i.kind == kind; });
  return it == intents.end() ? nullptr : &*it;
}

TEST(Bits, AClickOnABitSelectsIt) {
  Stage stage("bits", walk_document(false), 60);
  stage.size = {900, 310, 1};
  const WordIndex word = focused_word(stage.view);
  const Intents first = stage.click(22, 96), last = stage.click(878, 96);
  ASSERT_NE(find(first, Intent::Kind::select_bit), nullptr);
  EXPECT_EQ(find(first, Intent::Kind::select_bit)->bit, 63);
  EXPECT_EQ(find(first, Intent::Kind::select_bit)->word, word);
  ASSERT_NE(find(last, Intent::Kind::select_bit), nullptr);
  EXPECT_EQ(find(last, Intent::Kind::select_bit)->bit, 0);
}

TEST(Bits, EveryBitCanBeClicked) {
  Stage stage("bits", walk_document(false), 60);
  stage.size = {900, 310, 1};
  int expected = 63;
  for (float x = 16; x < 884; x += 1) {
    const Intents intents = stage.click(x, 96);
    const Intent* intent = find(intents, Intent::Kind::select_bit);
    if (intent == nullptr) continue;  // the air between bytes
    ASSERT_TRUE(intent->bit == expected || intent->bit == expected - 1) << x;
    expected = intent->bit;
  }
  EXPECT_EQ(expected, 0);
}

TEST(Bits, ADragIsNotAClick) {
  Stage stage("bits", walk_document(false), 60);
  CanvasInput input;
  input.mouse_x = 22;
  input.mouse_y = 96;
  stage.frame(input);
  input.button[0] = true;
  stage.frame(input);
  input.mouse_x = 60;
  stage.frame(input);
  input.mouse_x = 22;
  input.button[0] = false;
  EXPECT_EQ(find(stage.frame(input), Intent::Kind::select_bit), nullptr);
}

TEST(Bits, ArrowsWalkTheBitsAndStopAtTheEnds) {
  Stage stage("bits", walk_document(false), 60);
  const auto bit_after = [&](int from, Key key) {
    stage.view.selection.bit = from;
    const Intents intents = stage.key(key);
    const Intent* intent = find(intents, Intent::Kind::select_bit);
    return intent == nullptr ? -2 : intent->bit;
  };
  EXPECT_EQ(bit_after(57, Key::left), 58);
  EXPECT_EQ(bit_after(57, Key::right), 56);
  EXPECT_EQ(bit_after(63, Key::left), 63);
  EXPECT_EQ(bit_after(0, Key::right), 0);
  EXPECT_EQ(bit_after(-1, Key::left), 63);
  EXPECT_EQ(bit_after(5, Key::home), 63);
  EXPECT_EQ(bit_after(5, Key::end), 0);
}

TEST(Bits, ADivergedStepShowsBothWords) {
  const auto document = walk_document(true);
  Stage stage("bits", document, diverged_position(*document));
  const Table table = stage.canvas().panel().table(stage.view);
  EXPECT_EQ(table.header[2], "kernel");
  EXPECT_EQ(table.header[3], "engine");
  ASSERT_FALSE(table.rows.empty());
  EXPECT_NE(table.rows[0][2], table.rows[0][3]);
}

TEST(Bits, OtherLayoutsReadTheKernelsWordWhereTheEnginesDiffers) {
  const auto document = walk_document(true);
  Stage stage("bits", document, diverged_position(*document));
  const Table table = stage.canvas().panel().table(stage.view);
  const auto checks = document->recording->checks();
  const auto check = std::find_if(checks.begin(), checks.end(), [](const CallCheck& c) { return c.verdict == Verdict::diverged; });
  ASSERT_NE(check, checks.end());
  const auto row = std::find_if(table.rows.begin(), table.rows.end(), [](const auto& r) { return r[0] == "hmm-6.16"; });
  ASSERT_NE(row, table.rows.end());
  EXPECT_EQ((*row)[2], describe(*find_layout("hmm-6.16"), check->kernel));
  EXPECT_EQ((*row)[3], "");
}

TEST(Bits, AClickOnALayoutAsksForIt) {
  Stage stage("bits", overlap_document(), 2);
  stage.size = {900, 310, 1};
  const Intents intents = stage.click(100, 230);
  const Intent* intent = find(intents, Intent::Kind::set_layout);
  ASSERT_NE(intent, nullptr);
  EXPECT_NE(find_layout(intent->text), nullptr);
}

TEST(Walk, ClicksOnCellsAndTablesSelectWords) {
  Stage stage("walk", walk_document(false), 60);
  stage.size = {900, 330, 1};
  const Recording& recording = *stage.document().recording;
  const Intents cell = stage.click(750, 60);
  ASSERT_NE(find(cell, Intent::Kind::select_word), nullptr);
  EXPECT_EQ(recording.regions()[recording.region_of(find(cell, Intent::Kind::select_word)->word)].kind,
            RegionKind::hmm_pfns);
  const Intents entry = stage.click(55, 250);
  ASSERT_NE(find(entry, Intent::Kind::select_word), nullptr);
  EXPECT_EQ(recording.regions()[recording.region_of(find(entry, Intent::Kind::select_word)->word)].kind,
            RegionKind::pgd);
}

TEST(Walk, ArrowsMoveTheCellCursor) {
  Stage stage("walk", walk_document(false), 60);
  stage.size = {900, 330, 1};
  const WordIndex word = focused_word(stage.view);
  const Intents right = stage.key(Key::right), left = stage.key(Key::left), down = stage.key(Key::down);
  ASSERT_NE(find(right, Intent::Kind::select_word), nullptr);
  EXPECT_EQ(find(right, Intent::Kind::select_word)->word, word + 1);
  EXPECT_EQ(find(left, Intent::Kind::select_word)->word, word - 1);
  EXPECT_GT(find(down, Intent::Kind::select_word)->word, word + 1);
}

TEST(Walk, OneBadEntryOfManyIsShownAndFound) {
  // 262 144 entries, 256 a cell: slot 200 001 is ERROR, its neighbours are 0.
  Stage stage("walk", overlap_document(), 3);
  stage.view.selection.word = stage.document().recording->regions()[4].first;
  stage.size = {900, 330, 1};
  bool found = false;
  for (float y = 30; y < 240 && !found; y += 3) {
    for (float x = 560; x < 890 && !found; x += 3) {
      const Intents intents = stage.click(x, y);
      const Intent* intent = find(intents, Intent::Kind::select_word);
      // A click on an aggregate lands on the first entry in its worst state.
      found = intent != nullptr && stage.cursor().load(intent->word) == 0x2000000000000000;
    }
  }
  EXPECT_TRUE(found);
}

TEST(History, ClicksSeekAndButtonsAsk) {
  Stage stage("history", walk_document(false), 60);
  stage.size = {420, 310, 1};
  const Intents row = stage.click(200, 65);  // the start
  ASSERT_NE(find(row, Intent::Kind::seek), nullptr);
  EXPECT_EQ(find(row, Intent::Kind::seek)->position, 0u);
  const Intents back = stage.click(100, 282), on_change = stage.click(210, 282);
  ASSERT_NE(find(back, Intent::Kind::run_back_to_change), nullptr);
  EXPECT_EQ(find(back, Intent::Kind::run_back_to_change)->word, focused_word(stage.view));
  ASSERT_NE(find(on_change, Intent::Kind::toggle_break), nullptr);
}

TEST(History, ABitAsksForItsOwnMask) {
  Stage stage("history", walk_document(false), 60);
  stage.size = {420, 310, 1};
  stage.view.selection.bit = 62;
  const Intents back = stage.click(100, 282);
  ASSERT_NE(find(back, Intent::Kind::run_back_to_change), nullptr);
  EXPECT_EQ(find(back, Intent::Kind::run_back_to_change)->mask, 1ull << 62);
}

TEST(Timeline, AClickSeeksThere) {
  Stage stage("timeline", walk_document(false), 0);
  stage.size = {1660, 210, 1};
  const double steps = stage.document().recording->steps();
  const Intents intents = stage.click(140 + 1504 / 2.0f, 60);
  const Intent* seek = find(intents, Intent::Kind::seek);
  ASSERT_NE(seek, nullptr);
  EXPECT_NEAR(seek->position, steps / 2, 1);
}

TEST(Timeline, TheWheelZoomsAtTheMouse) {
  Stage stage("timeline", walk_document(false), 0);
  stage.size = {1660, 210, 1};
  constexpr float x = 900;
  const auto step_at = [&] {
    const Intents intents = stage.click(x, 60);
    return find(intents, Intent::Kind::seek)->position;
  };
  const auto far_step = [&] {
    const Intents intents = stage.click(1600, 60);
    return find(intents, Intent::Kind::seek)->position;
  };
  const StepIndex before = step_at(), far_before = far_step();
  CanvasInput input;
  input.mouse_x = x;
  input.mouse_y = 60;
  input.wheel_y = 4;
  stage.frame(input);
  EXPECT_NEAR(step_at(), before, 1);       // what is under the mouse stays there
  EXPECT_LT(far_step(), far_before - 50);  // what is far from it moves
}

TEST(Timeline, DraggingPansAndDoesNotSeek) {
  Stage stage("timeline", walk_document(false), 0);
  stage.size = {1660, 210, 1};
  CanvasInput input;
  input.mouse_x = 900;
  input.mouse_y = 60;
  input.wheel_y = 6;
  stage.frame(input);
  input.wheel_y = 0;
  const StepIndex before = find(stage.click(900, 60), Intent::Kind::seek)->position;
  input.button[0] = true;
  stage.frame(input);
  input.mouse_x = 700;
  Intents dragged = stage.frame(input);
  input.button[0] = false;
  for (auto& intent : stage.frame(input)) dragged.push_back(std::move(intent));
  EXPECT_EQ(find(dragged, Intent::Kind::seek), nullptr);
  EXPECT_NEAR(find(stage.click(700, 60), Intent::Kind::seek)->position, before, 1);
}

TEST(Timeline, KeysStepAndJump) {
  Stage stage("timeline", walk_document(false), 10);
  EXPECT_EQ(find(stage.key(Key::right), Intent::Kind::seek)->position, 11u);
  EXPECT_EQ(find(stage.key(Key::left), Intent::Kind::seek)->position, 9u);
  EXPECT_EQ(find(stage.key(Key::home), Intent::Kind::seek)->position, 0u);
  EXPECT_EQ(find(stage.key(Key::end), Intent::Kind::seek)->position, stage.document().recording->steps());
}

TEST(Panels, SurviveEverySizeAndPosition) {
  for (const auto& document : {walk_document(false), walk_document(true), overlap_document(),
                               std::shared_ptr<const traces::Document>()}) {
    for (const char* panel : {"walk", "bits", "decision", "history", "timeline"}) {
      for (const CanvasSize size : {CanvasSize{1, 1, 1}, CanvasSize{40, 900, 1}, CanvasSize{900, 20, 1.5f},
                                    CanvasSize{300, 120, 2}}) {
        const StepIndex end = document == nullptr ? 0 : document->recording->steps();
        for (const StepIndex position : {StepIndex{0}, std::min<StepIndex>(1, end), end / 2, end}) {
          Stage stage(panel, document, position);
          stage.size = size;
          const Image image = stage.picture();
          ASSERT_EQ(image.width, static_cast<int>(std::round(static_cast<float>(size.width) * size.scale)));
          stage.canvas().panel().table(stage.view);
          stage.canvas().panel().subtitle(stage.view);
        }
      }
    }
  }
}

TEST(Panels, DrawTheSamePictureTwice) {
  for (const char* panel : {"walk", "bits", "decision", "history", "timeline"}) {
    Stage a(panel, walk_document(true), 120), b(panel, walk_document(true), 120);
    EXPECT_EQ(a.picture().pixels, b.picture().pixels) << panel;
    EXPECT_EQ(a.picture().pixels, a.picture().pixels) << panel;
  }
}

TEST(Panels, RegistryKnowsEveryPanel) {
  const auto panels = make_panels();
  ASSERT_EQ(panels.size(), 5u);
  for (const auto& panel : panels) EXPECT_NE(make_panel(panel->id()), nullptr);
  EXPECT_EQ(make_panel("no such panel"), nullptr);
}

TEST(View, TheFocusFollowsTheStepUntilSomethingIsSelected) {
  Stage stage("bits", walk_document(false), 60);
  const WordIndex followed = focused_word(stage.view);
  ASSERT_NE(followed, no_word);
  EXPECT_TRUE(last_write(stage.view, followed).in_current_step);
  stage.view.selection.word = 3;
  EXPECT_EQ(focused_word(stage.view), 3u);
  stage.view.selection.word = no_word - 1;  // not of this recording
  EXPECT_EQ(focused_word(stage.view), followed);
  stage.cursor().seek(0);
  stage.view.selection.word = no_word;
  EXPECT_EQ(region_of(stage.view, focused_word(stage.view))->kind, RegionKind::hmm_pfns);
}

TEST(View, AnEntryIsReadByItsState) {
  Stage stage("bits", walk_document(false), 60);
  const Recording& recording = *stage.document().recording;
  const auto regions = recording.regions();
  const auto pte =
      std::find_if(regions.begin(), regions.end(), [](const Region& r) { return r.kind == RegionKind::pte; });
  ASSERT_NE(pte, regions.end());
  EXPECT_EQ(layout_of(stage.view, pte->first, 0x8000000014000067).family, Family::x86_pte);
  EXPECT_EQ(layout_of(stage.view, pte->first, stage.cursor().load(pte->first + 67)).family, Family::x86_swap);
  EXPECT_EQ(&layout_of(stage.view, focused_word(stage.view), 0), stage.view.layout);
}

TEST(Words, NumbersAreGroupedAndHexIsWhole) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(262144), "262 144");
  EXPECT_EQ(grouped(10000000), "10 000 000");
  EXPECT_EQ(hex(0x2a), "0x2a");
  EXPECT_EQ(hex(0x2a, 16), "0x000000000000002a");
  EXPECT_EQ(hex(~0ull, 16), "0xffffffffffffffff");
}

}  // namespace
}  // namespace hmmscope::ui::test
