// A walk that restarts in a circle, among tasks: named after a few rounds when nobody else can go on, left alone as long as
// somebody could.
#include <gtest/gtest.h>

#include "engine/walk/circle_watch.h"
#include "tests/migrate/direct.h"
#include "tests/schedule/explore_support.h"

namespace hmmscope::scenario {
namespace {

uint32_t restarts_until_named(uint64_t others_each_round) {
  test::Direct direct("6.12");
  CircleWatch watch;
  for (uint32_t restart = 1; restart <= 1000; ++restart)
    if (watch.circles(direct.machine(), test::base, restart * others_each_round)) return restart;
  return 0;
}

TEST(Circle, IsOneOnlyWhenNobodyElseCouldGoOn) {
  EXPECT_EQ(restarts_until_named(0), 17u);
  EXPECT_EQ(restarts_until_named(1), 0u);
}

// Before 5.4 a write fault of the range calls did not look at the VMA: in one that may only be read the handler succeeds for
// ever and the page never gets writable.
TEST(Circle, OfATaskThatIsAloneIsNamedSoon) {
  for (const char* kernel : {"4.14", "5.2"}) {
    SCOPED_TRACE(kernel);
    const Scenario scenario = parsed_or_fail(R"({"hmmscope-scenario": 1, "title": "t", "kernel": ")" + std::string(kernel) + R"(", "granularity": "rule",
      "devices": [{"name": "gpu0"}], "vmas": [{"name": "heap", "start": "0x7f0000000000", "size": "32K", "prot": "r"}],
      "pages": [{"at": "heap", "state": "present", "writable": false}],
      "operations": [{"task": "gpu", "op": "range-fault", "array": "a", "device": "gpu0", "at": "heap", "pages": 1, "default": "VALID|WRITE", "expect": "deadlock"},
                     {"task": "cpu", "op": "touch", "at": "heap+4"}]})");
    for (uint32_t seed = 0; seed < 10; ++seed) {
      RunOptions options;
      options.seed = seed;
      const auto outcome = run(scenario, options);
      ASSERT_TRUE(outcome) << outcome.error().to_string();
      EXPECT_TRUE(outcome->failures.empty()) << outcome->failures.front().text;
      EXPECT_LT(outcome->recording.steps(), 2000u);
    }
  }
}

}  // namespace
}  // namespace hmmscope::scenario
