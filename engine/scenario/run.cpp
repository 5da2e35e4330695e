#include "engine/scenario/run.h"

#include <algorithm>
#include <utility>

#include "engine/base/too_large.h"
#include "engine/fault/handle_mm_fault.h"
#include "engine/scenario/device_invariant.h"
#include "engine/scenario/end_check.h"
#include "engine/scenario/inject.h"
#include "engine/scenario/operations.h"
#include "engine/scenario/task_locks.h"
#include "engine/schedule/scheduler.h"

namespace hmmscope::scenario {
namespace {

/// The machine has one observer; a run may have several: failures first, then the scheduler, then the checks.
class Observers final : public StepObserver {
 public:
  void add(StepObserver* observer) { list_.push_back(observer); }
  /// Tasks change before the last observer looks: it sees what is there when the step is really made.
  void add_before_last(StepObserver* observer) { list_.insert(list_.empty() ? list_.end() : list_.end() - 1, observer); }
  void remove(StepObserver* observer) { std::erase(list_, observer); }
  bool empty() const { return list_.empty(); }
  void before_step(RuleId rule, std::initializer_list<uint64_t> operands) override {
    for (StepObserver* observer : list_) observer->before_step(rule, operands);
  }
  void before_enter(Function function) override {
    for (StepObserver* observer : list_) observer->before_enter(function);
  }
  void spin_lock(const SpinLock& lock) override {
    for (StepObserver* observer : list_) observer->spin_lock(lock);
  }
  void spin_unlock(const SpinLock& lock) noexcept override {
    for (StepObserver* observer : list_) observer->spin_unlock(lock);
  }
  void atomic_begin(bool may_wait) override {
    for (StepObserver* observer : list_) observer->atomic_begin(may_wait);
  }
  void atomic_end() noexcept override {
    for (StepObserver* observer : list_) observer->atomic_end();
  }

