// Words and outcomes of the unified fault-and-migrate patches that no scenario file can say: page-table
// entries bit for bit, counts, and the same scenario under the kernel without the patches.
#include <gmock/gmock.h>

#include "tests/migrate/migrate_support.h"
#include "tests/unified/unified_support.h"

namespace hmmscope::scenario {
namespace {

TEST(UnifiedWords, ADeclinedMigrationForgetsAccessedAndDirty) {
  const std::string declined = sequence("migrate-only", R"("memory": false, "expect": "0", "moved": 0)");
  const std::string written = pages("present", R"("pfn": "0x10f3b3", "dirty": true, "accessed": true)");
  const Outcome control = run_text(json_of(heap, written, declined), "6.12-fixed");
  const Outcome posted = run_text(json_of(heap, written, declined), rfc);
  EXPECT_EQ(pte_word(control, 0), 0x800000010f3b3067u);
  EXPECT_EQ(pte_word(posted, 0), 0x800000010f3b3007u);
}

TEST(UnifiedWords, TheMigrationEntryCarriesNeitherBit) {
  const std::string prepared = setup(R"("expect": "0", "cpages": 1)");
  const std::string page = pages("present", R"("pfn": "0x10d62a")");
  EXPECT_EQ(pte_word(run_text(json_of(heap, page, prepared), rfc), 0), 0xd7ffffffde53aa00u);
  const uint64_t control = pte_word(run_text(json_of(heap, page, prepared), "6.12-fixed"), 0);
  EXPECT_EQ(control & 0xffff000000000000u, 0xd7ff000000000000u);
  EXPECT_EQ(control, 0xd7ffe7ffde53aa00u);
}

TEST(UnifiedWords, AnOwnDevicePageKeepsItsEntryType) {
  const std::string page = pages("device-private", R"("device": "gpu0", "pfn": "0xfcfffe9")");
  const Outcome outcome =
      run_text(json_of(heap, page, sequence("S3", R"("select": ["device-private"], "until": "setup")")), rfc);
  EXPECT_EQ(pte_word(outcome, 0), 0xd7ffffe060002c00u);
}

TEST(UnifiedWords, LostUserDataComesBackOnlyWithoutThePatches) {
  const std::string page = pages("present", R"("swapcache": "own", "dirty": true)", 8);
  const auto reclaimed = [&](int unwritten) {
    return then({sequence("migrate-only", R"("memory": false)", 8),
                 op("page-out", R"("pages": 8, "unwritten": )" + std::to_string(unwritten))});
  };
  run_text(json_of(heap, page, reclaimed(8)), rfc);
  const Outcome control = run_text(json_of(heap, page, reclaimed(0)), "6.12-fixed");
  EXPECT_THAT(fired(control.recording), testing::Contains("pageout.written"));
}

TEST(UnifiedWords, ASplitHugePageRestartsOnceAndIsItsOwnNews) {
  const Outcome outcome =
      run_text(json_of(huge, thp(), sequence("S3", R"("expect": "0", "moved": 512)", 512)), rfc);
  EXPECT_EQ(calls(outcome, Function::walk_page_range), 2u);
  constexpr size_t events = 2, devices = 4;
  EXPECT_EQ(count_rule(outcome, RuleId::callback_skip_current), events * devices);
  EXPECT_EQ(calls(outcome, Function::hmm_range_fault), 1u);
}

/// The driver's calls one by one end as its sequence in one operation does.
TEST(UnifiedWords, ARangeFaultThatPreparesGoesOnByTheDriversCalls) {
  const std::string walk =
      R"({"op": "range-fault", "array": "m", "at": "heap", "pages": 4, "device": "gpu0", "default": "REQ_FAULT|MIGRATE",
          "prepares": {"migration": "m"}, "expect": "0"})";
  const std::string steps = then({walk, R"({"op": "migrate-range-setup", "migration": "m", "array": "m", "expect": "0", "cpages": 4})",
                                  R"({"op": "migrate-pages", "migration": "m", "moved": 4})",
                                  R"({"op": "migrate-finalize", "migration": "m"})"});
  const std::string page = pages("present", R"("pfn": "0x10d62a")", 4);
  const Outcome one_by_one = run_text(json_of(heap, page, steps), rfc);
  const Outcome at_once = run_text(json_of(heap, page, sequence("S3", R"("expect": "0", "moved": 4)", 4)), rfc);
  for (uint32_t k = 0; k < 4; ++k) EXPECT_EQ(pte_word(one_by_one, k), pte_word(at_once, k));
  std::string without = walk;   // REQ_MIGRATE is a flag of the patches
  without.replace(without.find("|MIGRATE"), 8, "");
  const auto refused = run(*parse(json_of(heap, page, without), "x"), "6.12-fixed");
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, testing::HasSubstr("cannot migrate in hmm_range_fault"));
}

TEST(UnifiedWords, EveryExclusivePageIsFlushedTwice) {
  const auto flushes = [](std::string_view kernel) {
    const Outcome outcome = run_text(
        json_of(heap, pages("present", "", 16), sequence("migrate-only", R"("moved": 16)", 16)), kernel);
    return final_word(outcome, RegionKind::mm, static_cast<uint32_t>(MmWord::tlb_flushes));
  };
  EXPECT_EQ(flushes(rfc), 32u);
  EXPECT_EQ(flushes("6.12-fixed"), 17u);
}

