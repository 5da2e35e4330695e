#pragma once
/// Scenarios for the explorer's tests, and what an exploration found as a set.

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "engine/scenario/explore.h"
#include "engine/scenario/run.h"

namespace hmmscope::scenario {

inline Scenario parsed_or_fail(const std::string& text) {
  auto scenario = parse(text, "test.json");
  EXPECT_TRUE(scenario) << scenario.error().to_string() << "\n" << text;
  return std::move(*scenario);
}

inline Scenario lesson_scenario(const std::string& name) {
  std::ifstream in(HMMSCOPE_SOURCE_DIR "/lessons/scenarios/" + name + ".json", std::ios::binary);
  return parsed_or_fail({std::istreambuf_iterator<char>(in), {}});
}

/// One device, one VMA "buffer" of two pages, in the given states.
inline Scenario tiny(const std::string& pages, const std::string& operations, const std::string& kernel = "6.12") {
  return parsed_or_fail(R"({"hmmscope-scenario": 1, "title": "t", "kernel": ")" + kernel +
                        R"(", "devices": [{"name": "gpu0", "pages": 64}],
                            "vmas": [{"name": "buffer", "start": "0x7f0000000000", "size": "8K"}],
                            "pages": [)" + pages + R"(], "operations": [)" + operations + "]}");
}

inline std::string as_text(const ExploredOutcome& outcome) {
  std::string text = outcome.end + " " + outcome.text;
  for (const auto* list : {&outcome.results, &outcome.failures, &outcome.findings}) {
    for (const std::string& line : *list) text += "\n  " + line;
  }
  return text;
}

inline std::set<std::string> outcomes_of(const Exploration& exploration) {
  std::set<std::string> all;
  for (const ExploredOutcome& outcome : exploration.outcomes) all.insert(as_text(outcome));
  return all;
}

inline Exploration explored(const Scenario& scenario, const ExploreOptions& options) {
  auto found = explore(scenario, options);
  EXPECT_TRUE(found) << found.error().to_string();
  return std::move(*found);
}

}  // namespace hmmscope::scenario
