// The CPU fault path, one small scenario a branch: which rule decides, and what the access gets.
#include <gmock/gmock.h>

#include "tests/scenario/scenario_support.h"

namespace hmmscope::scenario {
namespace {

const std::string heap = R"({"name": "heap", "start": "0x7f0000000000", "size": "64K"})";
const std::string huge = R"({"name": "heap", "start": "0x7f0000200000", "size": "2M", "thp": true})";

std::string touch(const std::string& at, const std::string& access, const std::string& expect = "ok") {
  return R"({"op": "touch", "at": ")" + at + R"(", "access": ")" + access + R"(", "expect": ")" + expect + R"("})";
}

struct Case {
  const char* rule;
  std::string vmas, pages, operations;
  const char* kernel = "";
  std::string more = {};
};

std::vector<Case> cases() {
  const std::string ro_page = R"({"at": "heap+0", "state": "present", "writable": false})";
  const auto state = [](const std::string& name, const std::string& extra = "") {
    return R"({"at": "heap+0", "state": ")" + name + "\"" + extra + "}";
  };
  const auto file = [](const std::string& kind) {
    return R"({"name": "heap", "start": "0x7f0000000000", "size": "64K", "file_pages": 8, "kind": ")" + kind + "\"}";
  };
  const std::string pool = R"({"name": "heap", "start": "0x7f0000200000", "size": "4M", "kind": "hugetlb-2m"})";
  const std::string missing = R"({"name": "heap", "start": "0x7f0000000000", "size": "64K", "uffd_missing": true})";
  const auto fault = [](const std::string& flags, const std::string& expect) {
    return R"({"op": "range-fault", "array": "a", "at": "heap", "pages": 1, "device": "gpu0", "default": ")" + flags + R"(", "expect": ")" + expect + "\"}";
  };
  const std::string reap = R"({"op": "oom-reap", "expect": "0"}, )";
  return {
      {"fault.no_vma", heap, "", touch("0x1000", "read", "SIGSEGV")},
      {"fault.access_denied", R"({"name": "heap", "start": "0x7f0000000000", "size": "4K", "prot": "r"})", "", touch("heap", "write", "SIGSEGV")},
      {"anon.zero_page", heap, "", touch("heap", "read")},
      {"anon.new_page", heap, "", touch("heap", "write")},
      {"anon.uffd_missing", missing, "", fault("REQ_FAULT", "-EFAULT")},
      {"fault.pmd_none.small", heap, "", touch("heap", "write")},
      {"fault.pmd_none.thp", huge, "", touch("heap", "write")},
      {"thp.new_page", huge, "", touch("heap+3", "write")},
      {"thp.huge_zero", huge, "", touch("heap", "read")},
      {"thp.uffd_missing", R"({"name": "heap", "start": "0x7f0000200000", "size": "2M", "thp": true, "uffd_missing": true})", "", fault("REQ_FAULT", "-EFAULT")},
      {"thp.wp_reuse", huge, R"({"at": "heap", "pages": 512, "state": "thp", "writable": false})", touch("heap", "write")},
      {"thp.wp_split", huge, R"({"at": "heap", "pages": 512, "state": "huge-zero"})", touch("heap", "write")},
      {"fault.pmd_write", huge, R"({"at": "heap", "pages": 512, "state": "thp", "writable": false, "exclusive": false})", touch("heap+5", "write")},
      {"fault.pmd_migration", huge, R"({"at": "heap", "pages": 512, "state": "pmd-migration"})", touch("heap", "read", "wait")},
      {"wp.zero_page", heap, state("zero-page"), touch("heap", "write")},
      {"wp.reuse", heap, ro_page, touch("heap", "write")},
      {"wp.copy", heap, state("present", R"(, "writable": false, "exclusive": false)"), touch("heap", "write")},
      {"fault.pte_write", heap, ro_page, touch("heap", "write")},
      {"wp.shared_file", file("file-shared"), "", touch("heap", "read") + "," + touch("heap", "write")},
      {"swap.in", heap, state("swapped"), touch("heap", "read")},
      {"swap.in", heap, state("swapped", R"(, "exclusive": false)"), touch("heap", "write")},
      {"fault.pte_not_present", heap, state("swapped"), touch("heap", "read")},
      {"swap.migration_wait", heap, state("migration-read"), touch("heap", "read", "wait")},
      {"swap.device_private", heap, state("device-private", R"(, "device": "gpu0")"), touch("heap", "read")},
      {"swap.device_exclusive", heap, state("device-exclusive", R"(, "device": "gpu0")"), touch("heap", "write")},
      {"swap.hwpoison", heap, state("hwpoison"), touch("heap", "read", "HWPOISON")},
      {"swap.marker.uffd_wp", heap, state("marker-uffd-wp"), touch("heap", "read")},
      {"swap.marker.poison", heap, state("marker-poison"), touch("heap", "read", "HWPOISON")},
      {"swap.marker.guard", heap, state("marker-guard"), touch("heap", "read", "SIGSEGV"), "6.15"},
      {"file.read", file("file-private"), "", touch("heap", "read")},
      {"file.fault_around", file("file-private"), R"({"at": "heap+1", "pages": 3, "state": "file-cached"})", touch("heap", "read")},
      {"file.cow", file("file-private"), "", touch("heap", "write")},
      {"file.shared_write", file("file-shared"), "", touch("heap", "write")},
      {"file.past_eof", file("shmem"), "", touch("heap+8", "read", "SIGBUS")},
      {"anon.unstable", heap, "", reap + touch("heap", "write", "SIGBUS")},
      {"thp.unstable", huge, "", reap + touch("heap", "write", "SIGBUS") + "," + touch("heap", "read", "SIGBUS")},
      {"thp.unstable", huge, "", reap + fault("REQ_FAULT", "-EFAULT") + R"(, {"op": "expect-page", "at": "heap", "state": "none"})"},
      {"file.unstable", file("file-private"), "", reap + touch("heap", "write", "SIGBUS")},
      {"fault.hugetlb", pool, "", touch("heap", "write")},
      {"hugetlb_fault.none", pool, "", touch("heap", "read")},
      {"hugetlb_fault.write", pool, "", touch("heap", "read") + "," + touch("heap", "write")},
      {"hugetlb_fault.pool_empty", pool, "", touch("heap", "write") + "," + touch("heap+512", "write", "SIGBUS"), "", R"("hugetlb_2m_pages": 1, )"},
      {"scenario.touch.hit", heap, state("present"), touch("heap", "write")},
      {"scenario.touch.wait", heap, state("migration-write"), touch("heap", "write", "wait")},
      {"scenario.signal", heap, "", touch("0x1000", "read", "SIGSEGV")},
      {"scenario.deadlock", heap, state("migration-write"), fault("REQ_FAULT", "deadlock")},
      {"scenario.give_up", heap, "", R"({"op": "range-fault", "array": "a", "at": "0x1000", "pages": 1, "device": "gpu0", "default": "REQ_FAULT", "expect": "-EFAULT"})"},
      {"scenario.repeat", heap, state("zero-page"), fault("REQ_FAULT|REQ_WRITE", "0")},
      {"scenario.commit", heap, "", fault("REQ_FAULT", "0")},
      {"scenario.drop", heap, state("present"), fault("REQ_FAULT", "0") + R"(, {"op": "munmap", "at": "heap", "pages": 1})"},
      {"munmap.zap", huge, R"({"at": "heap", "pages": 512, "state": "thp"})", R"({"op": "munmap", "at": "heap+100", "pages": 50})"},
      {"madvise.dontneed", heap, state("present"), R"({"op": "madvise-dontneed", "at": "heap", "pages": 1}, )" + touch("heap", "read")},
      {"mprotect.ptes", heap, state("present"), R"({"op": "mprotect", "at": "heap", "pages": 1, "prot": "r"}, )" + touch("heap", "write", "SIGSEGV")},
      {"mprotect.same", heap, state("present"), R"({"op": "mprotect", "at": "heap", "pages": 1, "prot": "rw"}, )" + touch("heap", "write")},
      {"scenario.set_page", heap, "", R"({"op": "set-page", "at": "heap", "state": "present"})"},
  };
}

