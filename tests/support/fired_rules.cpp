// Every suite writes which rules its recordings fired, one id a line, into the file that HMMSCOPE_FIRED_RULES names;
// tests/coverage adds them up. The linker passes every Recorder::finish() through here (--wrap), so that the program
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

std::array<std::atomic<bool>, static_cast<size_t>(RuleId::count_)> fired;

void count(const Recording& recording) {
  for (StepIndex step = 0; step < recording.steps(); ++step) {
    const auto id = static_cast<size_t>(recording.rule_of(step));
    if (id < fired.size() && !fired[id].load(std::memory_order_relaxed)) fired[id].store(true, std::memory_order_relaxed);
  }
}

class FiredRules final : public ::testing::Environment {
 public:
  void TearDown() override {
    const char* const file = std::getenv("HMMSCOPE_FIRED_RULES");
    if (file == nullptr) return;
    std::ofstream out(file);
    for (const Rule& r : rules()) {
      if (fired[static_cast<size_t>(r.rule)].load()) out << r.id << "\n";
    }
    EXPECT_TRUE(out.good()) << file;
  }
};

[[maybe_unused]] const auto* const environment = ::testing::AddGlobalTestEnvironment(new FiredRules);

}  // namespace
}  // namespace hmmscope

hmmscope::Recording wrapped_finish(hmmscope::Recorder* recorder) {
  hmmscope::Recording recording = real_finish(recorder);
  hmmscope::count(recording);
  return recording;
}
