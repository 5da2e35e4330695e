#pragma once
/// Small deterministic documents for the panel tests, made with the recorder alone.

#include <memory>

#include "traces/document.h"

namespace hmmscope::ui::test {

/// A 6.12 walk of 512 pages: present ptes, holes, swap entries that fault and restart, an invalidation, a
/// second call. `traced` adds events, checks (agreed, diverged, unknown) and evidence that is observed,
/// inferred or unknown.
std::shared_ptr<const traces::Document> walk_document(bool traced);
/// The v9 posting over a 1 GiB leaf: order 18 sets the bit that DMA_MAPPED owns in 262 144 slots; one slot is
/// ERROR.
std::shared_ptr<const traces::Document> overlap_document();
/// `steps` steps with one divergence at `rare`.
std::shared_ptr<const traces::Document> long_document(StepIndex steps, StepIndex rare);

/// The step of walk_document(true) whose word differs from the kernel's; the position right after it.
StepIndex diverged_position(const traces::Document& document);

}  // namespace hmmscope::ui::test
