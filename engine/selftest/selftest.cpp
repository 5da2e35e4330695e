#include "engine/selftest/selftest.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/model/kernel_release.h"

namespace hmmscope::selftest {
namespace {

/// Whether the kernel has the test: its release is not older, or it carries the patches that bring the test.
bool belongs(const scenario::SelftestDecl& test, const KernelModel& model) {
  if (test.since == "unified") return model.unified != UnifiedStyle::none;
  if (test.since == "compound") return model.compound_migration;   // 6.19, without the unified patches
  const auto since = parse_release(test.since);
  return !since || model.version >= since->version;
}

Result run_variant(const scenario::Scenario& scenario, const KernelModel& model, const scenario::Outcome& outcome,
                   std::string_view variant) {
  Result result;
  result.variant = variant;
  result.kernel = model.id;
  result.expectations = outcome.expectations;
  result.steps = outcome.recording.steps();
  if (!outcome.failures.empty()) result.text = outcome.failures.front().text;
  const bool earlier = !belongs(*scenario.selftest, model);
  const bool holds = outcome.failures.empty();
  const std::vector<std::string>& documented = scenario.selftest->earlier;
  if (holds) {
    const bool should_fail = earlier && !documented.empty() && documented.front() != "holds";
    result.verdict = should_fail ? Verdict::failed : Verdict::passed;
    if (should_fail) result.text = "holds, but without " + scenario.selftest->since + " it should fail: " + documented.front();
  } else if (earlier) {
    const auto undocumented = std::find_if_not(outcome.failures.begin(), outcome.failures.end(), [&](const scenario::Failure& failure) {
      return std::any_of(documented.begin(), documented.end(),
                         [&](const std::string& part) { return failure.text.find(part) != std::string::npos; });
    });
    if (undocumented == outcome.failures.end())
      result.verdict = Verdict::failed_as_documented;
    else
      result.text = undocumented->text;
  }
  return result;
}

}  // namespace

const Source* find_source(std::string_view name) {
  const auto found = std::find_if(sources().begin(), sources().end(), [&](const Source& s) { return s.name == name; });
  return found == sources().end() ? nullptr : &*found;
}

hmmscope::Result<std::vector<Result>> run(const Source& source, std::string_view kernel, const Options& options) {
  const auto model = kernel_model(kernel);
  if (!model) return fail(model.error());
  auto scenario = scenario::parse(source.text, source.name);
  if (!scenario) return fail(scenario.error());
  if (!scenario->selftest) return fail(Error{"is not a selftest", std::string(source.name), 0, 0, false});
  std::vector<Result> results;
  for (const bool coherent : {false, true}) {
    if (coherent ? !scenario->selftest->coherent_variant : !scenario->selftest->private_variant) continue;
    const std::string_view variant = coherent ? "coherent" : "private";
    if (coherent && !model->device_coherent) {
      Result& absent = results.emplace_back();
      absent.variant = variant;
      absent.kernel = model->id;
      absent.verdict = Verdict::not_there;
      absent.text = "this kernel has no device-coherent memory";
    } else {
      for (scenario::DeviceDecl& device : scenario->devices) device.coherent = coherent;
      auto outcome = scenario::run(*scenario, kernel);
      if (!outcome) return fail(outcome.error());
      results.push_back(run_variant(*scenario, *model, *outcome, variant));
      if (options.keep_recordings) results.back().recording = std::move(outcome->recording);
    }
    results.back().name = source.name;
  }
  return results;
}

}  // namespace hmmscope::selftest
