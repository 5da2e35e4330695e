#pragma once
/// A lesson as read from its JSON file: text, named samples, named moments, named values and tasks. The
/// format is specified in FORMAT.md beside this file and checked by schema/lesson.schema.json. A lesson holds
/// no results: every number is an expression that Facts computes from the layout tables, the engine or a real
/// capture.
///
/// Ownership: plain values. Threads: immutable after loading.

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "engine/base/result.h"

namespace hmmscope::lessons {

/// Something a lesson plays: a capture, a scenario or a saved recording.
struct Sample {
  std::filesystem::path file;  ///< relative to the data directory ("traces/samples/x.trace.txt.xz")
  std::string kernel;          ///< model id to run it under; empty = as the file says
};

/// A moment is found by what happened there, never by a step number: the first step of `sample` that writes a
/// word which fits.
struct MomentQuery {
  enum class At : uint8_t { step, call_start, call_end };
  using Conditions = std::map<std::string, std::string>;  ///< field name -> expression its value must equal
  std::string sample;                                     ///< name of a Sample
  std::string after;  ///< name of a moment of that sample: look only behind it; empty = from the start
  std::string rule;   ///< the step's rule id begins with this; empty = any
  std::string region = "hmm_pfns";  ///< kind of the region the word is in
  std::string words;                ///< expression: that region has so many words; empty = any number
  std::string layout;               ///< layout that reads the word
  Conditions was, becomes;          ///< on its old and its new value
  At at = At::step;  ///< where the cursor goes: behind the step, or to either end of the hmm_range_fault
                     ///< around it
};

enum class TaskKind : uint8_t { choice, number, word_bits, layout, go_to };
/// "choice", "number", "word-bits", "layout", "go-to": the names used in the JSON.
std::string_view task_kind_name(TaskKind kind);

struct Choice {
  std::string id;
  std::string text;   ///< may hold {{placeholders}}
  std::string when;   ///< expression: whether this choice is right; exactly one choice of a task is
  std::string reply;  ///< said when it was chosen and is wrong; may be empty
};

/// A wrong answer worth a word of its own.
struct Misconception {
  std::string answer;  ///< expression
  std::string reply;
};

/// What the learner's layout has to hold and on which machines it is tried.
struct LayoutTask {
  std::string start;                  ///< id of the layout the learner starts from
  std::vector<std::string> fields;    ///< field names that must be there
  std::vector<std::string> machines;  ///< geometry ids
};

struct Task {
  std::string id;
  TaskKind kind = TaskKind::choice;
  std::string title;
  std::vector<std::string> text;  ///< paragraphs read before answering; may hold {{placeholders}}
  std::string prompt;             ///< the question itself
  std::string start;              ///< moment the cursor is put on when the task opens; empty = leave it
  std::string watch;              ///< moment shown after the answer; empty = nothing to watch
  std::string layout;             ///< layout the words are read with; empty = the sample's own
  int watch_slot = -1;            ///< hmm_pfns slot to select at `watch`; -1 = the one the moment found
  std::vector<std::string> explanation;  ///< paragraphs shown with the result

  std::vector<Choice> choices;  ///< choice
  std::string answer;           ///< number, word_bits: expression; go_to: name of a moment
  std::string word;             ///< word_bits: expression, what the learner starts from; empty = 0
  std::string mask;             ///< word_bits: expression, bits that count; empty = all
  std::vector<Misconception> misconceptions;  ///< number, word_bits
  LayoutTask design;                          ///< layout
};

struct Lesson {
  std::string id;
  std::string title;
  std::string summary;
  uint32_t minutes = 0;
  std::vector<std::string> introduction;  ///< paragraphs
  std::vector<std::string> closing;       ///< paragraphs after the last task
  std::vector<std::string> sources;       ///< where the story is from
  std::map<std::string, Sample> samples;
  std::map<std::string, MomentQuery> moments;
  std::map<std::string, std::string> values;  ///< name -> expression
  std::vector<Task> tasks;

  const Task* task(std::string_view id) const;  ///< nullptr when unknown
};

struct LessonInfo {
  std::string id, title, summary;
  uint32_t minutes = 0;
  uint32_t tasks = 0;
  std::filesystem::path file;
};

/// Reads and checks one lesson: JSON syntax, schema, references between its parts, syntax of every
/// expression. Errors name file and line. Samples are not opened.
Result<Lesson> load_lesson(const std::filesystem::path& file);
/// As load_lesson from text; `name` appears in errors.
Result<Lesson> parse_lesson(std::string_view text, std::string_view name);
/// Every lesson of a directory (*.json), sorted by id.
Result<std::vector<LessonInfo>> list_lessons(const std::filesystem::path& directory);
/// The lesson with that id; an error that lists the known ids otherwise.
Result<Lesson> find_lesson(const std::filesystem::path& directory, std::string_view id);

}  // namespace hmmscope::lessons
