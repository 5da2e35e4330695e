#pragma once
/// Running a scenario: the machine is set up, then every operation is recorded.

#include <string>
#include <string_view>
#include <vector>

#include "engine/model/kernel_model.h"
#include "engine/recording/recording.h"
#include "engine/scenario/scenario.h"

namespace hmmscope::scenario {

/// An expectation that did not hold.
struct Failure {
  StepIndex step = no_step;
  Line line = 0;
  std::string text;
};

struct Outcome {
  Recording recording;
  KernelModel model;
  std::vector<Failure> failures;
  uint32_t expectations = 0;
};

/// `kernel` overrides the scenario's model when not empty. Errors (unknown model, addresses outside a VMA, flags the
/// model does not have) name file and line. Deterministic: the same scenario and model give the same recording.
Result<Outcome> run(const Scenario& scenario, std::string_view kernel = {});

}  // namespace hmmscope::scenario
