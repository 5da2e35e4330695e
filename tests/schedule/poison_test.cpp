// Memory that fails at a chosen place: it happens as memory_failure() does it, or the run says why it never did.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/rules/rule.h"
#include "engine/scenario/run.h"
#include "tests/support/end_state.h"

namespace hmmscope::scenario {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

struct Memory {
  std::string vma, pages, device = R"("name": "gpu0", "pages": 2048)", more = "";
  const char* kernel = "6.12";
};
const Memory small{R"("size": "16K")", R"({"at": "heap", "pages": 2, "state": "present"})"};
const Memory thp{R"("size": "2M", "thp": true)", R"({"at": "heap", "pages": 512, "state": "thp"})"};
const Memory huge{R"("size": "2M", "kind": "hugetlb-2m")", R"({"at": "heap", "pages": 512, "state": "present"})"};

Outcome poisoned(const Memory& memory, const std::string& where, const std::string& operations) {
  const auto scenario =
      parse(R"({"hmmscope-scenario": 1, "title": "t", "check_devices": true, "kernel": ")" + std::string(memory.kernel) + R"(", )" +
                memory.more + R"("inject": [{"what": "poison", )" + where + R"(}], "devices": [{)" + memory.device +
                R"(}], "vmas": [{"name": "heap", "start": "0x7f0000000000", "prot": "rw", )" + memory.vma + R"(}], "pages": [)" +
                memory.pages + R"(], "operations": [)" + operations + "]}",
            "test.json");
  EXPECT_TRUE(scenario) << scenario.error().to_string();
  auto outcome = run(*scenario);
  EXPECT_TRUE(outcome) << outcome.error().to_string();
  return std::move(*outcome);
}

std::string failures_of(const Outcome& outcome) {
  std::string text;
  for (const Failure& failure : outcome.failures) text += failure.text + "\n";
  return text;
}

uint64_t times(const Outcome& outcome, RuleId id) {
  uint64_t count = 0;
  for (StepIndex step = 0; step < outcome.recording.steps(); ++step) count += outcome.recording.rule_of(step) == id ? 1 : 0;
  return count;
}

/// The page that failed is kept with one reference.
std::string complaint_but_for_the_page(const Outcome& outcome) {
  for (StepIndex step = 0; step < outcome.recording.steps(); ++step) {
    if (outcome.recording.rule_of(step) == RuleId::inject_poison)
      return complaint(outcome, {{outcome.recording.operands(step)[3], {1, false}}});
  }
  return "no page failed";
}

TEST(Poison, SplitsAThpAndTakesOnePage) {
  const Outcome outcome = poisoned(thp, R"("rule": "scenario.range", "at": "heap+3")",
    R"({"op": "range-fault", "array": "a", "device": "gpu0", "at": "heap", "pages": 512, "expect": "0"},
       {"op": "expect", "array": "a", "index": 3, "word": 0},
       {"op": "expect", "array": "a", "index": 2, "has": "VALID|WRITE", "order": 0},
       {"op": "expect-page", "at": "heap+3", "state": "hwpoison"},
       {"op": "expect-page", "at": "heap", "pages": 3, "state": "present", "refcount": 1, "mapcount": 1},
       {"op": "touch", "at": "heap+3", "access": "read", "expect": "HWPOISON"})");
  EXPECT_EQ(failures_of(outcome), "");
  EXPECT_EQ(times(outcome, RuleId::poison_split), 1u);
  EXPECT_EQ(times(outcome, RuleId::poison_unmap), 1u);
  EXPECT_EQ(complaint_but_for_the_page(outcome), "");
}

TEST(Poison, TakesAHugetlbPageAsAWhole) {
  const Outcome outcome = poisoned(huge, R"("rule": "scenario.range", "at": "heap+3")",
    R"({"op": "range-fault", "array": "a", "device": "gpu0", "at": "heap", "pages": 4, "default": "REQ_FAULT", "expect": "-EFAULT"},
       {"op": "expect-page", "at": "heap", "state": "hwpoison"},
       {"op": "touch", "at": "heap+100", "access": "read", "expect": "HWPOISON"})");
  EXPECT_EQ(failures_of(outcome), "");
  EXPECT_EQ(times(outcome, RuleId::poison_split), 0u);
  EXPECT_EQ(complaint_but_for_the_page(outcome), "");
}

TEST(Poison, LeavesEveryProcess) {
  const Outcome outcome = poisoned(small, R"("rule": "scenario.touch", "at": "heap")",
    R"({"op": "fork", "child": "c"},
       {"op": "touch", "at": "heap+1", "access": "read", "expect": "ok"},
       {"op": "expect-page", "at": "heap", "state": "hwpoison"},
       {"op": "expect-page", "at": "heap", "state": "hwpoison", "process": "c"})");
  EXPECT_EQ(failures_of(outcome), "");
  EXPECT_EQ(times(outcome, RuleId::poison_unmap), 2u);
  EXPECT_EQ(complaint_but_for_the_page(outcome), "");
}

TEST(Poison, WaitsForTheLockOfAPageThatMigrates) {
  // It has the page's lock until finalize; there is an ordinary page again only after the CPU has brought it home.
  const Outcome outcome = poisoned(small, R"("rule": "unmap.isolate", "at": "heap")",
    R"({"op": "migrate-to-device", "at": "heap", "pages": 2, "device": "gpu0", "expect": "0"},
       {"op": "expect-page", "at": "heap", "state": "device-private"},
       {"op": "touch", "at": "heap", "access": "read"},
       {"op": "touch", "at": "heap", "access": "read", "expect": "HWPOISON"})");
  EXPECT_EQ(failures_of(outcome), "");
  EXPECT_EQ(complaint_but_for_the_page(outcome), "");
}

TEST(Poison, SaysWhyItNeverHappened) {
  const std::string there = R"({"op": "migrate-to-device", "at": "heap", "pages": 2, "device": "gpu0", "expect": "0"})";
  EXPECT_THAT(failures_of(poisoned(small, R"("rule": "unmap.isolate", "at": "heap")", there)),
              HasSubstr("this injection never happened: its place came, but the page is swapped, under migration or on a device"));
  Memory coherent = small;
  coherent.device += R"(, "coherent": true)";
  EXPECT_THAT(failures_of(poisoned(coherent, R"("rule": "unmap.isolate", "at": "heap")", there)), HasSubstr("device memory"));
  EXPECT_THAT(failures_of(poisoned({small.vma, R"({"at": "heap", "state": "zero-page"})"}, R"("step": 1, "at": "heap")",
                                   R"({"op": "touch", "at": "heap", "access": "read"})")),
              HasSubstr("the zero page"));
  EXPECT_THAT(failures_of(poisoned(small, R"("step": 1, "at": "heap+3")", R"({"op": "touch", "at": "heap", "access": "read"})")),
              HasSubstr("no page is mapped there"));
  EXPECT_THAT(failures_of(poisoned(thp, R"("rule": "scenario.touch", "at": "heap")",
                                   R"({"op": "get-page", "at": "heap"}, {"op": "touch", "at": "heap", "access": "read"})")),
              HasSubstr("the large page cannot be split"));
  EXPECT_THAT(failures_of(poisoned(small, R"("rule": "scenario.touch", "at": "heap")",
                                   R"({"op": "lock-folio", "at": "heap"}, {"op": "touch", "at": "heap", "access": "read"})")),
              HasSubstr("the page's lock"));
}

// THP and hugetlb pages at every step: see inject_every_step_test.cpp for small ones.
TEST(Poison, AtEveryStepItHappensOrIsReported) {
  for (const Memory* memory : {&thp, &huge}) {
    const std::string operations = R"({"op": "range-fault", "array": "a", "at": "heap", "pages": 4, "device": "gpu0", "default": "REQ_FAULT"},
                                      {"op": "touch", "at": "heap", "access": "read"})";
    uint64_t happened = 0;
    for (int step = 1; step <= 20; ++step) {
      const Outcome outcome = poisoned(*memory, R"("at": "heap", "step": )" + std::to_string(step), operations);
      const bool fired = times(outcome, RuleId::inject_poison) == 1;
      const std::string failures = failures_of(outcome);
      EXPECT_NE(fired, failures.find("never") != std::string::npos) << step << ": " << failures;
      happened += fired ? 1 : 0;
      if (fired) {
        EXPECT_EQ(complaint_but_for_the_page(outcome), "") << step;
      }
    }
    EXPECT_GT(happened, 3u);
  }
}

}  // namespace
}  // namespace hmmscope::scenario
