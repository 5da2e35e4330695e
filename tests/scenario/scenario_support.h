#pragma once
/// Small scenarios written in the test itself.

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "engine/recording/cursor.h"
#include "engine/scenario/run.h"

namespace hmmscope::scenario {

/// A scenario with a device gpu0, and `vmas`, `pages`, `operations` as the insides of the JSON arrays.
inline std::string scenario_json(const std::string& vmas, const std::string& pages, const std::string& operations,
                                 const std::string& more = {}) {
  return R"({"hmmscope-scenario": 1, "title": "test", )" + more + R"("devices": [{"name": "gpu0"}, {"name": "gpu1", "pages": 16}], "vmas": [)" + vmas +
         R"(], "pages": [)" + pages + R"(], "operations": [)" + operations + "]}";
}

inline Outcome run_text(const std::string& text, std::string_view kernel = {}) {
  const auto parsed = parse(text, "test.json");
  if (!parsed) {
    ADD_FAILURE() << parsed.error().to_string();
    return {};
  }
  auto outcome = run(*parsed, kernel);
  if (!outcome) {
    ADD_FAILURE() << outcome.error().to_string();
    return {};
  }
  for (const Failure& failure : outcome->failures) ADD_FAILURE() << "line " << failure.line << ": " << failure.text;
  return std::move(*outcome);
}

inline std::set<std::string_view> fired(const Recording& recording) {
  std::set<std::string_view> rules;
  for (StepIndex step = 0; step < recording.steps(); ++step) rules.insert(rule(recording.rule_of(step)).id);
  return rules;
}

/// Value at the end of the run of the word that is called `name`; fails the test when there is none.
inline uint64_t final_word(const Outcome& outcome, RegionKind kind, uint32_t index, size_t nth = 0) {
  const auto recording = std::make_shared<const Recording>(outcome.recording);
  Cursor cursor(recording);
  cursor.seek(recording->steps());
  for (const Region& region : recording->regions()) {
    if (region.kind != kind || nth-- != 0) continue;
    return cursor.load(region.first + index);
  }
  ADD_FAILURE() << "no such region";
  return 0;
}

}  // namespace hmmscope::scenario