 private:
  std::vector<StepObserver*> list_;
};

/// How a schedule begins that was made with another granularity than the scenario's own.
constexpr std::string_view rule_mark = "@rule ", lock_mark = "@lock ";

bool skipped(const Scenario& scenario, const Operation& operation) {
  const bool coherent = !scenario.devices.empty() && scenario.devices.front().coherent;
  return operation.only_coherent && *operation.only_coherent != coherent;
}

/// What a run may record, about 2 GiB; the machine has limits of its own (world.cpp).
constexpr StepIndex most_steps = 1u << 25;

Result<void> perform(Operations& operations, const Scenario& scenario, const Operation& operation) try {
  if (skipped(scenario, operation)) return {};
  return std::visit(
      [&](const auto& body) -> Result<void> {
        if constexpr (requires { body.process; }) {
          if (!operations.has_process(body.process, operation.line)) return {};
        }
        return operations.perform(body, operation.line);
      },
      operation.body);
} catch (const TooLarge& reason) {
  return fail(Error::at_line(scenario.file, operation.line, std::string(reason.what()) + "; ask for fewer pages"));
}

/// A later call of the task goes by a sequence that an earlier one read.
bool keeps_sequence(const Scenario& scenario, const std::string& task) {
  return std::any_of(scenario.operations.begin(), scenario.operations.end(), [&](const Operation& operation) {
    const auto* op = std::get_if<RangeFaultOp>(&operation.body);
    return operation.task == task && op != nullptr && op->sequence == RangeFaultOp::Sequence::earlier;
  });
}

/// Runs the operations of one task; stops at the first mistake of the scenario.
void perform_task(Operations& operations, const Scenario& scenario, const std::string& task, TaskLocks& locks, Result<void>& mistake) {
  const bool keeps = keeps_sequence(scenario, task);
  for (const Operation& operation : scenario.operations) {
    if (operation.task != task || !mistake) continue;
    locks.scheduler().begin_operation(keeps || locks.in_migration());
    locks.scheduler().point();
    if (auto ok = perform(operations, scenario, operation); !ok && mistake) mistake = ok;
  }
  locks.ends();
}

/// Something hangs or is dead: what it has begun is left as it is.
bool is_stuck(const Recording& recording) {
  for (StepIndex step = 0; step < recording.steps(); ++step) {
    const RuleId rule = recording.rule_of(step);
    if (rule == RuleId::scenario_deadlock || rule == RuleId::driver_read_oops) return true;
  }
  return false;
}

Result<void> run_tasks(const Scenario& scenario, const RunOptions& options, World& world, Recorder& recorder, Observers& observers,
                       Outcome& outcome) {
  std::string_view text = options.schedule.empty() ? scenario.schedule : options.schedule;
  schedule::Granularity granularity = scenario.granularity;
  for (const auto& [mark, means] : {std::pair(rule_mark, schedule::Granularity::rule), std::pair(lock_mark, schedule::Granularity::lock)}) {
    if (!text.starts_with(mark)) continue;
    text.remove_prefix(mark.size());
    granularity = means;
  }
  granularity = options.granularity.value_or(granularity);
  auto follow = schedule::TextPolicy::parse(text, scenario.tasks);
  if (!follow) return fail(Error{follow.error().message, scenario.file, 0, 0, false});
  const auto seed = options.seed ? options.seed : options.schedule.empty() ? scenario.seed : std::nullopt;
  schedule::SeededPolicy random(seed.value_or(0));
  schedule::Policy* policy = options.policy != nullptr ? options.policy : seed ? static_cast<schedule::Policy*>(&random) : &*follow;
  schedule::Scheduler scheduler(world.machine(), recorder, *policy, granularity);
  observers.add_before_last(&scheduler);
  TaskLocks locks(world, scheduler);
  world.set_locks(&locks);
  Operations operations(world, recorder, outcome, &locks);
  Result<void> mistake;
  for (const std::string& task : scenario.tasks) {
    scheduler.add_task(task, [&, task] { perform_task(operations, scenario, task, locks, mistake); });
  }
  const schedule::Ended ended = scheduler.run();
  observers.remove(&scheduler);
  world.set_locks(nullptr);
  outcome.schedule_end = end_name(ended.end);
  outcome.schedule_text = ended.text;
  const bool by_rule = granularity == schedule::Granularity::rule;
  outcome.schedule = granularity == scenario.granularity ? "" : std::string(by_rule ? rule_mark : lock_mark);
  outcome.schedule += ended.schedule;
  std::sort(outcome.results.begin(), outcome.results.end());
  if (!mistake || ended.end == schedule::End::stopped) return mistake;
  outcome.expectations += 2;
  if (!ended.locks_left.empty()) {
    outcome.failures.push_back({recorder.steps() - 1, scenario.operations.front().line, "never released: " + ended.locks_left});
  }
  if (outcome.schedule_end == scenario.ends) return {};
  const std::string why = ended.text.empty() ? "" : ": " + ended.text;
  outcome.failures.push_back({recorder.steps() - 1, scenario.operations.front().line,
                              "expected the tasks to end as " + scenario.ends + ", got " + outcome.schedule_end + why});
  return {};
}

}  // namespace

Result<Outcome> run(const Scenario& scenario, std::string_view kernel) {
  RunOptions options;
  options.kernel = kernel;
  return run(scenario, options);
}

Result<Outcome> run(const Scenario& scenario, const RunOptions& options) {
  auto world = World::build(scenario, options.kernel);
  if (!world) return fail(world.error());
  Machine& machine = (*world)->machine();
  Recorder recorder(machine.memory());
  recorder.limit(most_steps);
  recorder.add_task({1, "scenario"});
  machine.set_recorder(&recorder);
  Outcome outcome;
  outcome.model = machine.model();
  Operations operations(**world, recorder, outcome);
  Observers observers;
  auto injector = Injector::create(**world);
  if (!injector) return fail(injector.error());
  DeviceInvariant invariant(**world);
  if (!scenario.inject.empty()) {
    observers.add(injector->get());
    (*world)->set_migrate_hooks(injector->get());
    if (!scenario.has_tasks()) (*world)->set_locks(injector->get());
  }
  const bool check_devices = scenario.check_devices && !scenario.devices.empty();
  if (check_devices) observers.add(&invariant);
  if (check_devices || !scenario.inject.empty()) machine.set_observer(&observers);
  bool tasks_run = !scenario.has_tasks();
  for (const Operation& operation : scenario.operations) {
    if (!operation.task.empty()) {
      if (tasks_run) continue;
      tasks_run = true;
      if (auto ok = run_tasks(scenario, options, **world, recorder, observers, outcome); !ok) return fail(ok.error());
      if (outcome.schedule_end != "finished") break;   // what follows needs the tasks' work
      continue;
    }
    if (const auto ok = perform(operations, scenario, operation); !ok) return fail(ok.error());
  }
  if (check_devices) invariant.check_everything();
  const bool ended = outcome.schedule_end.empty() || outcome.schedule_end == "finished";
  const std::vector<std::string> left = ended && !is_stuck(recorder.peek()) ? left_behind(**world) : std::vector<std::string>();
  machine.set_observer(nullptr);
  machine.set_recorder(nullptr);
  const StepIndex last = recorder.steps() == 0 ? no_step : recorder.steps() - 1;
  const size_t failed_before = outcome.failures.size();
  for (const std::string& violation : invariant.violations()) outcome.failures.push_back({last, 0, violation});
  const auto found = [&](std::string_view name, const std::string& text) {
    const bool allowed = std::find(scenario.allows.begin(), scenario.allows.end(), name) != scenario.allows.end();
    if (allowed) outcome.findings.push_back(text);
    else outcome.failures.push_back({last, 0, text});
  };
  for (const auto& [name, text] : invariant.findings()) found(name, text);
  // One that holds, or as many as there are pages of which it does not.
  if (check_devices) outcome.expectations += static_cast<uint32_t>(std::max<size_t>(1, outcome.failures.size() - failed_before));
  for (const Injector::Missed& missed : (*injector)->missed()) {
    outcome.failures.push_back({last, missed.decl->line, missed.why});
  }
  for (const Injector::Postponed& later : (*injector)->postponed()) {
    outcome.postponed.push_back({later.step, later.decl->line, later.why});
  }
  for (const std::string& text : left) found(left_behind_name, text);
  recorder.set_meta("source", "scenario");
  recorder.set_meta("title", scenario.title);
  recorder.set_meta("description", scenario.description);
  recorder.set_meta("model", machine.model().id);
  recorder.set_meta("layout", machine.model().hmm_pfn->id);
  recorder.set_meta("arch", "x86_64");
  if (scenario.has_tasks()) recorder.set_meta("schedule", outcome.schedule);
  outcome.recording = std::move(recorder).finish();
  return outcome;
}

}  // namespace hmmscope::scenario
