// The migration scenarios that ship with the program hold under every kernel whose migration is modelled.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "tests/migrate/migrate_support.h"

namespace hmmscope::scenario {
namespace {

TEST(MigrateModels, TheSameScenariosHoldFrom61On) {
  for (const char* name : {"migrate", "migrate-fault", "migrate-shared", "migrate-mixed", "cow-in-device"}) {
    std::ifstream in(std::string(HMMSCOPE_SOURCE_DIR "/lessons/scenarios/") + name + ".json", std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    ASSERT_FALSE(text.empty()) << name;
    for (const char* kernel : {"6.1", "6.6", "6.12", "6.15", "6.18", "6.19", "7.3"}) {
      SCOPED_TRACE(std::string(name) + " under " + kernel);
      run_text(text, kernel);
    }
  }
}

TEST(MigrateModels, DevicesWithCoherentMemoryHoldPagesTheCpuCanUse) {
  const std::string operations = then({
      to_device(R"("expect": "0", "cpages": 4)", 4, "apu"),
      op("expect-page", R"("pages": 4, "state": "present", "device": "apu", "writable": true, "refcount": 1, "mapcount": 1, "locked": false)"),
      op("touch", R"("pages": 4, "access": "write", "expect": "ok")"),
      op("expect-page", R"("pages": 4, "state": "present", "device": "apu")"),
      op("expect-device", R"("device": "apu", "pages": 4)"),
      to_system(R"("expect": "0", "cpages": 4)", 4, "apu"),
      op("expect-page", R"("pages": 4, "state": "present", "writable": true, "dirty": true, "refcount": 1, "mapcount": 1)"),
      op("expect-device", R"("device": "apu", "pages": 4, "mapped": false)")});
  for (const char* kernel : {"6.1", "6.12", "6.15", "6.19"}) run_text(json_of(heap, pages("present", "", 4), operations), kernel);
}

TEST(MigrateModels, MprotectTakesWriteFromDeviceAndExclusiveEntries) {
  const std::string device = then({to_device(R"("expect": "0")"), op("mprotect", R"("pages": 1, "prot": "r")"),
                                   op("expect-page", R"("state": "device-private", "writable": false, "refcount": 1, "mapcount": 1)"),
                                   op("touch", R"("access": "write", "expect": "SIGSEGV")"), op("touch", R"("expect": "ok")"),
                                   op("expect-page", R"("state": "present", "writable": false, "exclusive": true)")});
  const std::string taken = then({op("make-exclusive", R"("device": "gpu0", "pages": 1, "made": 1)"), op("mprotect", R"("pages": 1, "prot": "r")"),
                                  op("range-fault", R"("array": "a", "pages": 1, "device": "gpu0", "default": "REQ_FAULT|REQ_WRITE", "expect": "-EPERM")"),
                                  op("touch", R"("expect": "ok")"), op("expect-page", R"("state": "present", "writable": false)")});
  for (const char* kernel : {"6.1", "6.12", "6.15"}) {
    run_text(json_of(heap, pages("present"), device), kernel);
    run_text(json_of(heap, pages("present"), taken), kernel);
  }
}

TEST(MigrateModels, ACpuTouchOfADevicePageFaultsTwiceUnderPerVmaLocks) {
  const auto faults = [](const char* kernel) {
    const Outcome outcome = run_text(json_of(heap, on("gpu0"), op("touch", R"("expect": "ok")")), kernel);
    std::vector<uint64_t> flags;
    for (CallId call = 0; call < outcome.recording.calls().size(); ++call) {
      if (outcome.recording.calls()[call].function == Function::handle_mm_fault) flags.push_back(outcome.recording.arguments(call)[1]);
    }
    return flags;
  };
  EXPECT_EQ(faults("6.12"), (std::vector<uint64_t>{0x1254, 0x254}));   // as traces of these kernels show
  EXPECT_EQ(faults("6.1"), (std::vector<uint64_t>{0x254}));
}

TEST(MigrateModels, AHugePageMigratesInSmallOnes) {
  const std::string operations = then({
      to_device(R"("expect": "0", "cpages": 512)", 512), op("expect-page", R"("pages": 512, "state": "device-private", "refcount": 1, "mapcount": 1)"),
      op("touch", R"("pages": 8, "access": "write", "expect": "ok")", "heap+100"),
      op("expect-page", R"("pages": 8, "state": "present", "writable": true)", "heap+100"),
      op("expect-page", R"("pages": 100, "state": "device-private")")});
  for (const char* kernel : {"6.1", "6.12", "6.18"}) run_text(json_of(huge, thp(), operations), kernel);
}

TEST(MigrateModels, From619OnAHugePageMigratesWholeAndComesHomeWhole) {
  const std::string operations = then({
      to_device(R"("expect": "0", "cpages": 512)", 512),
      op("expect-page", R"("pages": 512, "state": "device-private-thp", "writable": true, "refcount": 1, "mapcount": 1)"),
      op("touch", R"("pages": 1, "access": "write", "expect": "ok")", "heap+100"),
      op("expect-page", R"("pages": 512, "state": "thp", "writable": true, "refcount": 1, "mapcount": 1, "locked": false)"),
      op("expect-device", R"("device": "gpu0", "pages": 512, "mapped": false)")});
  for (const char* kernel : {"6.19", "7.1", "7.3"}) run_text(json_of(huge, thp(), operations), kernel);
}

TEST(MigrateModels, AHugePageSharedByForkIsSplitForBoth) {
  const std::string operations = then({
      fork_child, to_device(R"("expect": "0", "cpages": 64)", 64),
      op("expect-page", R"("pages": 64, "process": "child", "state": "device-private", "writable": false, "mapcount": 2)"),
      op("expect-page", R"("pages": 448, "process": "child", "state": "present", "writable": false, "mapcount": 2, "refcount": 2)", "heap+64")});
  for (const char* kernel : {"6.1", "6.12", "6.19"}) run_text(json_of(huge, thp(), operations), kernel);
}

}  // namespace
}  // namespace hmmscope::scenario
