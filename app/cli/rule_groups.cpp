#include "app/cli/rule_groups.h"

#include <charconv>
#include <utility>

namespace hmmscope::app {
namespace {

using Release = std::pair<uint32_t, uint32_t>;
constexpr Release first_release{0, 0}, last_release{~0u, ~0u};

Release release(std::string_view text, Release otherwise) {
  Release found{0, 0};
  const char* const end = text.data() + text.size();
  const auto major = std::from_chars(text.data(), end, found.first);
  if (major.ec != std::errc() || major.ptr == end || *major.ptr != '.') return otherwise;
  const auto minor = std::from_chars(major.ptr + 1, end, found.second);
  return minor.ec == std::errc() ? found : otherwise;
}

bool range_covers(std::string_view range, Release wanted) {
  if (range == "all") return true;
  if (range.ends_with('+')) return release(range.substr(0, range.size() - 1), last_release) <= wanted;
  const size_t dots = range.find("..");
  if (dots == std::string_view::npos) return release(range, last_release) == wanted;
  return release(range.substr(0, dots), first_release) <= wanted && wanted <= release(range.substr(dots + 2), last_release);
}

}  // namespace

bool covers(std::string_view versions, uint32_t major, uint32_t minor) {
  while (!versions.empty()) {
    const size_t comma = versions.find(',');
    std::string_view range = versions.substr(0, comma);
    while (range.starts_with(' ')) range.remove_prefix(1);
    if (range_covers(range, {major, minor})) return true;
    versions = comma == std::string_view::npos ? std::string_view() : versions.substr(comma + 1);
  }
  return false;
}

const std::vector<RuleGroup>& rule_groups() {
  static const std::vector<RuleGroup> groups = {
#define HMMSCOPE_RULE(name, id, function, versions, statement, operands) RuleId::name,
      {"range fault", {
#include "engine/rules/range_fault.def"
                      }},
      {"unlocked range fault", {
#include "engine/rules/unlocked_fault.def"
                               }},
      {"range calls up to 5.6", {
#include "engine/rules/driver_format.def"
                                }},
      {"CPU fault", {
#include "engine/rules/cpu_fault.def"
                    }},
      {"migrate", {
#include "engine/rules/migrate.def"
                  }},
      {"unified fault and migrate", {
#include "engine/rules/unified.def"
                                    }},
      {"notifiers", {
#include "engine/rules/notifier.def"
                    }},
      {"DMA mapping", {
#include "engine/rules/dma_map.def"
                      }},
      {"mirror table of 2015", {
#include "engine/rules/mirror_table.def"
                               }},
      {"scenarios", {
#include "engine/rules/scenario.def"
                    }, false},
      {"test_hmm and system calls", {
#include "engine/rules/test_hmm.def"
                                    }},
      {"tasks and failures", {
#include "engine/rules/schedule.def"
                             }, false},
      {"traces", {
#include "engine/rules/trace.def"
#include "engine/rules/trace_facts.def"
                 }, false},
      {"recordings", {
#include "engine/rules/recording.def"
                     }, false},
#undef HMMSCOPE_RULE
  };
  return groups;
}

std::vector<RuleId> range_fault_and_migrate_rules_of_6_12() {
  std::vector<RuleId> found;
  for (const RuleGroup& group : rule_groups()) {
    if (group.name != "range fault" && group.name != "migrate") continue;
    for (const RuleId id : group.rules) {
      if (covers(rule(id).versions, 6, 12)) found.push_back(id);
    }
  }
  return found;
}

}  // namespace hmmscope::app
