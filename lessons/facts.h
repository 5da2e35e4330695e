#pragma once
/// Where a lesson's numbers come from. Facts opens the lesson's samples when they are first needed, finds its moments
/// in them and evaluates its expressions over the layout tables, the machines and those recordings. Results are kept,
/// so that asking again is cheap.
///
/// Threads: one thread at a time. Opening a sample may take a second: call prepare() off the UI thread first.

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "engine/base/result.h"
#include "lessons/expression.h"
#include "lessons/lesson.h"
#include "traces/document.h"

namespace hmmscope::lessons {

/// A moment found in a sample.
struct Moment {
  std::shared_ptr<const traces::Document> document;
  std::string sample;              ///< the sample's name in the lesson
  StepIndex position = 0;          ///< where to put the cursor
  StepIndex step = no_step;        ///< the step that matched
  RegionId region = no_region;     ///< its hmm_pfns array
  WordIndex word = no_word;        ///< the slot that matched (the first one)
  CallId call = no_call;           ///< the hmm_range_fault call around it
};

class Facts {
 public:
  /// `data_directory` holds the samples. The lesson must outlive the facts.
  Facts(const Lesson& lesson, std::filesystem::path data_directory);
  ~Facts();

  const Lesson& lesson() const { return lesson_; }

  /// Opens every sample, finds every moment, evaluates every expression and placeholder of the lesson: afterwards
  /// nothing below fails for this lesson. Also checks that each choice task has exactly one right choice.
  Result<void> prepare(const traces::Progress& progress = {});

  Result<std::shared_ptr<const traces::Document>> document(std::string_view sample);
  Result<Moment> moment(std::string_view name);
  /// Whether `position` of `document` fits the moment `name`: the same query matches there, first match or not.
  Result<bool> matches(std::string_view name, const traces::Document& document, StepIndex position);
  Result<Value> evaluate(std::string_view expression);
  /// The text with every {{expression}} replaced by its value.
  Result<std::string> fill(std::string_view text);

 private:
  class Scope;
  const Lesson& lesson_;
  std::filesystem::path data_directory_;
  std::map<std::string, std::shared_ptr<const traces::Document>, std::less<>> documents_;
  std::map<std::string, Moment, std::less<>> moments_;
  std::map<std::string, Value, std::less<>> values_;
  std::unique_ptr<Scope> scope_;
};

}  // namespace hmmscope::lessons
