#pragma once
/// Steps as text: what `run --steps`, `replay` and a machine without a display print. One format everywhere.

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "traces/document.h"

namespace hmmscope::app {

/// "hmm_range_fault > walk_page_range > hmm_vma_walk_pmd".
std::string call_path_text(const Recording& recording, CallId call);
/// One step: a line with number, time, innermost function, rule and operands, then a line a write with the word's
/// name, both values and what the new one reads as. Ends with a newline.
std::string step_text(const traces::Document& document, StepIndex step);
nlohmann::json step_json(const traces::Document& document, StepIndex step);
/// Everything at one position: call path, rule statement, operands, writes before and after.
std::string moment_text(const traces::Document& document, StepIndex position);
nlohmann::json moment_json(const traces::Document& document, StepIndex position);
/// Title, kernel, model, counts of steps, calls, writes; divergences if any.
std::string summary_text(const traces::Document& document);
nlohmann::json summary_json(const traces::Document& document);

}  // namespace hmmscope::app
