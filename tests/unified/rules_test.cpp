// Every rule of unified.def fires in some small scenario or call, and every recording steps back to where it
// began.
#include <gmock/gmock.h>

#include <memory>

#include "engine/unified/migrate_prepare.h"
#include "tests/migrate/direct.h"
#include "tests/unified/unified_support.h"

namespace hmmscope::scenario {
namespace {

std::vector<Case> cases() {
  const std::string present = pages("present");
  const std::string huge_zero = pages("huge-zero", "", 512);
  const std::string one_pass = sequence("S3", R"("expect": "0")");
  const std::string walk = R"("until": "walk")";
  const std::string two_vmas =
      R"({"name": "heap", "start": "0x7f0000000000", "size": "16K"}, {"name": "next", "start": "0x7f0000004000", "size": "16K"})";
  const std::string short_file =
      R"({"name": "heap", "start": "0x7f0000000000", "size": "64K", "kind": "file-private", "file_pages": 4})";
  const std::string past_the_end =
      then({op("touch", R"("access": "write", "pages": 4)"),
            sequence("migrate-only", R"("select": ["system", "fault"], "expect": "-EFAULT")", 8)});
  const std::string behind = R"(, {"at": "heap+1", "state": "zero-page"})";
  const std::string mapped_by_ptes = op("madvise-dontneed", R"("pages": 1)", "heap+5");
  const std::string not_system = R"("request": false, "select": ["device-private"], "moved": 0)";
  const auto whole = [](const std::string& moved) {
    return sequence("S3", R"("select": ["system", "compound"], "expect": "0", "moved": )" + moved, 512);
  };
  const char* k = "6.12-unified-rfc";
  const char* l = "7.1-unified-later";
  return {
      {"capture.other_vma", two_vmas, "", sequence("S3", R"("expect": "-ERANGE")", 8), k},
      {"capture.remember", heap, present, one_pass, k},
      {"capture.notify", heap, present, one_pass, k},
      {"capture.notify.unowned", heap, present, sequence("S3", R"("owner": false, "expect": "deadlock")"), k},
      {"fill.migrate_hole", heap, "", sequence("S3", R"("fault": false)", 4), k},
      {"prepare.not_wanted", heap, present, sequence("S1", R"("moved": 1)"), k},
      {"prepare.none.anonymous", heap, present, sequence("S3", R"("fault": false, "moved": 2)", 2), k},
      {"prepare.none.other", short_file, "",
       then({op("touch"), op("touch", "", "heap+2"), sequence("S3", R"("fault": false)", 8)}), k},
      {"prepare.not_valid", heap, pages("swapped"), sequence("S3", R"("fault": false, "moved": 0)"), k},
      {"prepare.device_private.not_selected", heap, on("gpu0"), one_pass, k},
      {"prepare.device_private", heap, on("gpu0"),
       sequence("S3", R"("select": ["device-private"], "until": "setup")"), k},
      {"prepare.zero_page", heap, pages("zero-page"), one_pass, k},
      {"prepare.system.not_selected", heap, present,
       sequence("S3", R"("request": false, "select": ["device-private"], "moved": 0)"), k},
      {"prepare.coherent.not_selected", heap, pages("device-coherent", R"("device": "apu")"), one_pass, k},
      {"prepare.no_page", heap, pages("zero-page"),
       sequence("S3", R"("request": false, "select": ["device-private"], "moved": 0)"), k},
      {"prepare.present", heap, present, one_pass, k},
      {"prepare.large", huge, thp(),
       then({op("madvise-dontneed", R"("pages": 1)", "heap+5"), sequence("S3", R"("moved": 0)", 4)}), k},
      {"prepare.fault_folio", heap, on("gpu0"), op("touch", R"("expect": "ok")"), k},
      {"prepare.locked", heap, present, then({op("lock-folio"), one_pass}), k},
      {"prepare.lock", heap, present, one_pass, k},
      {"prepare.pinned", heap, present, then({op("pin"), one_pass}), k},
      {"prepare.pinned", heap, on("gpu0"), then({op("pin"), op("touch", R"("expect": "wait")")}), k},
      {"prepare.exclusive", heap, present, one_pass, k},
      {"prepare.entry.write", heap, present, one_pass, k},
      {"prepare.entry.read_exclusive", heap, pages("present", R"("writable": false)"), one_pass, k},
      {"prepare.entry.read", heap, present, then({fork_child, one_pass}), k},
      {"prepare.bits_lost", heap, present, one_pass, k},
      {"prepare.flush", heap, present, one_pass, k},
      {"split.huge_zero", huge, huge_zero, sequence("S3", R"("moved": 512)", 512), k},
      {"split.locked", huge, thp(),
       then({op("lock-folio"), sequence("S3", R"("expect": "0", "moved": 0)", 512)}), k},
      {"split.try", huge, thp(), sequence("S3", R"("moved": 512)", 512), k},
      {"split.refused", huge, thp(),
       then({op("get-page"), sequence("S3", R"("expect": "0", "moved": 0)", 512)}), k},
      {"split.unlock", huge, thp(), sequence("S3", R"("moved": 512)", 512), k},
      {"split.failed", huge, thp(), then({op("pin"), sequence("S3", R"("expect": "0", "moved": 0)", 512)}),
       k},
      {"split.restart", huge, thp(), sequence("S3", R"("moved": 512)", 512), k},
      {"range.fill_migrate", heap, present, one_pass, k},
      {"range.notifier_left_open", heap, present,
       sequence("migrate-only", R"("owner": false, "expect": "0")"), k},
      {"convert.not_prepared", heap, on("gpu0"), one_pass, k},
      {"convert.hole", heap, pages("zero-page"), one_pass, k},
      {"convert.page", heap, present, one_pass, k},
      {"convert.page_zero", heap, "",
       sequence("S3", R"("fault": false, "preset": "DMA_MAPPED", "expect": "BUG")"), k},
      {"convert.stale_dst", heap, pages("present", "", 32),
       sequence("S3", R"("chunk": 16, "moved": 32)", 32, "gpu1"), k},
      {"convert.done", heap, present, one_pass, k},
      {"setup.by_range_fault", heap, present, setup(R"("expect": "0", "cpages": 1)"), k},
      {"setup.error_kept", short_file, "", past_the_end, k},
      {"setup.error_clean", short_file, "", past_the_end, l},
      {"range.array_cleared", heap, present, one_pass, l},
      {"range.rollback", heap, present + behind, sequence("S3", R"("write": true, "expect": "0", "moved": 2)", 2), l},
      {"vma_fault.one_page", heap, "", sequence("S3", R"("expect": "0", "moved": 4)", 4), l},
      {"prepare.read_again", heap, present, one_pass, k},
      {"prepare.not_anonymous", short_file, "", then({op("touch"), sequence("S3", R"("moved": 0)")}), l},
      {"prepare.swap_shared", heap, pages("present", R"("swapcache": "shared")"), sequence("S3", R"("moved": 0)"), l},
      {"prepare.flush.part", heap, present, one_pass, l},
      {"prepare.large.split", huge, thp(), then({mapped_by_ptes, sequence("S3", R"("moved": 4)", 4)}), l},
      {"prepare.large.was_split", huge, thp(), then({mapped_by_ptes, sequence("S3", R"("moved": 4)", 4)}), l},
      {"prepare.large.split_failed", huge, thp(),
       then({mapped_by_ptes, op("pin"), sequence("S3", R"("expect": "0", "moved": 0)", 4)}), l},
      {"prepare.huge.not_selected", huge, thp(), sequence("S3", not_system, 512), l},
      {"prepare.huge.zero", huge, huge_zero, sequence("S3", R"("moved": 512)", 512), l},
      {"prepare.huge.locked", huge, thp(),
       then({op("lock-folio"), sequence("S3", R"("expect": "0", "moved": 0)", 512)}), l},
      {"prepare.huge.split", huge, thp(), sequence("S3", R"("expect": "0", "moved": 512)", 512), l},
      {"prepare.huge.was_split", huge, thp(), sequence("S3", R"("expect": "0", "moved": 512)", 512), l},
      {"prepare.huge.split_failed", huge, thp(),
       then({op("get-page"), sequence("S3", R"("expect": "0", "moved": 0)", 512)}), l},
      {"prepare.huge.hole", huge, "", sequence("S3", R"("select": ["system", "compound"], "fault": false)", 512), l},
      {"prepare.large.fault_page", huge, thp(),
       then({to_device("", 512), op("munmap", R"("pages": 1)"), op("touch", R"("expect": "ok")", "heap+7")}), l},
      {"prepare.huge.lock", huge, thp(), whole("512"), l},
      {"prepare.huge.entry.write", huge, thp(), whole("512"), l},
      {"prepare.huge.entry.read_exclusive", huge, pages("thp", R"("writable": false)", 512), whole("512"), l},
      {"prepare.huge.entry.read", huge, thp(), then({fork_child, whole("512")}), l},
      {"prepare.huge.pinned", huge, thp(), then({op("pin"), whole("0")}), l},
      {"prepare.huge.fault_folio", huge, thp(), then({to_device("", 512), op("touch", R"("expect": "ok")")}), l},
      {"prepare.huge.device", huge, thp(), then({to_device("", 512), to_system(R"("cpages": 1)", 512)}), l},
      {"prepare.huge.device_not_selected", huge, thp(), then({to_device("", 512), whole("0")}), l},
      {"driver.checks_late", heap, present, one_pass, l},
      {"driver.not_mapped", heap, present,
       sequence("S3", R"("interrupt": {"at": "heap+4", "pages": 1}, "expect": "0", "moved": 1)"), l},
      {"driver.keeps_old", heap, present,
       then({op("range-fault", R"("array": "a", "pages": 1, "device": "gpu0", "default": "REQ_FAULT")"),
             sequence("S3", R"("interrupt": {"at": "heap+4", "pages": 1}, "expect": "0", "moved": 1)")}), l},
      {"pages.dst_in_use", heap, pages("present", "", 32),
       sequence("S3", R"("chunk": 16, "moved": 32)", 32, "gpu1"), k},
      {"stuck.own_entry", heap, present + behind, sequence("S3", R"("write": true, "expect": "deadlock")", 2),
       k},
      {"stuck.notifier", heap, present, sequence("S3", R"("owner": false, "expect": "deadlock")"), k},
      {"stuck.locked_pages", short_file, "", past_the_end, k},
      {"driver.sequence", heap, present, sequence("S2", R"("moved": 1)"), k},
      {"driver.preset", heap, present, one_pass, k},
      {"driver.missing", heap, pages("swapped"), sequence("S2", R"("moved": 1)"), k},
      {"driver.mmap_lock.again", heap, present, sequence("posted", R"("expect": "0")"), k},
      {"driver.interrupt", heap, present,
       sequence("S3", R"("interrupt": {"at": "heap+4", "pages": 1}, "expect": "deadlock")"), k},
      {"driver.finish_partial", heap, present + behind,
       sequence("S3", R"("write": true, "retry": false, "expect": "-EBUSY", "moved": 1)", 2), k},
      {"driver.warn_not_valid", huge, thp(),
       then({op("pin"), sequence("posted", R"("expect": "page-0")", 8)}), k},
      {"driver.mirror", heap, present, sequence("posted", R"("expect": "0")"), k},
      {"driver.mirror.page", heap, present, sequence("posted", R"("expect": "0")"), k},
      {"driver.mirror.page_zero", heap, "", sequence("posted", R"("expect": "0", "moved": 1)"), k},
      {"driver.mirror.placeholder", heap, on("gpu0"), sequence("posted", R"("expect": "oops")"), k},
      {"driver.read.page_zero",
       R"({"name": "heap", "start": "0x7f0000000000", "size": "64K", "uffd_missing": true})",
       pages("zero-page"), sequence("posted", R"("expect": "page-0")"), k},
      {"driver.read.oops", heap, on("gpu0"), sequence("posted", R"("expect": "oops")"), k},
      {"driver.system_page", heap,
       present + R"(, {"at": "heap+1", "state": "device-private", "device": "gpu0"})",
       to_system(R"("cpages": 1)", 2), k},
      {"callback.skip_current", huge, thp(), sequence("S3", "", 512), k},
      {"pageout.busy", heap, present, then({op("pin"), op("page-out", R"("pages": 2, "unwritten": 0)")}), k},
      {"pageout.unwritten", heap, pages("present", R"("swapcache": "own", "dirty": false)"),
       op("page-out", R"("pages": 1, "unwritten": 1)"), k},
      {"pageout.written", heap, present, op("page-out", R"("pages": 1, "unwritten": 0)"), k},
  };
}

/// Ranges that no driver of the scenarios asks for.
std::vector<Recording> direct_calls() {
  std::vector<Recording> recordings;
  const auto record = [&](auto set_up, auto call, const char* model = "6.12-unified-rfc") {
    test::Direct direct(model);
    set_up(direct);
    MigrateVma migrate;
    RangeFaultCall range;
    range.mm = &direct.mm();
    range.start = test::base;
    range.end = test::base + 0x200000;
    range.pfns = direct.machine().add_hmm_pfns(direct.mm(), test::base, 512);
    range.default_flags = direct.machine().model().hmm_pfn->mask(Role::migrate);
    range.dev_private_owner = test::gpu_owner;
    range.migrate = &migrate;
    Recorder recorder(direct.machine().memory());
    recorder.add_task({1, "direct"});
    direct.machine().set_recorder(&recorder);
    call(direct, range, migrate);
    direct.machine().set_recorder(nullptr);
    recordings.push_back(std::move(recorder).finish());
  };
  // A huge fault page, which the patch warns of.
  record(
      [](test::Direct& d) {
        add_anon_folio(d.machine(), d.mm().vma_at(test::base), test::base, 0x110400, 9, true);
        d.mm().set_entry(Level::pmd, test::base, EntryFormat::make(0x110400, 0xe7 | x86::pse.mask()));
      },
      [](test::Direct& d, RangeFaultCall& range, MigrateVma& migrate) {
        migrate.fault_page = 0x110400;
        EXPECT_EQ(hmm_range_fault(d.machine(), range).ret, 0);
        EXPECT_EQ(d.machine().load(range.pfns), 0x2000000000000000u);
      });
  // A page nobody has a mapping for.
  record([](test::Direct& d) { d.mm().set_entry(Level::pte, test::base, EntryFormat::make(0x4242, 0x67)); },
         [](test::Direct& d, RangeFaultCall& range, MigrateVma&) {
           range.end = range.start + page_bytes;
           EXPECT_EQ(hmm_range_fault(d.machine(), range).ret, 0);
           EXPECT_EQ(d.machine().load(range.pfns), 0xc000000000004242u);
         });
  // The same for a huge page's entry.
  record([](test::Direct& d) { d.mm().ensure_entry(Level::pmd, test::base); },
         [](test::Direct& d, RangeFaultCall& range, MigrateVma&) {
           MigratePrepare prepare(d.machine(), range);
           const WordIndex pmd = d.mm().find_entry(Level::pmd, test::base);
           d.machine().enter(Function::hmm_range_fault);
           d.machine().step(RuleId::range_walk, {0, 0, 0});
           const uint64_t visited = EntryFormat::make(0x110400, 0xe7 | x86::pse.mask());
           EXPECT_EQ(prepare.huge(pmd, visited, range.pfns, test::base, range.end), MigratePrepare::Next::again);
           d.machine().leave(0);
         },
         "7.1-unified-later");
  // An entry that became something else between the visit and the lock.
  record([](test::Direct& d) { d.mm().ensure_entry(Level::pte, test::base); },
         [](test::Direct& d, RangeFaultCall& range, MigrateVma&) {
           MigratePrepare prepare(d.machine(), range);
           const WordIndex pte = d.mm().find_entry(Level::pte, test::base);
           SwapEntry entry;
           entry.kind = SwapKind::swap;
           entry.offset = 7;
           d.machine().enter(Function::hmm_range_fault);
           d.machine().step(RuleId::range_walk, {0, 0, 0});
           d.machine().store(pte, encode_swap(d.machine().entry_format().swap, entry).value());
           d.machine().store(range.pfns, 0xc000000000004242u);
           SpinGuard ptl(d.machine(), pte_lock(d.mm().id(), test::base), SpinGuard::later);
           prepare.pte(d.mm().vma_at(test::base), pte, range.pfns, test::base, ptl);
           d.machine().leave(0);
           EXPECT_EQ(d.machine().load(range.pfns), 0xc000000000004242u);
         });
  // A migrating call that would let faults drop mmap_lock.
  record([](test::Direct&) {},
         [](test::Direct& d, RangeFaultCall& range, MigrateVma&) {
           range.may_drop_lock = true;
           EXPECT_EQ(hmm_range_fault(d.machine(), range).ret, -EINVAL);
         },
         "7.1-unified-later");
  // Two tasks and one lock.
  Outcome outcome = run_shipped("unified-mmap-lock");
  EXPECT_EQ(outcome.schedule_end, "deadlock");
  recordings.push_back(std::move(outcome.recording));
  return recordings;
}

/// Many of these rules are defects, and some leave the device with pages that no CPU maps.
std::string text_of(const Case& c) { return unchecked(json_of(c.vmas, c.pages, c.operations)); }

TEST(UnifiedRules, EachIsReachedByItsCase) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.rule);
    const Outcome outcome = run_text(text_of(c), c.kernel);
    EXPECT_THAT(fired(outcome.recording), testing::Contains(std::string_view(c.rule)));
  }
}

