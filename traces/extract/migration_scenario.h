#pragma once
/// A migration of a trace as a scenario: its VMA, the pages as setup found them, who held the pages that it
/// left alone, and the operations migrate-setup, migrate-pages and migrate-finalize.

#include <string>

#include "traces/extract/extract.h"

namespace hmmscope::traces {

/// Errors without a file: extract_call() adds it.
Result<std::string> migration_scenario(const Document& document, const ExtractableCall& call);

}  // namespace hmmscope::traces
