#include "app/cli/rule_coverage.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <string>

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
        count(*(*document)->recording, coverage, &RuleCoverage::scenarios);
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
    count(outcome->recording, coverage, &RuleCoverage::scenarios);
  }
  for (const selftest::Source& source : selftest::sources()) {
    for (const char* kernel : {"5.8", "6.12", "7.3"}) {
      const auto results = selftest::run(source, kernel, {true});
      if (!results) return fail(results.error());
      for (const selftest::Result& result : *results) count(result.recording, coverage, &RuleCoverage::scenarios);
    }
  }
  if (const auto ok = count_files(lessons_directory() / "scenarios", coverage, &RuleCoverage::scenarios); !ok) return fail(ok.error());
  count_in_early_kernels(lessons_directory() / "scenarios", coverage);
  for (const auto& directory : {samples_directory(), samples_directory() / "dat"}) {
    if (const auto ok = count_files(directory, coverage, &RuleCoverage::captures); !ok) return fail(ok.error());
  }
  return coverage;
}

Result<void> add_test_records(const std::filesystem::path& directory, std::vector<RuleCoverage>& coverage) {
  const std::string name = directory.string();
  std::error_code error;
  if (!std::filesystem::is_directory(directory, error))
    return fail(Error{"no directory with the records of a test run; a run of tests/run leaves them in "
                      "build/release/tests/fired_rules", name, 0, 0, false});
  size_t records = 0;
  for (const auto& file : files_of(directory)) {
    if (file.extension() != ".txt") continue;
    std::ifstream in(file);
    uint64_t number = 0;
    for (std::string line; std::getline(in, line);) {
      ++number;
      const size_t space = std::min(line.find(' '), line.size());
      const Rule* fired = find_rule(std::string_view(line).substr(0, space));
      uint32_t tests = 0;
      const char* const end = line.data() + line.size();
      const auto read = std::from_chars(line.data() + std::min(space + 1, line.size()), end, tests);
      if (read.ec != std::errc() || read.ptr != end)
        return fail(Error::at_line(file.string(), number, "a record's line is a rule's id and how many tests fired it"));
      if (fired != nullptr) coverage[static_cast<size_t>(fired->rule)].tests += tests;   // else a rule of another build
    }
    ++records;
  }
  if (records == 0)
    return fail(Error{"no record of a test run is in this directory; tests/run leaves them in "
                      "build/release/tests/fired_rules", name, 0, 0, false});
  return {};
}

}  // namespace hmmscope::app
