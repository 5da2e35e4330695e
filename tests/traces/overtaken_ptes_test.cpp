#include "traces/replay/overtaken_ptes.h"

#include "engine/machine/entry_format.h"
#include "tests/traces/replay_support.h"

namespace hmmscope::traces {
namespace {

constexpr uint64_t page = 0x7f0000001000, present = 0x8000000000005867, migration = 0xf7ffe7ffc801f602;

TEST(OvertakenPtes, AMigrationEntryPutThereMeanwhile) {
  // The ptes were read before the entry was written, and their event stamped afterwards.
  const auto read = trace_of_text(
      "# tracer: nop\n#\n"
      "            walk-1       [000] .....     1.000001: w_pmd: (a) pmdp=0x1 pmd=0x1067 start=0x7f0000001000 end=0x7f0000003000\n"
      "           other-2       [001] ...1.     1.000002: set_migration_pte: addr=7f0000001000, pte=f7ffe7ffc801f602 order=0\n"
      "            walk-1       [000] .....     1.000003: ptes: (a <- b) addr=0x7f0000001000 ptes={0x8000000000005867,0x8000000000006867}\n"
      "            walk-1       [000] .....     1.000004: w_pmd_r: (a <- b) ret=0 start=0x7f0000001000\n");
  ASSERT_TRUE(read) << read.error().to_string();
  const auto& trace = *read;
  ASSERT_EQ(trace->size(), 4u);
  const EventKinds kinds(*trace);
  OvertakenPtes overtaken(*trace, kinds, (*trace)[0].task(), 0);
  overtaken.show(page, page + 2 * page_bytes, 0, 3);
  EXPECT_TRUE(overtaken.any());
  EXPECT_EQ(overtaken.other(page, present, std::nullopt), migration);
  EXPECT_EQ(overtaken.other(page, present, 5), std::nullopt) << "the entry shown is the one the kernel met";
  EXPECT_EQ(overtaken.other(page, present, 9), std::nullopt) << "nobody put that page there";
  EXPECT_EQ(overtaken.other(page + page_bytes, present, std::nullopt), std::nullopt) << "nobody touched that entry";
  overtaken.show(page + page_bytes, page + 2 * page_bytes, 0, 3);
  EXPECT_FALSE(overtaken.any());
}

TEST(OvertakenPtes, AnInvalidationCountsUntilItEnds) {
  const auto read = trace_of_text(
      "# tracer: nop\n#\n"
      "           other-2       [001] .....     1.000001: mn_start: (a) mm=0x1 start=0x7f0000001000 end=0x7f0000002000 flags=0x1 event=1 owner=0x0\n"
      "            walk-1       [000] .....     1.000002: w_pmd: (a) pmdp=0x1 pmd=0x1067 start=0x7f0000001000 end=0x7f0000003000\n"
      "           other-2       [001] .....     1.000003: mn_end: (a) mm=0x1 start=0x7f0000001000 end=0x7f0000002000 flags=0x1 event=1\n"
      "            walk-1       [000] .....     1.000004: w_pmd_r: (a <- b) ret=0 start=0x7f0000001000\n");
  ASSERT_TRUE(read) << read.error().to_string();
  const auto& trace = *read;
  const EventKinds kinds(*trace);
  OvertakenPtes overtaken(*trace, kinds, (*trace)[1].task(), 0);
  overtaken.show(page, page + 2 * page_bytes, 1, 3);
  EXPECT_TRUE(overtaken.any());
  EXPECT_EQ(overtaken.other(page, present, std::nullopt), 0u);
  EXPECT_EQ(overtaken.other(page + page_bytes, present, std::nullopt), std::nullopt);
  overtaken.show(page, page + 2 * page_bytes, 3, 4);
  EXPECT_FALSE(overtaken.any());
}

}  // namespace
}  // namespace hmmscope::traces