TEST(CpuFault, EachBranchIsDecidedByItsRule) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.rule);
    const Outcome outcome = run_text(scenario_json(c.vmas, c.pages, c.operations, c.more), c.kernel);
    EXPECT_THAT(fired(outcome.recording), testing::Contains(std::string_view(c.rule)));
  }
}

TEST(CpuFault, EveryBranchStepsBackToWhereItBegan) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.rule);
    const auto recording = std::make_shared<const Recording>(run_text(scenario_json(c.vmas, c.pages, c.operations, c.more), c.kernel).recording);
    Cursor cursor(recording);
    std::vector<uint64_t> hashes{cursor.hash()};
    while (cursor.step()) hashes.push_back(cursor.hash());
    while (cursor.back()) ASSERT_EQ(cursor.hash(), hashes[cursor.position()]);
  }
}

// --- after the OOM reaper ------------------------------------------------------------------------------------------

const std::string reaped = R"({"op": "oom-reap", "expect": "0"}, )";
std::string file_vma(const std::string& more) {
  return R"({"name": "heap", "start": "0x7f0000000000", "size": "64K", "file_pages": 8, )" + more + "}";
}

TEST(CpuFault, AReadAfterTheReaperGetsOnlyWhatIsCached) {
  // The failed read has brought its page into the cache; neighbours that were there are mapped before it fails.
  const Outcome outcome = run_text(scenario_json(file_vma(R"("kind": "file-private")"), R"({"at": "heap+2", "state": "file-cached"})",
      reaped + touch("heap", "read", "SIGBUS") + R"(, {"op": "expect-page", "at": "heap", "state": "none"},
      {"op": "expect-page", "at": "heap+2", "state": "present"}, )" + touch("heap", "read")));
  const auto rules = fired(outcome.recording);
  EXPECT_THAT(rules, testing::IsSupersetOf({"file.unstable", "file.fault_around", "file.read"}));
}

TEST(CpuFault, TheReaperLeavesSharedFilesAlone) {
  for (const char* kind : {"file-shared", "shmem"}) {
    const Outcome outcome = run_text(scenario_json(file_vma(R"("kind": ")" + std::string(kind) + "\""), "",
                                                   reaped + touch("heap", "read") + "," + touch("heap+1", "write")));
    EXPECT_FALSE(fired(outcome.recording).contains("file.unstable")) << kind;
  }
}

