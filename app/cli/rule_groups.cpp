#include "app/cli/rule_groups.h"

#include "engine/rules/rule_versions.h"

namespace hmmscope::app {

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
      if (versions_cover(rule(id).versions, 6, 12)) found.push_back(id);
    }
  }
  return found;
}

}  // namespace hmmscope::app
