#pragma once
/// Shorthand for scenarios about the unified fault-and-migrate patches.

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>

#include "tests/migrate/migrate_support.h"

namespace hmmscope::scenario {

inline constexpr std::string_view rfc = "6.12-unified-rfc";

/// fault-and-migrate of the first pages of the heap.
inline std::string sequence(const std::string& name, const std::string& more = "", int count = 1,
                            const std::string& device = "gpu0", const std::string& at = "heap") {
  return op("fault-and-migrate",
            R"("migration": "m", "device": ")" + device + R"(", "sequence": ")" + name + R"(", "pages": )" +
                std::to_string(count) + (more.empty() ? "" : ", " + more),
            at);
}

/// The scenario without the invariant of the devices' tables: it shows a defect that breaks it.
inline std::string unchecked(std::string scenario) {
  scenario.insert(1, R"("check_devices": false, "allows": ["left-behind"], )");
  return scenario;
}

inline std::string shipped_text(const std::string& name) {
  std::ifstream in(HMMSCOPE_SOURCE_DIR "/lessons/scenarios/" + name + ".json");
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}
/// One of lessons/scenarios under a kernel, "" for its own.
inline Outcome run_shipped(const std::string& name, std::string_view kernel = "") {
  const auto scenario = parse(shipped_text(name), name);
  EXPECT_TRUE(scenario) << (scenario ? "" : scenario.error().to_string());
  auto outcome = run(*scenario, kernel);
  EXPECT_TRUE(outcome) << (outcome ? "" : outcome.error().to_string());
  return *std::move(outcome);
}

/// The pte of page `index` of the heap at the end of the run.
inline uint64_t pte_word(const Outcome& outcome, uint32_t index) {
  return final_word(outcome, RegionKind::pte, index);
}

inline size_t count_rule(const Outcome& outcome, RuleId id) {
  size_t found = 0;
  for (StepIndex step = 0; step < outcome.recording.steps(); ++step)
    found += outcome.recording.rule_of(step) == id ? 1 : 0;
  return found;
}

inline size_t calls(const Outcome& outcome, Function function) {
  const auto all = outcome.recording.calls();
  return static_cast<size_t>(
      std::count_if(all.begin(), all.end(), [&](const Call& c) { return c.function == function; }));
}

}  // namespace hmmscope::scenario
