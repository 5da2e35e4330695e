#include "engine/selftest/rule_cases.h"

#include <nlohmann/json.hpp>

namespace hmmscope::embedded {
extern const char rule_cases[];
}

namespace hmmscope::selftest {

hmmscope::Result<std::vector<scenario::Scenario>> rule_cases() {
  std::vector<scenario::Scenario> cases;
  const auto list = nlohmann::json::parse(embedded::rule_cases, nullptr, false);
  if (!list.is_array()) return fail("rule_cases.json is not a list");
  for (const auto& item : list) {
    auto parsed = scenario::parse(item.dump(), "rule_cases.json, case " + std::to_string(cases.size() + 1));
    if (!parsed) return fail(parsed.error());
    cases.push_back(std::move(*parsed));
  }
  return cases;
}

}  // namespace hmmscope::selftest
