#pragma once
/// Running a scenario: the machine is set up, then every operation is recorded.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/model/kernel_model.h"
#include "engine/recording/recording.h"
#include "engine/scenario/scenario.h"

namespace hmmscope::schedule {
class Policy;
}

namespace hmmscope::scenario {

/// Something to say of a step and a line of the scenario: mostly an expectation that did not hold.
struct Failure {
  StepIndex step = no_step;
  Line line = 0;
  std::string text;
};

struct Outcome {
  Recording recording;
  KernelModel model;
  std::vector<Failure> failures;
  std::vector<Failure> postponed;        ///< injections that happened, but later than asked for
  std::vector<std::string> findings;     ///< violations with a name that the scenario allows, the name first
  uint32_t expectations = 0;
  // scenarios with tasks only
  std::string schedule_end;              ///< "finished", "deadlock", "livelock", "stopped"
  std::string schedule_text;             ///< who waits for what held by whom
  std::string schedule;                  ///< the choices made; the same again give the same run
  std::vector<std::string> results;      ///< what the tasks' operations returned, in the order of the file
};

struct RunOptions {
  std::string kernel;                    ///< overrides the scenario's model when not empty
  std::string schedule;                  ///< overrides the scenario's
  std::optional<uint64_t> seed;          ///< the same, at random
  std::optional<schedule::Granularity> granularity;   ///< overrides the scenario's
  schedule::Policy* policy = nullptr;    ///< decides instead of both; must outlive the run
};

/// `kernel` overrides the scenario's model when not empty. Errors (unknown model, addresses outside a VMA, flags the
/// model does not have) name file and line. Deterministic: the same scenario and model give the same recording.
/// A scenario whose operations name tasks runs them interleaved (engine/schedule).
Result<Outcome> run(const Scenario& scenario, std::string_view kernel = {});
Result<Outcome> run(const Scenario& scenario, const RunOptions& options);

}  // namespace hmmscope::scenario
