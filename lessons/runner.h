#pragma once
/// Takes a learner through a lesson. For each task: `asking` (predict), after answer() `watching` when the
/// task has a moment to look at, then `graded`. The runner says where the cursor should be (target()); the
/// shell moves it and shows text. The same runner serves the window, the command line and the tests.
///
/// Threads: one thread at a time, the one that uses its Facts. Nothing here waits when facts.prepare() was
/// called.

#include <optional>
#include <string>
#include <vector>

#include "lessons/facts.h"
#include "lessons/grader.h"
#include "lessons/lesson.h"

namespace hmmscope::lessons {

enum class Phase : uint8_t {
  introduction,  ///< before the first task
  asking,        ///< the question is on screen, the result is not
  watching,      ///< answered; the cursor shows what really happens, the explanation is still hidden
  graded,        ///< result and explanation are shown
  closing,       ///< after the last task
};

/// Where the shell should put the cursor.
struct Target {
  std::shared_ptr<const traces::Document> document;
  StepIndex position = 0;
  WordIndex word = no_word;  ///< select this word; no_word = leave the selection
  std::string layout;        ///< read hmm_pfns with this layout; empty = the document's own
};

/// One task as it is to be shown, all placeholders filled in.
struct TaskView {
  const Task* task = nullptr;
  std::string title;
  std::vector<std::string> text;
  std::string prompt;
  std::vector<std::string> choices;  ///< in the order of task->choices
  uint64_t word = 0;                 ///< word_bits: the word the learner starts from
  const Layout* layout = nullptr;  ///< the layout to read words with (layout: to start from); may be nullptr
  std::vector<std::string> explanation;  ///< empty until graded
};

struct TaskState {
  std::optional<Answer> answer;  ///< the last one
  std::optional<Grade> grade;
  uint32_t tries = 0;
  bool first_try_right = false;
};

class Runner {
 public:
  /// `facts` (and the lesson behind it) must outlive the runner.
  explicit Runner(Facts& facts);

  const Lesson& lesson() const { return facts_.lesson(); }
  Phase phase() const { return phase_; }
  size_t task_index() const { return index_; }  ///< meaningful from asking to graded
  const Task& task() const { return lesson().tasks[index_]; }
  const TaskState& state(size_t task) const { return states_[task]; }
  size_t right_count() const;  ///< tasks answered right in the end

  /// The text of the introduction, of the closing, or of the current task.
  Result<std::vector<std::string>> paragraphs() const;
  Result<TaskView> view() const;
  /// Where the cursor belongs in this phase: the task's start moment while asking, its watch moment
  /// afterwards.
  Result<std::optional<Target>> target() const;

  /// Hands in the answer for the current task (asking only). Goes on to watching, or to graded when there is
  /// nothing to watch. A wrong answer may be followed by retry().
  Result<Grade> answer(const Answer& answer);
  void show_result();             ///< watching -> graded
  void retry();                   ///< graded and wrong -> asking; the answer is kept as a starting point
  void next();                    ///< introduction -> first task; graded -> next task or closing
  void go_to_task(size_t index);  ///< to asking, or graded when it is answered already
  void restart();

  /// Progress as JSON text for the shell to keep. load() leaves out answers that no longer fit their task and
  /// fails, changing nothing, when the text is not a progress text of this lesson.
  std::string save() const;
  Result<void> load(std::string_view text);

 private:
  Facts& facts_;
  Phase phase_ = Phase::introduction;
  size_t index_ = 0;
  std::vector<TaskState> states_;
};

}  // namespace hmmscope::lessons
