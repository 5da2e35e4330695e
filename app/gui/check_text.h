#pragma once
/// A judged call in words, as HTML for the panel Engine and kernel. Links: "step:N" is the position N.

#include <QString>
#include <span>

#include "app/gui/core.h"

#ifndef Q_MOC_RUN
#include "traces/check/candidates.h"
#endif

namespace hmmscope::app {

/// Both words under `layout`, the fields that differ, the rule each side took, what is known of the call and
/// how, and candidate explanations. `trials`: the trace under other kernel models; empty: not tried.
QString describe_check(const traces::Document& document, const CallCheck& check, const Layout* layout,
                       std::span<const traces::ModelTrial> trials);
/// The expectations of a scenario that did not hold, and how its tasks ended.
QString describe_scenario(const traces::Document& document);
/// "1 234 calls: 1 230 agreed, 0 diverged, 4 unknown"; of a scenario "12 expectations: 12 held".
QString summarise_checks(const traces::Document& document);
/// How the value of a word at a position is known (traces/check/facts.h): observed or inferred and by which rule, or
/// unknown and which probe would tell.
QString describe_facts(const traces::Document& document, WordIndex word, StepIndex position);

}  // namespace hmmscope::app
