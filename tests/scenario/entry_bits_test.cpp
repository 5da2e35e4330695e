// Entries as the kernel of the model holds them: where dirt is kept, what a shadow stack's look like.
#include <gmock/gmock.h>

#include "engine/encoding/x86_bits.h"
#include "tests/scenario/scenario_support.h"

namespace hmmscope::scenario {
namespace {

constexpr uint64_t rw = x86::rw.mask(), dirty = x86::dirty.mask(), saved = x86::saved_dirty.mask();

/// The entry of the first page of the VMA at 0x7f0000000000.
uint64_t first_entry(const Outcome& outcome) { return final_word(outcome, RegionKind::pte, 0); }

const std::string small_heap = R"({"name": "heap", "start": "0x7f0000000000", "size": "16K"})";
const std::string nothing = R"({"op": "touch", "at": "heap+2", "access": "read"})";
const std::string read_only = R"({"at": "heap", "state": "present", "writable": false, "dirty": )";
const std::string refused = R"({"op": "get-page", "at": "heap"}, {"op": "migrate-setup", "migration": "m", "at": "heap", "pages": 1, "device": "gpu0", "cpages": 0})";

TEST(EntryBits, ADeclaredReadOnlyPageKeepsItsDirtWhereTheKernelDoes) {
  for (const auto& [kernel, bit] : {std::pair("5.15", dirty), std::pair("6.1", dirty), std::pair("6.5", dirty), std::pair("6.6", saved), std::pair("7.3", saved)}) {
    const uint64_t declared = first_entry(run_text(scenario_json(small_heap, read_only + "true}", nothing), kernel));
    EXPECT_EQ(declared & (rw | dirty | saved), bit) << kernel;
    const uint64_t writable = first_entry(run_text(scenario_json(small_heap, R"({"at": "heap", "state": "present"})", nothing), kernel));
    EXPECT_EQ(writable & (rw | dirty | saved), rw | dirty) << kernel;
    const uint64_t clean = first_entry(run_text(scenario_json(small_heap, read_only + "false}", nothing), kernel));
    EXPECT_EQ(clean & (rw | dirty | saved), 0u) << kernel;
    // What a refused migration puts back is what was there, bit for bit, where migration entries carry A and D.
    const uint64_t back = first_entry(run_text(scenario_json(small_heap, read_only + "true}", refused), kernel));
    if (std::string(kernel) != "5.15") {
      EXPECT_EQ(back, declared) << kernel;
    }
  }
}

TEST(EntryBits, DirtMovesWithThePermissionToWrite) {
  const std::string present = R"({"at": "heap", "state": "present"})";
  const std::string protect = R"({"op": "mprotect", "at": "heap", "pages": 1, "prot": "r"})";
  const std::string write = R"(, {"op": "mprotect", "at": "heap", "pages": 1, "prot": "rw"}, {"op": "touch", "at": "heap", "access": "write", "expect": "ok"})";
  for (const auto& [kernel, bit] : {std::pair("6.1", dirty), std::pair("6.12", saved)}) {
    EXPECT_EQ(first_entry(run_text(scenario_json(small_heap, present, protect), kernel)) & (rw | dirty | saved), bit) << kernel;
    EXPECT_EQ(first_entry(run_text(scenario_json(small_heap, present, protect + write), kernel)) & (rw | dirty | saved), rw | dirty) << kernel;
  }
}

/// mprotect_fixup() returns at once where nothing changes: of a range, the VMAs that have these permissions keep their entries.
TEST(EntryBits, PermissionsThatAreThereAlreadyTouchNothing) {
  const std::string present = R"({"at": "heap", "pages": 2, "state": "present"})";
  const std::string protect = R"({"op": "mprotect", "at": "heap", "pages": 1, "prot": "r"}, {"op": "mprotect", "at": "heap", "pages": 4, "prot": "rw"},
                                 {"op": "expect-page", "at": "heap", "state": "present", "writable": false},
                                 {"op": "expect-page", "at": "heap+1", "state": "present", "writable": true})";
  const Outcome outcome = run_text(scenario_json(small_heap, present, protect), "6.12");
  EXPECT_EQ(final_word(outcome, RegionKind::pte, 1) & (rw | dirty | saved), rw | dirty);
  EXPECT_THAT(fired(outcome.recording), testing::Contains("mprotect.same"));
}

const std::string configured = R"("config": "X86_USER_SHADOW_STACK=y", )";
const std::string stack = R"({"name": "heap", "start": "0x7f0000000000", "size": "16K", "shadow_stack": true})";
const std::string present = R"({"at": "heap", "pages": 2, "state": "present"})";

TEST(ShadowStack, IsDirtyWithoutRwAndReportedAsWritable) {
  const std::string faults = R"({"op": "range-fault", "array": "a", "at": "heap", "pages": 4, "device": "gpu0", "default": "REQ_FAULT|REQ_WRITE", "expect": "0"},
                                {"op": "expect", "array": "a", "count": 4, "flags": "VALID|WRITE"},
                                {"op": "expect-page", "at": "heap", "pages": 4, "state": "present", "writable": true, "dirty": true})";
  for (const char* kernel : {"6.6", "6.12", "7.3"}) {
    const Outcome outcome = run_text(scenario_json(stack, present, faults, configured), kernel);
    EXPECT_EQ(first_entry(outcome) & (rw | dirty | saved), dirty) << kernel;
    // The two declared pages needed no fault, the other two came by one that made the same of them.
    EXPECT_EQ(final_word(outcome, RegionKind::pte, 3) & (rw | dirty | saved), dirty) << kernel;
    EXPECT_THAT(fired(outcome.recording), testing::Not(testing::Contains("wp.reuse"))) << kernel;
  }
}

