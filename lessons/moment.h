#pragma once
/// Moments: places in a recording that a lesson finds by what happened there.

#include <memory>
#include <optional>
#include <string>

#include "engine/recording/cursor.h"
#include "lessons/lesson.h"
#include "traces/document.h"

namespace hmmscope::lessons {

/// A moment found in a sample.
struct Moment {
  std::shared_ptr<const traces::Document> document;
  std::string sample;           ///< the sample's name in the lesson
  StepIndex step = no_step;     ///< the step that matched
  StepIndex position = 0;       ///< where to put the cursor, see MomentQuery::At
  CallId call = no_call;        ///< the hmm_range_fault call around the step; no_call outside any
  RegionId region = no_region;  ///< the array or table that matched
  WordIndex word = no_word;     ///< the first word that matched
};

/// A MomentQuery with its expressions evaluated: what a step must have written.
struct Pattern {
  std::string rule;  ///< prefix of the rule id; empty = any
  RegionKind region = RegionKind::hmm_pfns;
  std::optional<uint64_t> words;           ///< size of the region
  uint64_t was_mask = 0, was = 0;          ///< old & was_mask == was
  uint64_t becomes_mask = 0, becomes = 0;  ///< new & becomes_mask == becomes
  MomentQuery::At at = MomentQuery::At::step;
};

/// The moment at `step` when it fits; `document` and `sample` are left to the caller.
std::optional<Moment> moment_at(const Recording& recording, const Pattern& pattern, StepIndex step);
/// The first one at or behind `from`. Reads each write once.
std::optional<Moment> find_moment(const Recording& recording, const Pattern& pattern, StepIndex from);

}  // namespace hmmscope::lessons
