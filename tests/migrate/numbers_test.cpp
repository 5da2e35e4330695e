// Exact words and counts: src words of the pte rules, the refcount arithmetic, entries bit for bit.
#include <gmock/gmock.h>

#include "engine/migrate/entry_conversion.h"
#include "tests/migrate/direct.h"
#include "tests/migrate/migrate_support.h"

namespace hmmscope::scenario {
namespace {

using testing::ElementsAre;

std::string row(int page, const std::string& rest) {
  return R"({"at": "heap+)" + std::to_string(page) + R"(", "state": )" + rest + "}";
}

TEST(MigrateNumbers, SrcWordsOfThePteRules) {
  const std::string declared = row(1, R"("present", "pfn": "0x12345")") + "," + row(2, R"("present", "pfn": "0x12346", "writable": false)") +
                               "," + row(3, R"("zero-page")") + "," + row(4, R"("swapped")") + "," + row(5, R"("device-private", "device": "gpu1")") +
                               "," + row(6, R"("hwpoison")") + "," + row(7, R"("special")");
  const Outcome outcome = run_text(json_of(heap, declared, setup(R"("expect": "0", "cpages": 4)", 8)), "6.12");
  const uint64_t expected[] = {0x2, 0x48d14b, 0x48d183, 0x2, 0, 0, 0, 0};
  for (uint32_t k = 0; k < 8; ++k) EXPECT_EQ(final_word(outcome, RegionKind::migrate_src, k), expected[k]) << k;
}

TEST(MigrateNumbers, MigrationEntriesKeepWhatThePteSaid) {
  struct Entry {
    const char* page;
    uint64_t pte;
  };
  // Types 24, 25, 26 of 6.12; A and D are offset bits 34 and 35 with four levels.
  const Entry entries[] = {
      {R"("present", "pfn": "0x12345")", 0xd7ffe7fffdb97400},
      {R"("present", "pfn": "0x12345", "accessed": false, "dirty": false)", 0xd7fffffffdb97400},
      {R"("present", "pfn": "0x12345", "writable": false, "accessed": false)", 0xcffffffffdb97400},
      {R"("present", "pfn": "0x12345", "accessed": false, "dirty": false, "soft_dirty": true, "uffd_wp": true, "writable": false)", 0xcffffffffdb97406},
  };
  for (const Entry& e : entries) {
    const Outcome outcome = run_text(json_of(heap, row(0, e.page), setup()), "6.12");
    EXPECT_EQ(final_word(outcome, RegionKind::pte, 0), e.pte) << e.page;
  }
}

/// refcount, extra and mapcount of the last check_page.
std::vector<uint64_t> counts(const std::string& declared, const std::string& operations, RuleId rule) {
  const auto all = operands_of(run_text(json_of(heap, declared, operations), "6.12").recording, rule);
  return {all[2], all[3], all[4]};
}

TEST(MigrateNumbers, ReferencesAreExplainedOrNot) {
  EXPECT_THAT(counts(pages("present"), setup(), RuleId::unmap_ready), ElementsAre(1, 1, 0));
  EXPECT_THAT(counts(pages("present"), then({op("get-page"), setup()}), RuleId::unmap_pinned), ElementsAre(2, 1, 0));
  EXPECT_THAT(counts(pages("present", R"("swapcache": "own")"), setup(), RuleId::unmap_ready), ElementsAre(2, 2, 0));
  EXPECT_THAT(counts(on("gpu0"), op("touch"), RuleId::unmap_ready), ElementsAre(2, 3, 0));
  EXPECT_THAT(counts(on("gpu0"), to_system(), RuleId::unmap_ready), ElementsAre(1, 2, 0));
  // A pin of a page that has lost its exclusive mark passes the first check and fails here.
  const std::string alone = then({fork_child, op("munmap", R"("pages": 32, "process": "child")"), op("pin"), setup(R"("cpages": 0)")});
  EXPECT_THAT(counts(pages("present"), alone, RuleId::unmap_pinned), ElementsAre(1025, 1, 0));
}

TEST(MigrateNumbers, APageThatLeftTheSwapCacheMigratesTheSecondTime) {
  const std::string page = pages("present", R"("swapcache": "own")");
  const Outcome outcome = run_text(json_of(heap, page, then({to_device(R"("expect": "-ENOENT")"), to_device(R"("expect": "0")")})), "6.12");
  const auto operands = operands_of(outcome.recording, RuleId::pages_refcount);
  EXPECT_EQ(operands[2], 1u);
  EXPECT_EQ(operands[3], 2u);
}

TEST(MigrateNumbers, FlushesAreOneAPageAndOneAPart) {
  const auto flushes = [](const std::string& declared, int count) {
    const Outcome outcome = run_text(json_of(heap, declared, to_device("", count)), "6.12");
    return final_word(outcome, RegionKind::mm, static_cast<uint32_t>(MmWord::tlb_flushes));
  };
  EXPECT_EQ(flushes(pages("present"), 1), 2u);
  EXPECT_EQ(flushes(pages("present", "", 4), 4), 5u);
  EXPECT_EQ(flushes("", 4), 0u);
  EXPECT_EQ(flushes(pages("zero-page", "", 4), 4), 4u);
}

TEST(MigrateNumbers, EntriesComeBackBitForBit) {
  test::Direct direct;
  const KernelModel& model = direct.machine().model();
  const SwapFormat& format = direct.machine().entry_format().swap;
  const uint64_t A = x86::accessed.mask(), D = x86::dirty.mask(), RW = x86::rw.mask(), SD = x86::soft_dirty.mask(),
                 WP = x86::uffd_wp.mask(), saved = x86::saved_dirty.mask();
  for (uint64_t bits = 0; bits < 32; ++bits) {
    const auto take = [&](unsigned bit, uint64_t mask) { return (bits >> bit & 1) != 0 ? mask : 0; };
    uint64_t flags = x86::present.mask() | x86::user.mask() | x86::nx.mask() | take(0, A) | take(1, D) | take(2, RW) |
                     take(3, SD) | take(4, WP);
    if ((flags & RW) != 0 && (flags & WP) != 0) continue;   // write-protected means not writable
    flags = with_dirty_in_place(model, flags);
    const uint64_t pte = EntryFormat::make(0x12345, flags);
    const SwapKind kind = migration_kind(format, (pte & RW) != 0, true);
    const uint64_t entry = make_migration_entry(model, format, pte, 0x12345, kind);
    const RestoredEntry back = restore_entry(model, format, direct.vma(), entry, 0x12345, true, true, false);
    EXPECT_EQ(back.entry, pte) << std::hex << flags;
    EXPECT_TRUE(back.exclusive);
    EXPECT_EQ((back.entry & saved) != 0, (flags & RW) == 0 && take(1, D) != 0);
    // A clean folio does not get its dirty bit back.
    EXPECT_FALSE(entry_dirty(restore_entry(model, format, direct.vma(), entry, 0x12345, false, true, false).entry));
    // On the device: write, soft-dirty and uffd-wp stay, A and D do not.
    const SwapEntry device = decode_swap(format, restore_entry(model, format, direct.vma(), entry, 0xfc00001, true, true, true).entry);
    EXPECT_EQ(device.kind, (pte & RW) != 0 ? SwapKind::device_write : SwapKind::device_read);
    EXPECT_EQ(device.pfn, 0xfc00001u);
    EXPECT_EQ(device.soft_dirty, (pte & SD) != 0);
    EXPECT_EQ(device.uffd_wp, (pte & WP) != 0);
  }
  const uint64_t plain = make_migration_entry(model, format, 0x8000000012345025, 0x12345, SwapKind::migration_read);
  EXPECT_FALSE(restore_entry(model, format, direct.vma(), plain, 0x12345, true, true, false).exclusive);
}

/// How often something happened in one migration of `count` pages, in the order of the columns below.
std::vector<uint64_t> work_counts(const std::string& state, int count) {
  const std::string declared = state.empty() ? "" : pages(state, "", count);
  const std::string vma = R"({"name": "heap", "start": "0x7f0000200000", "size": "2M"})";
  const Outcome outcome = run_text(json_of(vma, declared, then({setup("", count), step_pages(R"("moved": )" + std::to_string(count)), finalize})), "6.12");
  const Recording& r = outcome.recording;
  const auto calls = [&](Function f) {
    uint64_t n = 0;
    for (const Call& call : r.calls()) n += call.function == f ? 1 : 0;
    return n;
  };
  uint64_t isolated = 0;
  for (StepIndex step = 0; step < r.steps(); ++step) isolated += r.rule_of(step) == RuleId::unmap_isolate ? 1 : 0;
  return {calls(Function::walk_page_range),
          calls(Function::migrate_vma_collect_pmd),
          calls(Function::migrate_vma_collect_hole),
          final_word(outcome, RegionKind::mm, static_cast<uint32_t>(MmWord::tlb_flushes)),
          calls(Function::mmu_notifier_invalidate_range_start),
          calls(Function::migrate_device_unmap),
          isolated,
          calls(Function::try_to_migrate)};
}

TEST(MigrateNumbers, OneMigrationDoesTheWorkTheKernelDoes) {
  // Counted by probes on 6.12.117: page walks, pmd entries, holes, TLB flushes, notifier starts, LRU drains, isolations
  // and rmap walks of one migrate_vma sequence.
  for (const int n : {1, 4, 64, 512}) {
    const auto pages_n = static_cast<uint64_t>(n);
    EXPECT_THAT(work_counts("present", n), ElementsAre(1, 1, 0, pages_n + 1, 1, 1, pages_n, 0)) << n;
    EXPECT_THAT(work_counts("", n), ElementsAre(1, 0, 1, 0, 2, 1, 0, 0)) << n;
    EXPECT_THAT(work_counts("zero-page", n), ElementsAre(1, 1, 0, pages_n, 2, 1, 0, 0)) << n;
  }
}

TEST(MigrateNumbers, PtesAreTheOnesSeenInTraces) {
  const auto flags = [](const std::string& declared, const std::string& operations, const char* kernel) {
    return final_word(run_text(json_of(heap, declared, operations), kernel), RegionKind::pte, 0) & 0xf8000000000001ffull;
  };
  const std::string read_only = on("gpu0").substr(0, on("gpu0").size() - 1) + R"(, "writable": false})";
  for (const char* kernel : {"6.1", "6.12"}) {
    EXPECT_EQ(flags(on("gpu0"), to_system(), kernel), 0x8000000000000007ull);
    EXPECT_EQ(flags(read_only, to_system(), kernel), 0x8000000000000005ull);
    EXPECT_EQ(flags(pages("present"), to_device("", 1, "apu"), kernel), 0x8000000000000067ull);
    const std::string clean = pages("present", R"("writable": false)");
    EXPECT_EQ(flags(clean, then({op("get-page"), setup()}), kernel), 0x8000000000000025ull);
  }
  EXPECT_EQ(flags(pages("present"), to_device(), "6.1") >> 59, 26u);
  EXPECT_EQ(flags(pages("present"), to_device(), "6.12") >> 59, 27u);
  EXPECT_EQ(flags(pages("present", R"("writable": false)"), to_device(), "6.12") >> 59, 28u);
}

TEST(MigrateNumbers, ExclusiveEntriesCountAsMappingsFrom615) {
  const std::string take = op("make-exclusive", R"("device": "gpu0", "pages": 1, "made": 1)");
  const auto operations = [&](const char* mapcount) {
    return then({take, op("expect-page", std::string(R"("state": "device-exclusive", "refcount": 1, "mapcount": )") + mapcount),
                 op("touch", R"("expect": "ok")"), op("expect-page", R"("state": "present", "writable": true, "refcount": 1, "mapcount": 1)")});
  };
  run_text(json_of(heap, pages("present"), operations("0")), "6.1");
  run_text(json_of(heap, pages("present"), operations("0")), "6.12");
  run_text(json_of(heap, pages("present"), operations("1")), "6.15");
  // Before 6.15 the rebuilt pte is dirty whether or not the page was; a single entry type cannot say it was writable.
  const std::string clean = pages("present", R"("dirty": false)");
  EXPECT_EQ(final_word(run_text(json_of(heap, clean, take + ", " + op("touch")), "6.12"), RegionKind::pte, 0) & 0x42, 0x42u);
}

TEST(MigrateNumbers, APageComesHomeOldAndClean) {
  const Outcome outcome = run_text(json_of(heap, on("gpu0"), to_system()), "6.12");
  EXPECT_EQ(final_word(outcome, RegionKind::pte, 0) & 0x8000000000000fffull, 0x8000000000000007ull);   // NX US RW P
}

}  // namespace
}  // namespace hmmscope::scenario