TEST(UnifiedRules, NoneOfUnifiedDefStaysUnfired) {
  std::set<std::string_view> seen;
  for (const Case& c : cases())
    seen.merge(fired(run_text(text_of(c), c.kernel).recording));
  for (const Recording& recording : direct_calls()) seen.merge(fired(recording));
  constexpr std::string_view ids[] = {
#define HMMSCOPE_RULE(name, id, function, versions, statement, operands) id,
#include "engine/rules/unified.def"
#undef HMMSCOPE_RULE
  };
  for (const std::string_view id : ids) EXPECT_TRUE(seen.contains(id)) << id << " is fired by no case";
}

TEST(UnifiedRules, EveryCaseStepsBackToWhereItBegan) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.rule);
    const auto kept = std::make_shared<const Recording>(
        run_text(text_of(c), c.kernel).recording);
    Cursor cursor(kept);
    std::vector<uint64_t> hashes{cursor.hash()};
    while (cursor.step()) hashes.push_back(cursor.hash());
    while (cursor.back()) ASSERT_EQ(cursor.hash(), hashes[cursor.position()]) << "at " << cursor.position();
  }
}

TEST(UnifiedRules, OperandsAreThoseTheRowsName) {
  for (const Case& c : cases()) {
    const Outcome outcome = run_text(text_of(c), c.kernel);
    for (StepIndex step = 0; step < outcome.recording.steps(); ++step) {
      const Rule& fired_rule = rule(outcome.recording.rule_of(step));
      ASSERT_EQ(outcome.recording.operands(step).size(), fired_rule.operand_count()) << fired_rule.id;
    }
  }
}

