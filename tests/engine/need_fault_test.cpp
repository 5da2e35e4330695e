// The request arithmetic: req = (in AND mask) OR defaults, and what it asks of a mapping.

#include "tests/engine/world.h"

namespace hmmscope::test {
namespace {

/// What the walk decides for one pte: 0 nothing, 1 fault, 3 write fault (the fault then fails).
unsigned need(uint64_t in, uint64_t defaults, uint64_t mask, uint64_t entry) {
  World w("6.12");
  w.vma(0, 1);
  w.pte(0, entry);
  w.range(0, 1, defaults, mask);
  w.in(0, in);
  w.run();
  if (w.faults.empty()) return 0;
  return (w.faults[0].second & fault_flag::write) != 0 ? 3 : 1;
}

constexpr uint64_t none = 0;

TEST(NeedFault, TruthTable) {
  struct Row {
    uint64_t request;
    unsigned absent, read_only, writable;
  };
  for (const Row& row : {Row{0, 0, 0, 0}, Row{W, 0, 0, 0}, Row{V, 1, 0, 0}, Row{V | W, 3, 3, 0}}) {
    // The same request arrives by defaults or by slot and mask.
    for (const auto& [in, defaults, mask] :
         {std::array{uint64_t{0}, row.request, uint64_t{0}}, std::array{row.request, uint64_t{0}, all_ones},
          std::array{row.request & V, row.request & W, V}}) {
      EXPECT_EQ(need(in, defaults, mask, none), row.absent) << row.request;
      EXPECT_EQ(need(in, defaults, mask, pte_ro), row.read_only) << row.request;
      EXPECT_EQ(need(in, defaults, mask, pte_rw), row.writable) << row.request;
    }
  }
}

TEST(NeedFault, TheMaskHidesTheSlot) {
  EXPECT_EQ(need(V | W, 0, 0, none), 0u);
  EXPECT_EQ(need(V | W, 0, W, none), 0u);
  EXPECT_EQ(need(V | W, 0, V, none), 1u);
}

TEST(RangeNeedFault, StopsAtTheFirstWriteAndSkipsSlotsThatCannotAsk) {
  const auto slots_read = [](uint64_t defaults, uint64_t mask, uint32_t writer) {
    World w("6.12");
    w.vma(0, 8);
    w.range(0, 8, defaults, mask);
    w.in(writer, V | W);
    w.start_recording();
    w.run();
    const auto recording = w.stop_recording();
    for (StepIndex s = 0; s < recording->steps(); ++s) {
      if (recording->rule_of(s) == RuleId::range_need_no_request) return uint64_t{0};
      if (rule(recording->rule_of(s)).function == Function::hmm_range_need_fault) return recording->operands(s)[2];
    }
    return all_ones;
  };
  EXPECT_EQ(slots_read(0, 0, 2), 0u);
  EXPECT_EQ(slots_read(W, W, 2), 0u);
  EXPECT_EQ(slots_read(0, all_ones, 2), 3u);
  EXPECT_EQ(slots_read(V, all_ones, 7), 8u);
  EXPECT_EQ(slots_read(V | W, 0, 7), 1u);
}

}  // namespace
}  // namespace hmmscope::test
