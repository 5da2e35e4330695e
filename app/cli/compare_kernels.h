#pragma once
/// `hmmscope run SCENARIO --kernel all`: one scenario under many kernels, one line each, and what fails
/// where.

#include <string>
#include <vector>

#include "app/cli/command.h"

namespace hmmscope::app {

/// The ids of a --kernel text: every built-in model for "all", the parts of a list, else the text itself.
std::vector<std::string> kernel_list(const std::string& text);

/// Prints the comparison. A kernel that cannot run the scenario (its layout lacks a flag, it lacks a call) is
/// listed with the reason and does not count as a failure. Exit code 1 when an expectation fails under some
/// kernel, 2 when the file is no scenario or a kernel is unknown.
int compare_kernels(const Output& output, const std::string& file, const std::vector<std::string>& kernels);

}  // namespace hmmscope::app
