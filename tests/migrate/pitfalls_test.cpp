// Things that go wrong around a migration, each as a small scenario with its exact words.
#include <gmock/gmock.h>

#include <cerrno>

#include "engine/migrate/device_migration.h"
#include "tests/migrate/direct.h"
#include "tests/migrate/migrate_support.h"

namespace hmmscope::scenario {
namespace {

std::string range_fault(const std::string& expect) {
  return op("range-fault", R"("array": "a", "pages": 1, "device": "gpu0", "default": "REQ_FAULT", "expect": ")" + expect + "\"");
}
std::string expect_src(const std::string& what) {
  return R"({"op": "expect-migrate", "migration": "m", "array": "src", )" + what + "}";
}

TEST(MigratePitfalls, FaultingWhatOneMigratesWaitsForOneself) {
  const Outcome outcome = run_text(json_of(heap, pages("present"), then({setup(), range_fault("deadlock"), step_pages(), finalize, range_fault("0")})));
  EXPECT_THAT(fired(outcome.recording), testing::Contains(std::string_view("migration_wait.stuck")));
}

TEST(MigratePitfalls, NothingToMigrateIsSuccess) {
  const std::string both = then({setup(R"("expect": "0", "cpages": 0)", 16), expect_src(R"("count": 16, "word": 0)"), finalize,
                                 to_device(R"("expect": "-ENOENT", "cpages": 0)", 16)});
  run_text(json_of(shared, "", both));
}

TEST(MigratePitfalls, AReferenceBetweenSetupAndPagesStopsThePageSilently) {
  const std::string page = pages("present", R"("pfn": "0x12345")");
  run_text(json_of(heap, page,
                   then({setup(R"("expect": "0", "cpages": 1)"), expect_src(R"("word": "0x48d14b")"), op("get-page"),
                         step_pages(R"("moved": 0)"), expect_src(R"("word": "0x48d149")"), finalize,
                         op("expect-device", R"("device": "gpu0", "mapped": false)"),
                         op("expect-page", R"("state": "present", "writable": true, "exclusive": true, "locked": false, "refcount": 2, "mapcount": 1)")})));
}

TEST(MigratePitfalls, TwoFaultersOnOneDevicePageStopEachOther) {
  const Outcome outcome = run_text(json_of(heap, on("gpu0"), then({op("get-page"), op("touch", R"("expect": "wait")")})), "6.12");
  const auto refused = operands_of(outcome.recording, RuleId::pages_refcount);
  EXPECT_EQ(refused[2], 3u);   // collect, this faulter, the other one
  EXPECT_EQ(refused[3], 2u);
}

TEST(MigratePitfalls, From615TheSecondFaulterBacksOffAndTheFirstSucceeds) {
  const std::string operations = then({op("lock-folio"), op("touch", R"("expect": "wait")"), op("lock-folio", R"("release": true)"),
                                       op("touch", R"("expect": "ok")"), op("expect-page", R"("state": "present", "refcount": 1, "locked": false)")});
  run_text(json_of(heap, on("gpu0"), operations), "6.15");
}

TEST(MigratePitfalls, FillingAHoleIgnoresWriteOfTheDestination) {
  test::Direct d;
  MigrateVma args = d.args();
  ASSERT_EQ(migrate_vma_setup(d.machine(), args), 0);
  const MigrateFormat format = MigrateFormat::from(d.machine().model());
  allocate_device_pages(d.machine(), args, d.machine().physical().devices()[0]);
  d.machine().store(args.dst, d.machine().load(args.dst) & ~format.write);
  migrate_vma_pages(d.machine(), args);
  migrate_vma_finalize(d.machine(), args);
  const uint64_t pte = d.machine().load(d.mm().find_entry(Level::pte, test::base));
  EXPECT_EQ(pte >> 59, 27u);   // the writable device-private type of 6.12
}

TEST(MigratePitfalls, OwnMigrationDoesNotMoveTheSequenceAForeignOneDoes) {
  // gpu1's sequence moves when gpu0 migrates; gpu0's own does not.
  const Outcome outcome = run_text(json_of(heap, pages("present", "", 4), to_device(R"("expect": "0")", 4)));
  EXPECT_THAT(fired(outcome.recording), testing::IsSupersetOf({std::string_view("callback.skip"), std::string_view("callback.set_seq")}));
}

TEST(MigratePitfalls, APageSharedByForkComesHomeForBoth) {
  const std::string operations = then({
      to_device(R"("expect": "0")"), fork_child,
      op("expect-page", R"("state": "device-private", "writable": false, "mapcount": 2, "refcount": 2)"),
      op("touch", R"("access": "write", "expect": "ok")"),
      op("expect-page", R"("state": "present", "writable": true, "exclusive": true, "mapcount": 1, "refcount": 1)"),
      op("expect-page", R"("process": "child", "state": "present", "writable": false, "mapcount": 1, "refcount": 1)")});
  for (const char* kernel : {"6.1", "6.12", "6.15"}) run_text(json_of(heap, pages("present"), operations), kernel);
}

TEST(MigratePitfalls, OnlyPlacesThatCanMapThePageAreTold) {
  // heap and other have the same layout; a page of heap that a child shares is unmapped with two announcements, both
  // for heap's address, and other hears nothing.
  const std::string vmas = heap + R"(, {"name": "other", "start": "0x7f0000400000", "size": "128K"})";
  const Outcome outcome = run_text(json_of(vmas, pages("present"), then({fork_child, setup(R"("cpages": 1)")})));
  std::vector<uint64_t> told;
  for (CallId call = 0; call < outcome.recording.calls().size(); ++call) {
    const Call& c = outcome.recording.calls()[call];
    if (c.function != Function::mmu_notifier_invalidate_range_start || c.parent == no_call) continue;
    if (outcome.recording.calls()[c.parent].function == Function::try_to_migrate) told.push_back(outcome.recording.arguments(call)[0]);
  }
  EXPECT_THAT(told, testing::ElementsAre(0x7f0000000000, 0x7f0000000000));
}

TEST(MigratePitfalls, APinIsFoundOnlyWhereThePageIsExclusive) {
  const std::string exclusive = then({op("pin"), setup(R"("cpages": 0)")});
  EXPECT_THAT(fired(run_text(json_of(heap, pages("present"), exclusive)).recording),
              testing::AllOf(testing::Contains(std::string_view("collect.pte.pinned")), testing::Not(testing::Contains(std::string_view("unmap.restore")))));
}

TEST(MigratePitfalls, ARefusedPageIsAsItWasAndMigratesLater) {
  const std::string as_it_was = R"("state": "present", "writable": true, "exclusive": true, "locked": false, "mapcount": 1, "refcount": )";
  for (const char* hold : {"get-page", "pin", "isolate-folio", "lock-folio"}) {
    SCOPED_TRACE(hold);
    const std::string held = hold == std::string_view("pin") ? "1025" : "2";
    const std::string locked = hold == std::string_view("lock-folio") ? R"("state": "present", "refcount": )" : as_it_was;
    run_text(json_of(heap, pages("present"),
                     then({op(hold), setup(R"("cpages": 0)"), op("expect-page", locked + held), finalize, op(hold, R"("release": true)"),
                           op("expect-page", as_it_was + "1"), to_device(R"("expect": "0")")})));
  }
}

TEST(MigratePitfalls, TheExclusiveMarkIsGoneWhileThePageMigrates) {
  run_text(json_of(heap, pages("present"), then({setup(), op("expect-page", R"("state": "migration", "exclusive": false, "locked": true, "refcount": 1, "mapcount": 0)"),
                                                 finalize, op("expect-page", R"("state": "present", "exclusive": true, "locked": false, "refcount": 1, "mapcount": 1)")})));
}

TEST(MigratePitfalls, DriverWithoutMemoryIsABusError) {
  test::Direct d;
  d.machine().physical().set_limit(0);
  const uint64_t pfn = d.machine().physical().allocate_device_page(d.machine().physical().devices()[0]);
  add_anon_folio(d.machine(), d.vma(), test::base, pfn, 0, true);
  SwapEntry entry;
  entry.kind = SwapKind::device_write;
  entry.pfn = pfn;
  const uint64_t pte = encode_swap(d.machine().entry_format().swap, entry).value();
  d.mm().set_entry(Level::pte, test::base, pte);
  const uint32_t ret = d.machine().fault_handler()->handle_mm_fault(d.machine(), d.mm(), test::base, fault_flag::write);
  EXPECT_EQ(ret, vm_fault::sigbus);
  EXPECT_EQ(d.machine().load(d.mm().find_entry(Level::pte, test::base)), pte);
  EXPECT_FALSE(Folio::of(d.machine(), pfn).locked());
  EXPECT_EQ(Folio::of(d.machine(), pfn).refcount(), 1u);
}

}  // namespace
}  // namespace hmmscope::scenario
