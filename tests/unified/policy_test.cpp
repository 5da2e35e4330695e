// What the later form of the unified patches changes, call by call: the same small machine under both forms.
#include "engine/unified/migrate_prepare.h"
#include "tests/unified/unified_support.h"

namespace hmmscope::scenario {
namespace {

constexpr std::string_view later = "7.1-unified-later";

uint64_t flushes(const Outcome& outcome) {
  return final_word(outcome, RegionKind::mm, static_cast<uint32_t>(MmWord::tlb_flushes));
}

TEST(UnifiedLater, ADeclinedMigrationKeepsAccessedAndDirty) {
  const std::string written = pages("present", R"("pfn": "0x10f3b3", "dirty": true, "accessed": true)");
  const std::string declined = sequence("S3", R"("memory": false, "expect": "0", "moved": 0)");
  EXPECT_EQ(pte_word(run_text(json_of(heap, written, declined), rfc), 0), 0x800000010f3b3007u);
  EXPECT_EQ(pte_word(run_text(json_of(heap, written, declined), later), 0), 0x800000010f3b3067u);
}

TEST(UnifiedLater, OneFlushForThePartAndOneForEachExclusivePage) {
  const std::string both = json_of(heap, pages("present", "", 16), sequence("S3", R"("moved": 16)", 16));
  EXPECT_EQ(flushes(run_text(both, rfc)), 32u);
  EXPECT_EQ(flushes(run_text(both, later)), 17u);
}

TEST(UnifiedLater, OnlyThePageThatNeedsItIsFaulted) {
  const std::string half =
      pages("present", "", 2) + R"(, {"at": "heap+2", "state": "swapped"}, {"at": "heap+3", "pages": 5, "state": "present"})";
  const std::string both = json_of(heap, half, sequence("S3", R"("expect": "0", "moved": 8)", 8));
  EXPECT_EQ(calls(run_text(both, rfc), Function::handle_mm_fault), 6u) << "from the missing page to the end";
  EXPECT_EQ(calls(run_text(both, later), Function::handle_mm_fault), 1u);
}

TEST(UnifiedLater, AFailedWalkLeavesNothingBehind) {
  const std::string two =
      R"({"name": "heap", "start": "0x7f0000000000", "size": "16K"}, {"name": "next", "start": "0x7f0000004000", "size": "16K"})";
  const std::string mapped = pages("present", "", 4) + R"(, {"at": "next", "pages": 4, "state": "present"})";
  const auto over_both = [](int moved) {
    return sequence("S3", R"("expect": "-ERANGE", "moved": )" + std::to_string(moved), 8);
  };
  run_text(json_of(two, mapped, over_both(4)), rfc);
  const std::string untouched = R"({"op": "expect-page", "at": "heap", "pages": 4, "state": "present", "locked": false, "refcount": 1})";
  const Outcome outcome = run_text(json_of(two, mapped, then({over_both(0), untouched})), later);
  EXPECT_EQ(operands_of(outcome.recording, RuleId::range_rollback)[1], 4u);
}

TEST(UnifiedLater, ABusyHugePageKeepsItsPfns) {
  const std::string pinned = json_of(huge, pages("thp", R"("pfn": "0x111c00")", 512),
                                     then({op("pin"), sequence("S3", R"("until": "walk")", 512)}));
  EXPECT_EQ(final_word(run_text(pinned, rfc), RegionKind::hmm_pfns, 0), 0x2000000000000000u);
  const uint64_t kept = final_word(run_text(pinned, later), RegionKind::hmm_pfns, 0);
  const Layout& layout = *kernel_model(later).value().hmm_pfn;
  EXPECT_EQ(kept & layout.mask(Role::pfn), 0x111c00u);
  EXPECT_NE(kept & layout.mask(Role::valid), 0u);
  EXPECT_EQ(kept & layout.mask(Role::migrate), 0u);
}

TEST(UnifiedLater, AHugePageMovesWholeWhenTheCallerSelectsCompound) {
  const std::string there = R"({"op": "expect-page", "at": "heap", "pages": 512, "state": "device-private-thp", "writable": true, "refcount": 1, "mapcount": 1})";
  const std::string back = R"({"op": "expect-page", "at": "heap", "pages": 512, "state": "thp", "writable": true, "refcount": 1, "mapcount": 1, "locked": false})";
  const std::string all = json_of(huge, thp(), then({sequence("S3", R"("select": ["system", "compound"], "expect": "0", "moved": 512)", 512), there,
                                                     op("touch", R"("access": "write", "expect": "ok")", "heap+100"), back}));
  const Outcome outcome = run_text(all, later);
  const auto words = operands_of(outcome.recording, RuleId::prepare_huge_entry_write);
  const Layout& layout = *kernel_model(later).value().hmm_pfn;
  EXPECT_NE(words[3] & layout.mask(Role::compound), 0u);
  EXPECT_NE(words[3] & layout.mask(Role::migrate), 0u);
  EXPECT_EQ(count_rule(outcome, RuleId::split_folio_done), 0u);
  // As posted there is no such selection: the page goes in 512 pieces.
  const std::string pieces = json_of(huge, thp(), sequence("S3", R"("select": ["system", "compound"], "expect": "0", "moved": 512)", 512));
  EXPECT_EQ(count_rule(run_text(pieces, rfc), RuleId::split_folio_done), 1u);
}

// A walk that fails further on puts a 2M migration entry back too.
TEST(UnifiedLater, AFailedWalkPutsTheHugeMappingBack) {
  const std::string two = R"({"name": "heap", "start": "0x7f0000200000", "size": "2M", "thp": true}, {"name": "next", "start": "0x7f0000400000", "size": "16K"})";
  const std::string over_both = sequence("S3", R"("select": ["system", "compound"], "expect": "-ERANGE", "moved": 0)", 514);
  const std::string untouched = R"({"op": "expect-page", "at": "heap", "pages": 512, "state": "thp", "locked": false, "refcount": 1, "mapcount": 1})";
  const Outcome outcome = run_text(json_of(two, thp(), then({over_both, untouched})), later);
  EXPECT_EQ(operands_of(outcome.recording, RuleId::range_rollback)[1], 512u);
}

TEST(UnifiedLater, TheFaultPathKeepsItsLockWhenSharingFails) {
  const std::string home = then({op("pin"), op("touch", R"("expect": "wait")")});
  const auto locked_after = [&](std::string_view kernel) {
    const Outcome outcome = run_text(json_of(heap, on("gpu0"), home), kernel);
    const auto recording = std::make_shared<const Recording>(outcome.recording);
    Cursor cursor(recording);
    size_t locked = 0;
    for (StepIndex step = 0; step < recording->steps(); ++step) {
      if (recording->rule_of(step) != RuleId::prepare_pinned) continue;
      cursor.seek(step + 1);
      for (const Region& region : recording->regions()) {
        if (region.kind != RegionKind::folio) continue;
        locked += (cursor.load(word_of(region.first, FolioWord::flags)) & folio_flag::locked) != 0 ? 1 : 0;
      }
      break;
    }
    return locked;
  };
  EXPECT_EQ(locked_after(rfc), 0u) << "the lock was the fault path's";
  EXPECT_EQ(locked_after(later), 1u);
}

TEST(UnifiedLater, SelectionBitsOfTheTwoForms) {
  const KernelModel posted = kernel_model(rfc).value(), revised = kernel_model(later).value();
  EXPECT_EQ(select_fault(posted), 1u << 3);
  EXPECT_EQ(select_fault(revised), 1u << 4) << "1 << 3 became MIGRATE_VMA_SELECT_COMPOUND";
  EXPECT_EQ(select_write(posted), 0u);
  EXPECT_NE(select_write(revised), 0u);
  EXPECT_EQ(select_fault(kernel_model("6.12").value()), 0u);
}

TEST(UnifiedLater, MigrateVmaWriteFaultsForWriting) {
  const auto with = [](const std::string& select) {
    return json_of(heap, pages("zero-page"),
                   sequence("migrate-only", R"("select": ["system", ")" + select + R"("], "expect": "0", "moved": 1)"));
  };
  EXPECT_EQ(calls(run_text(with("fault"), later), Function::handle_mm_fault), 0u) << "a zero page can be read";
  EXPECT_EQ(calls(run_text(with("write"), later), Function::handle_mm_fault), 1u);
}

// Finding 5.1 to its end: the bytes.
TEST(UnifiedData, WritesAreUndoneAsPostedAndKeptOtherwise) {
  const auto failures = [&](const char* name, std::string_view kernel) {
    return run_shipped(name, kernel).failures.size();
  };
  EXPECT_EQ(failures("unified-lost-data", rfc), 0u);
  EXPECT_EQ(failures("unified-kept-data", later), 0u);
  EXPECT_EQ(failures("unified-kept-data", "6.12-fixed"), 0u) << "the old collector";
  // All eight reads and the count of unwritten pages differ.
  EXPECT_EQ(failures("unified-kept-data", rfc), 9u);
  EXPECT_EQ(failures("unified-lost-data", later), 9u);
}

TEST(UnifiedLock, TheWriterBetweenTwoReadsIsNamed) {
  const Outcome posted = run_shipped("unified-mmap-lock");
  EXPECT_TRUE(posted.failures.empty()) << posted.failures.front().text;
  EXPECT_EQ(posted.schedule_text,
            "driver waits for mmap_lock (again, behind a writer), which it holds itself; "
            "cpu waits for mmap_lock (to write) held by driver");
  EXPECT_EQ(count_rule(posted, RuleId::stuck_mmap_lock), 1u);
}

}  // namespace
}  // namespace hmmscope::scenario