// --- exact entries ---------------------------------------------------------------------------------------------

uint64_t pte_after(const std::string& page, const std::string& operation, const std::string& vma = heap) {
  return final_word(run_text(scenario_json(vma, page, operation)), RegionKind::pte, 0);
}

TEST(CpuFault, ZeroPageIsSpecialAndReadOnly) {
  const uint64_t pte = pte_after("", touch("heap", "read"));
  EXPECT_EQ(pte & 0x8000000000000fffull, 0x8000000000000225ull);   // NX SPECIAL A US P, as the captures show it
}

TEST(CpuFault, NewPageIsWritableDirtyAndYoung) {
  EXPECT_EQ(pte_after("", touch("heap", "write")) & 0x8000000000000fffull, 0x8000000000000067ull);
}

TEST(CpuFault, ReuseKeepsThePfnCopyDoesNot) {
  const auto page = [](const char* exclusive) {
    return std::string(R"({"at": "heap+0", "state": "present", "writable": false, "pfn": "0x12345", "exclusive": )") + exclusive + "}";
  };
  EXPECT_EQ(pte_after(page("true"), touch("heap", "write")), 0x8000000012345067ull);
  const uint64_t copy = pte_after(page("false"), touch("heap", "write"));
  EXPECT_NE(copy >> 12 & 0xffffffffff, 0x12345u);
  EXPECT_EQ(copy & 0x8000000000000fffull, 0x8000000000000067ull);
}

TEST(CpuFault, SharedSwapEntryIsCopiedForAWrite) {
  const Outcome outcome = run_text(scenario_json(heap, R"({"at": "heap", "state": "swapped", "exclusive": false})", touch("heap", "write")));
  EXPECT_THAT(fired(outcome.recording), testing::IsSupersetOf({std::string_view("swap.in"), std::string_view("wp.copy")}));
}

TEST(CpuFault, HugeZeroPageSplitsIntoZeroPages) {
  const Outcome outcome = run_text(scenario_json(huge, R"({"at": "heap", "pages": 512, "state": "huge-zero"})", touch("heap+7", "write")));
  EXPECT_EQ(final_word(outcome, RegionKind::pte, 6), final_word(outcome, RegionKind::pte, 8));
  EXPECT_EQ(final_word(outcome, RegionKind::pte, 6) & 0x202, 0x200u);
  EXPECT_EQ(final_word(outcome, RegionKind::pte, 7) & 0x202, 0x002u);
}

TEST(CpuFault, SplitPageKeepsItsPfns) {
  const Outcome outcome = run_text(scenario_json(huge, R"({"at": "heap", "pages": 512, "state": "thp", "pfn": "0x40000"})",
                                                 R"({"op": "munmap", "at": "heap+100", "pages": 50})"));
  EXPECT_EQ(final_word(outcome, RegionKind::pte, 99) >> 12 & 0xffffffffff, 0x40000u + 99);
  EXPECT_EQ(final_word(outcome, RegionKind::pte, 100), 0u);
  EXPECT_EQ(final_word(outcome, RegionKind::pte, 149), 0u);
  EXPECT_EQ(final_word(outcome, RegionKind::pte, 150) >> 12 & 0xffffffffff, 0x40000u + 150);
}

}  // namespace
}  // namespace hmmscope::scenario
