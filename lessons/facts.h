#pragma once
/// Where a lesson's numbers come from. Facts opens the lesson's samples when they are first needed, finds its
/// moments in them and evaluates its expressions over the layout tables, the machines and those recordings.
/// Results are kept, so that asking again is cheap.
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
#include "lessons/moment.h"
#include "traces/document.h"

namespace hmmscope::lessons {

class Facts : private Environment {
 public:
  /// `data_directory` holds the samples. The lesson must outlive the facts.
  Facts(const Lesson& lesson, std::filesystem::path data_directory);

  const Lesson& lesson() const { return lesson_; }

  /// Opens every sample, finds every moment and evaluates every expression and placeholder of the lesson:
  /// afterwards nothing below fails for this lesson. Also checks that each choice task has exactly one right
  /// choice.
  Result<void> prepare(const traces::Progress& progress = {});

  Result<std::shared_ptr<const traces::Document>> document(const std::string& sample);
  Result<Moment> moment(const std::string& name);
  /// Whether the moment's query matches the step just before `position` of its sample, first match or not.
  Result<bool> matches(const std::string& moment, StepIndex position);

  Result<Value> evaluate(std::string_view expression);
  Result<uint64_t> number(std::string_view expression);
  Result<bool> truth(std::string_view expression);
  /// The text with every {{expression}} replaced by its value.
  Result<std::string> fill(std::string_view text);
  Result<std::vector<std::string>> fill(const std::vector<std::string>& paragraphs);

 private:
  struct OpenSample {
    std::shared_ptr<const traces::Document> document;
    std::unique_ptr<Cursor> cursor;
  };

  Result<Value> name(const std::string& name) override;
  Result<Value> call(const Expression& call) override;
  Result<OpenSample*> open(const std::string& sample);
  Result<Pattern> pattern(const MomentQuery& query);
  Result<void> prepare_task(const Task& task);

  const Lesson& lesson_;
  std::filesystem::path data_directory_;
  traces::Progress progress_;
  std::map<std::string, OpenSample> samples_;
  std::map<std::string, Moment> moments_;
  std::map<std::string, Value> values_;
};

}  // namespace hmmscope::lessons