TEST(ShadowStack, StaysOneOverAMigrationAndAFork) {
  const std::string there = R"({"op": "migrate-to-device", "at": "heap", "pages": 2, "device": "gpu0", "expect": "0", "cpages": 2},
                               {"op": "expect-page", "at": "heap", "pages": 2, "state": "device-private", "writable": true})";
  const std::string back = R"(, {"op": "touch", "at": "heap", "access": "read", "expect": "ok"},
                              {"op": "expect-page", "at": "heap", "state": "present", "writable": true})";
  const std::string shared = R"({"op": "fork", "child": "child"}, {"op": "expect-page", "at": "heap", "state": "present", "writable": false, "dirty": true})";
  for (const char* kernel : {"6.12", "7.3"}) {
    const Outcome outcome = run_text(scenario_json(stack, present, there + back, configured), kernel);
    EXPECT_EQ(first_entry(outcome) & (rw | dirty), dirty) << kernel;
    EXPECT_EQ(first_entry(run_text(scenario_json(stack, present, shared, configured), kernel)) & (rw | dirty | saved), saved) << kernel;
  }
}

TEST(ShadowStack, IsNotWrittenByPlainStores) {
  run_text(scenario_json(stack, present, R"({"op": "touch", "at": "heap", "access": "read", "expect": "ok"},
                                            {"op": "touch", "at": "heap", "access": "write", "expect": "SIGSEGV"},
                                            {"op": "touch", "at": "heap+2", "access": "write", "expect": "SIGSEGV"})", configured));
}

TEST(ShadowStack, NeedsTheConfigurationAndAKernelThatHasThem) {
  for (const auto& [kernel, config] : {std::pair("6.12", ""), std::pair("6.5", configured.c_str())}) {
    const auto scenario = parse(scenario_json(stack, "", nothing, config), "test.json");
    ASSERT_TRUE(scenario) << scenario.error().to_string();
    const auto outcome = run(*scenario, kernel);
    ASSERT_FALSE(outcome) << kernel;
    EXPECT_THAT(outcome.error().message, testing::HasSubstr("X86_USER_SHADOW_STACK=y"));
  }
}

// With and without them, what is read-only and clean is read-only.
TEST(ShadowStack, AnOrdinaryReadOnlyPageIsNone) {
  const std::string walk = R"({"op": "range-fault", "array": "a", "at": "heap", "pages": 1, "device": "gpu0", "default": 0, "expect": "0"},
                              {"op": "expect", "array": "a", "flags": "VALID"})";
  for (const std::string& config : {std::string(), configured}) {
    for (const char* is_dirty : {"true}", "false}"}) run_text(scenario_json(small_heap, read_only + is_dirty, walk, config), "6.12");
  }
}

}  // namespace
}  // namespace hmmscope::scenario
