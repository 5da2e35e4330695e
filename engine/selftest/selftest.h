#pragma once
/// The kernel's HMM selftests (tools/testing/selftests/mm/hmm-tests.c) as scenarios: the same setup, the same
/// assertions, with test_hmm's ioctls (engine/test_hmm). The scenarios are files of selftest/tests, compiled in.
///
/// A test belongs to the kernels from `since` on. Under an earlier model it either holds all the same or fails in a
/// way its file names, message by message; anything else counts as a failure. Threads: may run on any thread; results are values.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/model/kernel_model.h"
#include "engine/scenario/run.h"

namespace hmmscope::selftest {

struct Source {
  std::string_view name;   ///< the kernel's name of the test function
  const char* text;        ///< scenario JSON
};
/// All of them, by name.
std::span<const Source> sources();
/// nullptr when there is none.
const Source* find_source(std::string_view name);

enum class Verdict : uint8_t {
  passed,
  failed_as_documented,   ///< the kernel model is older than the test and fails as the test's file says
  not_there,              ///< the kernel model has no devices of this variant
  failed,
};

struct Result {
  std::string name, variant, kernel;
  Verdict verdict = Verdict::failed;
  std::string text;                 ///< the first failure, or why not there
  uint32_t expectations = 0;
  StepIndex steps = 0;
  Recording recording;              ///< only when asked for
};

struct Options {
  bool keep_recordings = false;
};

/// Runs one test under one kernel model, every variant it has. Error: the model is not known (or the compiled-in
/// scenario is broken, which a test excludes).
hmmscope::Result<std::vector<Result>> run(const Source& source, std::string_view kernel, const Options& options = {});

}  // namespace hmmscope::selftest
