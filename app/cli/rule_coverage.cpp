#include "app/cli/rule_coverage.h"

#include <algorithm>
#include <filesystem>

#include "app/cli/paths.h"
#include "engine/scenario/run.h"
#include "engine/selftest/rule_cases.h"
#include "engine/selftest/selftest.h"
#include "traces/document.h"

namespace hmmscope::app {
namespace {

constexpr size_t rule_count = static_cast<size_t>(RuleId::count_);

/// Adds one to every rule of the recording, however often it fired.
void count(const Recording& recording, std::vector<RuleCoverage>& coverage, uint32_t RuleCoverage::* which) {
  std::vector<bool> seen(rule_count);
  for (StepIndex step = 0; step < recording.steps(); ++step) {
    const auto id = static_cast<size_t>(recording.rule_of(step));
    if (id < rule_count) seen[id] = true;
  }
  for (size_t id = 0; id < rule_count; ++id) {
    if (seen[id]) ++(coverage[id].*which);
  }
}

std::vector<std::filesystem::path> files_of(const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    if (!entry.is_regular_file()) continue;
    const std::string name = entry.path().filename().string();
    if (name.ends_with(".md") || name == "meta.json") continue;
    files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

Result<void> count_files(const std::filesystem::path& directory, std::vector<RuleCoverage>& coverage, uint32_t RuleCoverage::* which) {
  for (const auto& file : files_of(directory)) {
    const auto document = traces::open_document(file);
    if (!document) return fail(document.error());
    count(*(*document)->recording, coverage, which);
  }
  return {};
}

/// The scenarios once more under the range calls up to 5.6; one that names what such a kernel lacks is left out.
void count_in_early_kernels(const std::filesystem::path& directory, std::vector<RuleCoverage>& coverage) {
  for (const auto& file : files_of(directory)) {
    for (const char* kernel : {"4.14", "4.17", "5.2", "5.3", "5.4", "5.6"}) {
      traces::OpenOptions options;
      options.kernel = kernel;
      if (const auto document = traces::open_document(file, options)) {
        count(*(*document)->recording, coverage, &RuleCoverage::tests);
      }
    }
  }
}

}  // namespace

Result<std::vector<RuleCoverage>> count_rule_coverage() {
  std::vector<RuleCoverage> coverage(rule_count);
  const auto cases = selftest::rule_cases();
  if (!cases) return fail(cases.error());
  for (const scenario::Scenario& scenario : *cases) {
    const auto outcome = scenario::run(scenario);
    if (!outcome) return fail(outcome.error());
    count(outcome->recording, coverage, &RuleCoverage::tests);
  }
  for (const selftest::Source& source : selftest::sources()) {
    for (const char* kernel : {"5.8", "6.12", "7.3"}) {
      const auto results = selftest::run(source, kernel, {true});
      if (!results) return fail(results.error());
      for (const selftest::Result& result : *results) count(result.recording, coverage, &RuleCoverage::tests);
    }
  }
  if (const auto ok = count_files(lessons_directory() / "scenarios", coverage, &RuleCoverage::tests); !ok) return fail(ok.error());
  count_in_early_kernels(lessons_directory() / "scenarios", coverage);
  for (const auto& directory : {samples_directory(), samples_directory() / "dat"}) {
    if (const auto ok = count_files(directory, coverage, &RuleCoverage::captures); !ok) return fail(ok.error());
  }
  return coverage;
}

}  // namespace hmmscope::app
