// What a migration scenario may not ask for, with messages that say where.
#include <gtest/gtest.h>

#include "tests/migrate/migrate_support.h"

namespace hmmscope::scenario {
namespace {

std::string error_of(const std::string& text) {
  const auto parsed = parse(text, "test.json");
  if (!parsed) return parsed.error().to_string();
  const auto outcome = run(*parsed);
  return outcome ? "" : outcome.error().to_string();
}

TEST(MigrateScenarios, MistakesAreNamed) {
  struct Mistake {
    std::string pages, operations, message;
  };
  const std::string present = pages("present");
  const Mistake mistakes[] = {
      {present, step_pages(), "no migration before this one is named 'm'"},
      {present, then({setup(), step_pages(), finalize, finalize}), "is not set up"},
      {present, then({setup(), setup()}), "needs a migrate-finalize first"},
      {present, then({setup(), op("munmap", R"("pages": 1)")}), "holds mmap_lock"},
      {present, then({setup(), op("mprotect", R"("pages": 1, "prot": "r")")}), "holds mmap_lock"},
      {present, then({setup(), fork_child}), "holds mmap_lock"},
      {present, then({fork_child, fork_child}), "a process of this name exists already"},
      {present, op("touch", R"("process": "child")"), "no fork before this one makes a process named 'child'"},
      {present, to_device("", 1, "gpu7"), "no device is named 'gpu7'"},
      {present, then({setup(), step_pages(R"("slots": [{"index": 1}])")}), "a slot lies outside the range"},
      {"", op("pin"), "no page is at 0x7f0000000000"},
      {present, op("pin", R"("release": true)"), "nobody holds the page"},
      {present, then({op("lock-folio"), op("lock-folio")}), "is locked already"},
      {pages("present", R"("pfn": "0x12345")") + R"(, {"at": "heap+1", "state": "present", "pfn": "0x12345"})", op("touch"), "the pfn is in use already"},
      {pages("present", R"("pfn": "0x400000000")"), op("touch"), "beyond physical memory"},
      {present, R"({"op": "expect-migrate", "migration": "m", "array": "src"})", "no migration before this one"},
      {present, to_device("", 100000), "/operations/0"},
      {present, op("migrate-to-device", R"("device": "gpu0", "pages": 8)", "0x7fffffffffff000"), "beyond the address space"},
  };
  for (const Mistake& m : mistakes) {
    const std::string found = error_of(json_of(heap, m.pages, m.operations));
    EXPECT_NE(found.find(m.message), std::string::npos) << m.operations << "\nfound: " << found;
    EXPECT_EQ(found.find("test.json:"), 0u) << found;
  }
}

TEST(MigrateScenarios, UnmetExpectationsFailTheRun) {
  const std::string wrong[] = {to_device(R"("expect": "-ENOENT")"), to_device(R"("cpages": 2)"), op("expect-page", R"("refcount": 2)"),
                               op("expect-page", R"("state": "none")"), op("expect-device", R"("device": "gpu0")"),
                               then({setup(), R"({"op": "expect-migrate", "migration": "m", "array": "src", "word": 0})"})};
  for (const std::string& operation : wrong) {
    const auto parsed = parse(json_of(heap, pages("present"), operation), "test.json");
    ASSERT_TRUE(parsed) << parsed.error().to_string();
    const auto outcome = run(*parsed);
    ASSERT_TRUE(outcome) << outcome.error().to_string();
    EXPECT_EQ(outcome->failures.size(), 1u) << operation;
  }
}

TEST(MigrateScenarios, AnExplicitPfnIsNotHandedOutAgain) {
  // The allocator starts at 0x100000: the declared page is in its way.
  const std::string operations = then({op("touch", R"("access": "write", "pages": 4)", "heap+1"), op("expect-page", R"("state": "present", "refcount": 1, "mapcount": 1, "pages": 5)")});
  run_text(json_of(heap, pages("present", R"("pfn": "0x100002")"), operations));
}

}  // namespace
}  // namespace hmmscope::scenario
