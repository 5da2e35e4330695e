#pragma once
/// `hmmscope replay --facts`: what is known at a moment, and how, as text and as JSON.

#include <nlohmann/json.hpp>
#include <string>

#include "traces/document.h"

namespace hmmscope::app {

/// A line for each run of words known in one way, below them the rules that inferred and the gaps before.
std::string facts_text(const traces::Document& document, StepIndex at);
nlohmann::ordered_json facts_json(const traces::Document& document, StepIndex at);

}  // namespace hmmscope::app
