// What nobody has seen is not drawn as if it were known: words that nothing told of, and the stand-ins for pfns.
#include "ui/unseen.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/recording/recorder.h"
#include "tests/ui/stage.h"
#include "ui/panels/page_path.h"
#include "ui/panels/pfn_grid.h"
#include "ui/words.h"

namespace hmmscope::ui::test {
namespace {

constexpr uint64_t stand_in = 0x200000012, pte_of_stand_in = 0x8000200000012067, slot_of_stand_in = 0xc000000200000012;
constexpr uint64_t told_from = 0x7f0000000000;

/// pte[0] and hmm_pfns[0] are of a page whose pfn no event shows, pte[1] is shown empty, the rest is not told of.
struct Told {
  WordIndex pte = 0, array = 0;
  std::shared_ptr<const traces::Document> document;
};

Told told(bool trace, int processes = 1) {
  Told told;
  Memory memory;
  const auto add = [&](RegionKind kind, uint32_t owner, const std::string& name) {
    Region region;
    region.kind = kind;
    region.owner = owner;
    region.count = kind == RegionKind::mm ? static_cast<uint32_t>(word_names(kind).size()) : 8;
    region.address = kind == RegionKind::mm ? 0 : told_from;
    region.stride = kind == RegionKind::mm ? 0 : 0x1000;
    region.name = name;
    return memory.region(memory.add_region(region)).first;
  };
  for (int k = 0; k < processes; ++k) add(RegionKind::mm, static_cast<uint32_t>(k), "pid " + std::to_string(55 + k));
  told.pte = add(RegionKind::pte, 0, "pte table");
  told.array = add(RegionKind::hmm_pfns, 0, "hmm_pfns");
  Recorder recorder(memory);
  if (trace) {
    Event event;
    event.task = recorder.add_task({55, "hmm-tests"});
    event.kind = recorder.add_event_kind("hmm_range_fault");
    recorder.set_event(recorder.add_event(event));
  }
  const Evidence evidence = trace ? Evidence::inferred : Evidence::computed;
  recorder.enter(Function::kernel_trace);
  recorder.step(RuleId::trace_pagemap_at_start);
  recorder.write(told.pte, pte_of_stand_in, evidence);
  recorder.step(RuleId::trace_pagemap_at_start);
  recorder.write(told.pte + 1, 0, evidence);
  recorder.step(RuleId::trace_pagemap_at_start);
  recorder.write(told.array, slot_of_stand_in, evidence);
  recorder.leave();
  auto document = std::make_shared<traces::Document>();
  document->kind = trace ? traces::SourceKind::trace : traces::SourceKind::scenario;
  document->model = kernel_model("6.12").value();
  document->recording = std::make_shared<const Recording>(std::move(recorder).finish());
  document->keyframes = std::make_shared<const Keyframes>(document->recording);
  document->history = std::make_shared<const History>(document->recording);
  told.document = document;
  return told;
}

std::vector<std::string> row_of(const Table& table, std::string_view name) {
  for (const auto& row : table.rows) {
    if (row.front() == name) return row;
  }
  return {};
}

TEST(Unseen, AWordNothingWroteIsUnknownInATraceAndKnownInAScenario) {
  for (const bool trace : {true, false}) {
    const Told told = test::told(trace);
    Stage stage("bits", told.document, 3);
    const Evidence expected = trace ? Evidence::unknown : Evidence::computed;
    EXPECT_EQ(last_write(stage.view, told.pte + 2).evidence, expected);
    EXPECT_EQ(word_at(stage.view, told.pte + 2, 3).evidence, expected);
    EXPECT_EQ(word_at(stage.view, told.pte, 0).evidence, expected);
    EXPECT_EQ(last_write(stage.view, told.pte).before_evidence, expected);
    SlotEvidence slots;
    slots.update(stage.view, *region_of(stage.view, told.array));
    EXPECT_EQ(slots[1], expected);
    EXPECT_NE(slots[0], Evidence::unknown);
  }
}

TEST(Unseen, BitsShowsNoNumberForIt) {
  const Told told = test::told(true);
  Stage stage("bits", told.document, 3);
  stage.view.selection.word = told.pte + 2;
  const Table table = stage.canvas().panel().table(stage.view);
  ASSERT_EQ(table.rows.size(), 1u);
  EXPECT_EQ(table.header[4], "evidence");
  for (const size_t column : {2u, 3u, 4u}) EXPECT_EQ(table.rows[0][column], "unknown") << column;
}

TEST(Unseen, WalkSaysWhatIsUnknownAndHowTheRestIsKnown) {
  const Told told = test::told(true);
  Stage stage("walk", told.document, 3);
  stage.view.selection.word = told.pte + 2;
  const Table unknown = stage.canvas().panel().table(stage.view);
  ASSERT_EQ(unknown.header.back(), "evidence");
  EXPECT_EQ(row_of(unknown, "pte")[2], "unknown");
  EXPECT_EQ(row_of(unknown, "pte").back(), "unknown");
  stage.view.selection.word = told.pte + 1;
  const Table empty = stage.canvas().panel().table(stage.view);
  EXPECT_EQ(row_of(empty, "pte")[2], "0x0000000000000000");
  EXPECT_EQ(row_of(empty, "pte").back(), "inferred");
}

TEST(Unseen, HistoryListsTheWriteThatTellsOfAnEmptyEntry) {
  const Told told = test::told(true);
  Stage stage("history", told.document, 3);
  stage.view.selection.word = told.pte + 1;
  const Table table = stage.canvas().panel().table(stage.view);
  ASSERT_EQ(table.rows.size(), 1u);
  EXPECT_EQ(table.rows[0][3], "unknown");
  EXPECT_EQ(table.rows[0][4], "0x0000000000000000");
  const Told scenario = test::told(false);
  Stage computed("history", scenario.document, 3);
  computed.view.selection.word = scenario.pte + 1;
  EXPECT_TRUE(computed.canvas().panel().table(computed.view).rows.empty());
}

TEST(Unseen, APfnThatNoEventShowsIsNotANumber) {
  const Told told = test::told(true);
  Stage stage("bits", told.document, 3);
  stage.view.selection.word = told.pte;
  const Table table = stage.canvas().panel().table(stage.view);
  EXPECT_EQ(table.rows[0][3], "0x800??????????067");
  EXPECT_EQ(table.rows[0][4], "inferred");
  EXPECT_NE(table.rows[0][5].find("pfn not shown by any event"), std::string::npos) << table.rows[0][5];
  for (const auto& row : table.rows) {
    if (row[0] != "pfn" && row[0] != "PFN") continue;
    EXPECT_EQ(row[3], "?");
    EXPECT_EQ(row[4], "unknown");
  }
  for (const auto& row : table.rows) {
    for (const std::string& text : row) EXPECT_EQ(text.find("200000012"), std::string::npos) << text;
  }
  Stage walk("walk", told.document, 3);
  walk.view.selection.word = told.array;
  for (const auto& row : walk.canvas().panel().table(walk.view).rows) {
    for (const std::string& text : row) EXPECT_EQ(text.find("200000012"), std::string::npos) << text;
  }
}

TEST(Unseen, StandInsAreOfTracesAndOfWordsWhosePfnCounts) {
  const Told trace = test::told(true), scenario = test::told(false);
  const Layout& pte = *find_layout("pte-x86-64");
  const Layout& slot = *find_layout("hmm-5.9");
  EXPECT_EQ(StandIns(*trace.document->recording, pte).bits(pte_of_stand_in, Evidence::inferred), pte.mask(Role::pfn));
  EXPECT_EQ(StandIns(*trace.document->recording, slot).bits(slot_of_stand_in, Evidence::inferred), slot.mask(Role::pfn));
  EXPECT_EQ(StandIns(*scenario.document->recording, pte).bits(pte_of_stand_in, Evidence::inferred), 0u);
  EXPECT_EQ(StandIns(*trace.document->recording, pte).bits(pte_of_stand_in & ~1ull, Evidence::inferred), 0u);
  EXPECT_EQ(StandIns(*trace.document->recording, slot).bits(stand_in, Evidence::inferred), 0u);
  EXPECT_EQ(StandIns(*trace.document->recording, slot).bits(0xc000000000112a92, Evidence::inferred), 0u);
  // What a caller handed in was seen, whatever it is.
  EXPECT_EQ(StandIns(*trace.document->recording, slot).bits(slot_of_stand_in, Evidence::observed), 0u);
  EXPECT_EQ(SlotClassifier(*trace.document->recording, slot)(slot_of_stand_in, Evidence::inferred), SlotState::unplaced);
  EXPECT_EQ(SlotClassifier(*scenario.document->recording, slot)(slot_of_stand_in, Evidence::inferred), SlotState::writable);
}

TEST(Walk, SaysWhosePageTablesItShowsWhereThereAreSeveral) {
  const Told one = test::told(true), two = test::told(true, 2);
  Stage alone("walk", one.document, 3), among("walk", two.document, 3);
  EXPECT_EQ(alone.canvas().panel().subtitle(alone.view).find("pid"), std::string::npos);
  EXPECT_NE(among.canvas().panel().subtitle(among.view).find("pid 55"), std::string::npos);
}

}  // namespace
}  // namespace hmmscope::ui::test
