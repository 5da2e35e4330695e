// Every suite writes which rules its recordings fired, one a line with how many tests did, into the file that
// HMMSCOPE_FIRED_RULES names; tests/coverage and `hmmscope rules --coverage` add them up. The linker passes every Recorder::finish() through here (--wrap), so that the program
// itself knows nothing of it.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <fstream>

#include "engine/recording/recorder.h"

// A member function that returns a class by value is called like a function of its object's address.
hmmscope::Recording real_finish(hmmscope::Recorder* recorder) asm("__real__ZNO8hmmscope8Recorder6finishEv");
hmmscope::Recording wrapped_finish(hmmscope::Recorder* recorder) asm("__wrap__ZNO8hmmscope8Recorder6finishEv");

namespace hmmscope {
namespace {

constexpr size_t rule_count = static_cast<size_t>(RuleId::count_);
std::array<std::atomic<bool>, rule_count> fired;   ///< by the test that runs
std::array<uint32_t, rule_count> tests;            ///< how many have fired the rule

/// Between the tests of a suite. What a fixture's SetUpTestSuite fires counts for the test after it.
class CountTests final : public ::testing::EmptyTestEventListener {
 public:
  void OnTestEnd(const ::testing::TestInfo&) override { add(); }
  void OnTestSuiteEnd(const ::testing::TestSuite&) override { add(); }
  static void add() {
    for (size_t id = 0; id < rule_count; ++id) {
      if (fired[id].exchange(false)) ++tests[id];
    }
  }
};

void count(const Recording& recording) {
  for (StepIndex step = 0; step < recording.steps(); ++step) {
    const auto id = static_cast<size_t>(recording.rule_of(step));
    if (id < fired.size() && !fired[id].load(std::memory_order_relaxed)) fired[id].store(true, std::memory_order_relaxed);
  }
}

class FiredRules final : public ::testing::Environment {
 public:
  void SetUp() override {
    if (listens_) return;   // repeated runs set up again
    listens_ = true;
    ::testing::UnitTest::GetInstance()->listeners().Append(new CountTests);
  }
  void TearDown() override {
    CountTests::add();
    const char* const file = std::getenv("HMMSCOPE_FIRED_RULES");
    if (file == nullptr) return;
    std::ofstream out(file);
    for (const Rule& r : rules()) {
      if (const uint32_t count = tests[static_cast<size_t>(r.rule)]; count != 0) out << r.id << " " << count << "\n";
    }
    EXPECT_TRUE(out.good()) << file;
  }

 private:
  bool listens_ = false;
};

[[maybe_unused]] const auto* const environment = ::testing::AddGlobalTestEnvironment(new FiredRules);

}  // namespace
}  // namespace hmmscope

hmmscope::Recording wrapped_finish(hmmscope::Recorder* recorder) {
  hmmscope::Recording recording = real_finish(recorder);
  hmmscope::count(recording);
  return recording;
}