// Whether the fast path converts a table or the rules do, a call without a wish to migrate gives the same
// words.
TEST(UnifiedRules, APlainCallIsAsOnThePlainKernel) {
  for (const char* model : {"6.12-fixed", "6.12-unified-rfc", "7.1-unified-later"}) {
    test::Direct direct(model);
    for (uint64_t k = 0; k < 512; ++k)
      direct.mm().set_entry(Level::pte, test::base + k * page_bytes,
                            k % 5 == 0 ? 0 : EntryFormat::make(0x5000 + k, k % 3 ? 0x67 : 0x25));
    RangeFaultCall range;
    range.mm = &direct.mm();
    range.start = test::base;
    range.end = test::base + 0x200000;
    for (const PtePath path : {PtePath::block_when_possible, PtePath::rules_only}) {
      range.pfns = direct.machine().add_hmm_pfns(direct.mm(), test::base, 512);
      EXPECT_EQ(hmm_range_fault(direct.machine(), range, nullptr, path).ret, 0);
      for (uint64_t k = 0; k < 512; ++k) {
        const uint64_t flags = k % 5 == 0 ? 0 : k % 3 ? 0xc000000000005000u + k : 0x8000000000005000u + k;
        ASSERT_EQ(direct.machine().load(range.pfns + static_cast<WordIndex>(k)), flags) << model << " " << k;
      }
    }
  }
}

}  // namespace
}  // namespace hmmscope::scenario
