// Every suite writes which rules its recordings fired, one id a line, into the file that HMMSCOPE_FIRED_RULES names. The
// coverage test (tests/app) adds them up.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <fstream>

#include "engine/recording/made_recordings.h"
#include "engine/recording/recording.h"

namespace hmmscope {
namespace {

std::array<std::atomic<bool>, static_cast<size_t>(RuleId::count_)> fired;

void count(const Recording& recording) {
  for (StepIndex step = 0; step < recording.steps(); ++step) {
    const auto id = static_cast<size_t>(recording.rule_of(step));
    if (id < fired.size() && !fired[id].load(std::memory_order_relaxed)) fired[id].store(true, std::memory_order_relaxed);
  }
}

class FiredRules final : public testing::Environment {
 public:
  void SetUp() override {
    if (std::getenv("HMMSCOPE_FIRED_RULES") != nullptr) on_recording_made(count);
  }
  void TearDown() override {
    const char* const file = std::getenv("HMMSCOPE_FIRED_RULES");
    if (file == nullptr) return;
    on_recording_made(nullptr);
    std::ofstream out(file);
    for (const Rule& r : rules()) {
      if (fired[static_cast<size_t>(r.rule)].load()) out << r.id << "\n";
    }
    EXPECT_TRUE(out.good()) << file;
  }
};

[[maybe_unused]] const auto* const environment = testing::AddGlobalTestEnvironment(new FiredRules);

}  // namespace
}  // namespace hmmscope
