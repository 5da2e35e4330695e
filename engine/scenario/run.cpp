#include "engine/scenario/run.h"

#include "engine/fault/handle_mm_fault.h"
#include "engine/scenario/operations.h"

namespace hmmscope::scenario {

Result<Outcome> run(const Scenario& scenario, std::string_view kernel) {
  auto world = World::build(scenario, kernel);
  if (!world) return fail(world.error());
  Machine& machine = (*world)->machine();
  Recorder recorder(machine.memory());
  recorder.add_task({1, "scenario"});
  machine.set_recorder(&recorder);
  Outcome outcome;
  outcome.model = machine.model();
  Operations operations(**world, recorder, outcome);
  const bool coherent = !scenario.devices.empty() && scenario.devices.front().coherent;
  for (const Operation& operation : scenario.operations) {
    if (operation.only_coherent && *operation.only_coherent != coherent) continue;
    const auto ok = std::visit([&](const auto& body) { return operations.perform(body, operation.line); }, operation.body);
    if (!ok) return fail(ok.error());
  }
  machine.set_recorder(nullptr);
  recorder.set_meta("source", "scenario");
  recorder.set_meta("title", scenario.title);
  recorder.set_meta("description", scenario.description);
  recorder.set_meta("model", machine.model().id);
  recorder.set_meta("layout", machine.model().hmm_pfn->id);
  recorder.set_meta("arch", "x86_64");
  outcome.recording = std::move(recorder).finish();
  return outcome;
}

}  // namespace hmmscope::scenario
