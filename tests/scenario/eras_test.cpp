// Scenarios under the kernels of all eras, and that every rule of the eras can be met in a scenario or a
// test.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/scenario/scenario_support.h"

namespace hmmscope::scenario {
namespace {

std::string sample(const std::string& name) {
  std::ifstream in(std::filesystem::path(HMMSCOPE_SOURCE_DIR "/lessons/scenarios") / name, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

Outcome run_sample(const std::string& name, std::string_view kernel) {
  const auto parsed = parse(sample(name), name);
  if (!parsed) {
    ADD_FAILURE() << parsed.error().to_string();
    return {};
  }
  auto outcome = run(*parsed, kernel);
  if (!outcome) {
    ADD_FAILURE() << outcome.error().to_string();
    return {};
  }
  return std::move(*outcome);
}

std::string failures(const Outcome& outcome) {
  std::string text;
  for (const Failure& failure : outcome.failures)
    text += std::to_string(failure.line) + ": " + failure.text + "\n";
  return text;
}

TEST(Eras, OneStateInEveryFormat) {
  for (const char* kernel : {"4.14",        "4.15",        "4.17", "4.17-draft", "5.1",  "5.2", "5.2-odp",
                             "5.2-example", "5.3",         "5.4",  "5.4-odp",    "5.5",  "5.6", "5.6-example",
                             "5.7",         "5.7-example", "5.8",  "5.9",        "6.12", "7.3"}) {
    const Outcome outcome = run_sample("driver-formats.json", kernel);
    EXPECT_EQ(failures(outcome), "") << kernel;
    EXPECT_EQ(outcome.model.id, kernel);
  }
}

TEST(Eras, TheSwapRequestIsIgnoredIn52And53Only) {
  for (const char* kernel : {"5.2", "5.3"})
    EXPECT_EQ(failures(run_sample("swap-never-asked.json", kernel)), "") << kernel;
  for (const char* kernel : {"4.14", "5.1", "5.4", "5.6", "5.7", "5.8", "6.12"}) {
    const Outcome outcome = run_sample("swap-never-asked.json", kernel);
    EXPECT_EQ(outcome.failures.size(), 2u) << kernel << "\n" << failures(outcome);
  }
}

TEST(Eras, TheZeroPageIsRefusedFrom52To54) {
  for (const char* kernel : {"5.2", "5.3", "5.4"})
    EXPECT_EQ(failures(run_sample("zero-page-refused.json", kernel)), "") << kernel;
  for (const char* kernel : {"4.17", "5.1", "5.5", "5.6", "5.7", "5.8", "6.12"}) {
    EXPECT_FALSE(run_sample("zero-page-refused.json", kernel).failures.empty()) << kernel;
  }
}

Outcome run_one_call(const std::string& prot, const std::string& pages, const std::string& operation, const char* kernel,
                     const std::string& expect) {
  const std::string text =
      R"({"hmmscope-scenario": 1, "title": "t", "devices": [{"name": "gpu"}], "vmas": [{"name": "heap", "start": "0x7f0000000000", "size": "2M", "prot": ")" +
      prot + R"("}], "pages": [)" + pages + R"(], "operations": [{"op": "range-fault", "array": "a", "at": "heap", "pages": 1, "device": "gpu", "rounds": 1, "expect": ")" +
      expect + "\", " + operation + "}]}";
  return run_text(text, kernel);
}

/// HMM looked at VM_WRITE from 5.4 on, and handle_mm_fault never did for a driver: the fault succeeds and changes nothing.
TEST(Eras, AWriteInAReadOnlyVmaIsRefusedSince54) {
  const std::string page = R"({"at": "heap", "state": "present", "pfn": "0x200", "writable": false})";
  const std::string default_flags = R"("default": "REQ_FAULT|REQ_WRITE", "mask": "0")";
  const std::string slot = R"("default": "0", "mask": "~0", "slots": [{"index": 0, "value": "REQ_FAULT|REQ_WRITE"}])";
  for (const char* kernel : {"4.14", "5.2", "5.3"}) {
    const Outcome endless = run_one_call("r", page, default_flags, kernel, "deadlock");
    EXPECT_TRUE(fired(endless.recording).contains("driver_format.outer.livelock")) << kernel;
    EXPECT_LT(endless.recording.steps(), 2000u) << "a circle is noticed when it closes";
  }
  for (const char* kernel : {"4.17", "5.1", "5.2", "5.3"}) {
    const Outcome forgotten = run_one_call("r", page, slot, kernel, "0");
    EXPECT_TRUE(fired(forgotten.recording).contains("fault.access_unasked")) << kernel;
    EXPECT_EQ(final_word(forgotten, RegionKind::hmm_pfns, 0) & 3, 1u) << kernel << ": VALID without WRITE";
  }
  run_one_call("r", page, slot, "5.4", "0");   // the first walk was refused and forgot the request
  for (const char* kernel : {"5.5", "5.6", "5.7", "6.12"}) run_one_call("r", page, slot, kernel, "-EPERM");
}

/// In 4.14 nobody asks for VM_READ either: the page is mapped without any permission.
TEST(Eras, AVmaThatAllowsNothing) {
  const std::string read = R"("default": "REQ_FAULT", "mask": "0")";
  const Outcome mapped = run_one_call("none", "", read, "4.14", "0");
  EXPECT_EQ(final_word(mapped, RegionKind::hmm_pfns, 0) & 0x7f, 1u) << "VALID, and neither READ nor WRITE";
  for (const char* kernel : {"4.17", "5.1", "5.2", "5.3", "5.4"}) run_one_call("none", "", read, kernel, "-EPERM");
  for (const char* kernel : {"5.5", "5.6", "5.7", "6.12"}) run_one_call("none", "", read, kernel, "-EFAULT");
}

TEST(Eras, FaultsAndWaitsOfAScenarioHappenInEveryEra) {
  const std::string fails = R"("default": "REQ_FAULT", "mask": "0", "faults": [{"at": "heap", "result": "SIGBUS"}])";
  for (const char* kernel : {"4.14", "4.17", "5.1", "5.2", "5.4", "5.6", "5.8", "6.12"}) run_one_call("rw", "", fails, kernel, "-EFAULT");
  const std::string page = R"({"at": "heap", "state": "migration-write", "pfn": "0x300"})";
  const std::string waits =
      R"("default": "REQ_FAULT", "mask": "0", "waits": [{"at": "heap", "then": [{"at": "heap", "state": "present", "pfn": "0x200"}]}])";
  for (const char* kernel : {"4.14", "4.17", "5.1", "5.8", "6.12"}) {
    const Outcome waited = run_one_call("rw", page, waits, kernel, "0");
    EXPECT_TRUE(fired(waited.recording).contains("migration_wait.over")) << kernel;
  }
}

/// Until 5.4 nobody remembers an invalidation that is over, but for the ranges that 4.14 to 5.1 track during the call.
TEST(Eras, AnInvalidationBeforeTheCall) {
  const std::string page = R"({"at": "heap", "state": "present", "pfn": "0x300"})";
  const std::string stale = R"("default": "REQ_FAULT", "mask": "0", "stale": true)";
  for (const char* kernel : {"4.14", "4.17", "5.1", "5.2", "5.3", "5.4"}) {
    const auto rules = fired(run_one_call("rw", page, stale, kernel, "0").recording);
    EXPECT_EQ(rules.contains("driver_format.range_valid"), std::string_view(kernel).substr(0, 2) == "5." && kernel != std::string_view("5.1")) << kernel;
    EXPECT_FALSE(rules.contains("read_begin.return")) << kernel << ": interval notifiers are of 5.5";
  }
  for (const char* kernel : {"5.5", "5.6", "5.7", "6.12"}) run_one_call("rw", page, stale, kernel, "-EBUSY");
  const std::string meanwhile =
      R"("default": "REQ_FAULT", "mask": "0", "faults": [{"at": "heap", "invalidates": true, "then": [{"at": "heap", "state": "present"}]}])";
  for (const char* kernel : {"4.14", "4.17", "5.1", "5.6", "6.12"}) run_one_call("rw", "", meanwhile, kernel, "-EBUSY");
  for (const char* kernel : {"5.2", "5.3", "5.4"}) run_one_call("rw", "", meanwhile, kernel, "0");
}

TEST(Eras, TheWorkedExamplesOf2019) {
  for (const char* name : {"default-flags-read.json", "default-flags-one-write.json",
                           "default-flags-per-slot.json", "mask-too-wide.json"}) {
    for (const char* kernel :
         {"5.5-example", "5.6-example", "5.7-example", "5.8", "5.9", "6.12", "6.16", "7.3"}) {
      EXPECT_EQ(failures(run_sample(name, kernel)), "") << name << " " << kernel;
    }
  }
  const Outcome refused = run_sample("default-flags-read.json", "5.3-example");
  EXPECT_THAT(failures(refused), testing::HasSubstr("expected 0, got -EFAULT"));
}

TEST(Eras, TheWholeTableOf2019) {
  for (const char* kernel : {"5.5-example", "5.6-example", "5.7-example", "5.8", "5.9", "6.12"})
    EXPECT_EQ(failures(run_sample("default-flags-table.json", kernel)), "") << kernel;
  // Where slots keep the sticky bits, what garbage has of them survives; nothing else of it does.
  for (const char* kernel : {"6.16", "7.3"}) {
    const Outcome sticky = run_sample("default-flags-table.json", kernel);
    EXPECT_EQ(sticky.failures.size(), 10u) << kernel << failures(sticky);
    for (const Failure& failure : sticky.failures) EXPECT_THAT(failure.text, testing::HasSubstr("DMA_MAPPED")) << kernel;
  }
}

TEST(Eras, WhoCorruptsStickyFlags) {
  for (const char* kernel : {"6.12-genmask", "6.12-fixed", "6.16", "6.18", "6.18-devpriv", "7.3"}) {
    EXPECT_EQ(failures(run_sample("sticky-flags.json", kernel)), "") << kernel;
  }
  const std::string v9 = failures(run_sample("sticky-flags.json", "6.12-v9"));
  EXPECT_THAT(v9, testing::HasSubstr("tagged[4]: expected order 0"));
  EXPECT_THAT(v9, testing::HasSubstr("thp[0]: expected order 9"));
  EXPECT_THAT(v9, testing::HasSubstr("hugetlb[1]: expected DMA_MAPPED clear"));
  const std::string repair = failures(run_sample("sticky-flags.json", "6.12-first-repair"));
  EXPECT_THAT(repair, testing::HasSubstr("tagged[4]: expected pfn 0x12345"));
  EXPECT_THAT(repair, testing::Not(testing::HasSubstr("expected order")));
  const std::string posted = failures(run_sample("sticky-flags.json", "6.18-devpriv-posted"));
  EXPECT_THAT(posted, testing::HasSubstr("plain[2]: expected order 0"));
  const auto parsed = parse(sample("sticky-flags.json"), "sticky-flags.json");
  const auto old = run(*parsed, "6.12");
  ASSERT_FALSE(old);
  EXPECT_THAT(old.error().message, testing::HasSubstr("has no flag 'DMA_MAPPED'"));
}

TEST(Eras, TheUnlockedCallBelongsTo73) {
  EXPECT_EQ(failures(run_sample("unlocked-fault.json", "7.3")), "");
  const auto old = run(*parse(sample("unlocked-fault.json"), "unlocked-fault.json"), "6.18");
  ASSERT_FALSE(old);
  EXPECT_THAT(old.error().to_string(), testing::HasSubstr("has no hmm_range_fault_unlocked_timeout"));
}

TEST(Eras, RulesOfTheErasAreFiredByTheSamples) {
  std::set<std::string> met;
  for (const auto& entry : std::filesystem::directory_iterator(HMMSCOPE_SOURCE_DIR "/lessons/scenarios")) {
    if (entry.path().extension() != ".json") continue;
    const auto parsed = parse(sample(entry.path().filename().string()), entry.path().filename().string());
    ASSERT_TRUE(parsed);
    for (const char* kernel : {"", "4.17"}) {
      const auto outcome = run(*parsed, kernel);
      if (!outcome) continue;
      for (const std::string_view id : fired(outcome->recording)) met.insert(std::string(id));
    }
  }
  for (const Rule& r : rules()) {
    const std::string id(r.id);
    if (!id.starts_with("mirror.") && !id.starts_with("unlocked.") && id != "driver_format.prefill" &&
        id != "driver_format.range_done" && id != "vma_fault.dropped" && id != "vma_fault.killed" &&
        id != "anon.uffd_wait") {
      continue;
    }
    EXPECT_TRUE(met.contains(id)) << id;
  }
}

void expect_error(const std::string& operations, const std::string& part) {
  const auto parsed = parse(scenario_json("", "", operations), "test.json");
  const auto outcome = parsed ? run(*parsed, "") : Result<Outcome>(tl::unexpected(parsed.error()));
  ASSERT_FALSE(outcome) << operations;
  EXPECT_THAT(outcome.error().to_string(), testing::HasSubstr(part));
}

TEST(Eras, MistakesInScenariosAreNamed) {
  expect_error(R"({"op": "mirror-run", "table": "x", "iterators": [{"name": "T", "do": []}]})",
               "no mirror-table before this one");
  expect_error(R"({"op": "mirror-table", "table": "x", "last": 1000})", "highest bit of 0");
  const std::string table = R"({"op": "mirror-table", "table": "x", "last": "0xfffff"}, )";
  expect_error(table + R"({"op": "mirror-table", "table": "x", "last": "0xfffff"})", "exists already");
  expect_error(
      table + R"({"op": "mirror-run", "table": "x", "iterators": [{"name": "T", "do": ["fly 0x1"]}]})", "");
  expect_error(
      table +
          R"({"op": "mirror-run", "table": "x", "iterators": [{"name": "T", "do": ["lookup 0x10000000"]}]})",
      "beyond the table's last address");
  expect_error(
      table +
          R"({"op": "mirror-run", "table": "x", "iterators": [{"name": "T", "do": []}], "schedule": ["U"]})",
      "no iterator of this run");
  expect_error(
      table +
          R"({"op": "mirror-run", "table": "x", "iterators": [{"name": "T", "do": []}, {"name": "T", "do": []}]})",
      "one program at a time");
  expect_error(
      table + R"({"op": "mirror-run", "table": "x", "iterators": [{"name": "T", "do": ["select 0x1000"]}]})",
      "has no flag for that action");
  expect_error(R"({"op": "dma-map", "array": "none"})", "no range-fault before this one");
}

}  // namespace
}  // namespace hmmscope::scenario