TEST(UnifiedWords, SharedPagesAreFlushedOnceEach) {
  const Outcome outcome = run_text(
      json_of(heap, pages("present", "", 16), then({fork_child, sequence("S3", R"("until": "walk")", 16)})),
      rfc);
  EXPECT_EQ(final_word(outcome, RegionKind::mm, static_cast<uint32_t>(MmWord::tlb_flushes)), 16u);
}

TEST(UnifiedWords, OnePassOfAStaleArrayPutsTwoAddressesOnOnePage) {
  const std::string two_rounds = sequence("S3", R"("chunk": 16, "expect": "0", "moved": 32)", 32, "gpu1");
  const Outcome outcome = run_text(unchecked(json_of(heap, pages("present", "", 32), two_rounds)), rfc);
  for (uint32_t k = 0; k < 16; ++k) EXPECT_EQ(pte_word(outcome, k), pte_word(outcome, 16 + k)) << k;
  EXPECT_EQ(count_rule(outcome, RuleId::convert_stale_dst), 16u);
  const std::string old_collector = sequence("migrate-only", R"("chunk": 16, "moved": 16)", 32, "gpu1");
  const Outcome control = run_text(json_of(heap, pages("present", "", 32), old_collector), "6.12-fixed");
  EXPECT_NE(pte_word(control, 0), pte_word(control, 16));
}

TEST(UnifiedWords, ThePostedDriverWarnsOfEverySlotOfABusyHugePage) {
  const std::string posted = then({op("pin"), sequence("posted", R"("expect": "page-0", "moved": 0)", 8)});
  const Outcome outcome = run_text(unchecked(json_of(huge, thp(), posted)), rfc);
  EXPECT_EQ(count_rule(outcome, RuleId::driver_warn_not_valid), 8u);
  EXPECT_EQ(count_rule(outcome, RuleId::driver_read_page_zero), 8u);
}

TEST(UnifiedWords, ForcedSystemPagesAreReportedOneByOne) {
  const std::string page =
      then({pages("present", "", 2),
            R"({"at": "heap+2", "pages": 2, "state": "device-private", "device": "gpu0"})"});
  const Outcome outcome = run_text(json_of(heap, page, to_system(R"("expect": "0", "cpages": 2)", 8)), rfc);
  EXPECT_EQ(count_rule(outcome, RuleId::driver_system_page), 2u);
  const Outcome control =
      run_text(json_of(heap, page, to_system(R"("expect": "0", "cpages": 2)", 8)), "6.12-fixed");
  EXPECT_EQ(count_rule(control, RuleId::driver_system_page), 0u);
}

TEST(UnifiedWords, ThePatchesTakeNothingFromAVmaWithoutAccess) {
  const std::string none = R"({"name": "heap", "start": "0x7f0000000000", "size": "128K", "prot": "none"})";
  const std::string page = pages("protnone", "", 4);
  run_text(json_of(none, page, setup(R"("expect": "0", "cpages": 0)", 4)), rfc);
  run_text(json_of(none, page, setup(R"("expect": "0", "cpages": 4)", 4)), "6.12-fixed");
}

TEST(UnifiedWords, TheSequenceStaysOddWithoutAnOwner) {
  const Outcome outcome = run_text(
      json_of(heap, pages("present", "", 8), sequence("S3", R"("owner": false, "expect": "deadlock")", 8)),
      rfc);
  EXPECT_EQ(operands_of(outcome.recording, RuleId::stuck_notifier), (std::vector<uint64_t>{3, 1}));
}

TEST(UnifiedWords, TheStuckPageIsNamedWithItsLocker) {
  const std::string page = then(
      {pages("present", R"("pfn": "0x10d62a")"), R"({"at": "heap+1", "pages": 1, "state": "zero-page"})"});
  const Outcome outcome =
      run_text(json_of(heap, page, sequence("S3", R"("write": true, "expect": "deadlock")", 2)), rfc);
  const auto operands = operands_of(outcome.recording, RuleId::stuck_own_entry);
  EXPECT_EQ(operands, (std::vector<uint64_t>{0x7f0000000000, 0xd7ffffffde53aa00, 0x10d62a,
                                             static_cast<uint64_t>(FolioLocker::migration)}));
}

TEST(UnifiedWords, PlainKernelsRefuseToMigrateInThePass) {
  const auto parsed = parse(json_of(heap, "", sequence("S3", "", 1)), "test.json");
  ASSERT_TRUE(parsed);
  const auto outcome = run(*parsed, "6.12");
  ASSERT_FALSE(outcome);
  EXPECT_THAT(outcome.error().to_string(), testing::HasSubstr("6.12-unified-rfc"));
}

TEST(UnifiedWords, SwapInsOfExclusivePagesAreWritableFrom611On) {
  const std::string page = pages("swapped");
  EXPECT_EQ(pte_word(run_text(json_of(heap, page, op("touch")), "6.12"), 0) & 0x42, 0x02u);
  EXPECT_EQ(pte_word(run_text(json_of(heap, page, op("touch")), "6.1"), 0) & 0x42, 0x00u);
}

}  // namespace
}  // namespace hmmscope::scenario
