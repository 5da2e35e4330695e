// Reads lessons: JSON, then the schema, then what a schema cannot say (references between the parts,
// expressions).

#include <algorithm>
#include <fstream>
#include <iterator>

#include "engine/base/json_document.h"
#include "lessons/lesson.h"
#include "lessons/references.h"

namespace hmmscope::embedded {
extern const char lesson_schema[];
}

namespace hmmscope::lessons {
namespace {

using nlohmann::json;

std::vector<std::string> strings(const json& object, const char* key) {
  return object.value(key, std::vector<std::string>{});
}
std::string string(const json& object, const char* key) { return object.value(key, std::string{}); }

/// The member, or `otherwise`. A reference, because items() of a temporary would outlive it in a range-for.
const json& member(const json& object, const char* key, const json& otherwise) {
  const auto found = object.find(key);
  return found == object.end() ? otherwise : *found;
}

MomentQuery read_moment(const json& object) {
  MomentQuery query;
  query.sample = string(object, "sample");
  query.after = string(object, "after");
  query.rule = string(object, "rule");
  query.region = object.value("region", query.region);
  query.words = string(object, "words");
  query.layout = string(object, "layout");
  query.was = object.value("was", MomentQuery::Conditions{});
  query.becomes = object.value("becomes", MomentQuery::Conditions{});
  const std::string at = string(object, "at");
  if (at == "call-start") query.at = MomentQuery::At::call_start;
  if (at == "call-end") query.at = MomentQuery::At::call_end;
  return query;
}

TaskKind read_kind(const std::string& name) {
  for (const TaskKind kind :
       {TaskKind::choice, TaskKind::number, TaskKind::word_bits, TaskKind::layout, TaskKind::go_to}) {
    if (name == task_kind_name(kind)) return kind;
  }
  return TaskKind::choice;  // the schema allows no other name
}

Task read_task(const json& object) {
  Task task;
  task.id = string(object, "id");
  task.kind = read_kind(string(object, "kind"));
  task.title = string(object, "title");
  task.text = strings(object, "text");
  task.prompt = string(object, "prompt");
  task.start = string(object, "start");
  task.watch = string(object, "watch");
  task.watch_slot = object.value("watch-slot", -1);
  task.layout = string(object, "layout");
  task.explanation = strings(object, "explanation");
  task.answer = string(object, "answer");
  task.word = string(object, "word");
  task.mask = string(object, "mask");
  const json none = json::array();
  for (const json& choice : member(object, "choices", none)) {
    task.choices.push_back(
        {string(choice, "id"), string(choice, "text"), string(choice, "when"), string(choice, "reply")});
  }
  for (const json& wrong : member(object, "misconceptions", none)) {
    task.misconceptions.push_back({string(wrong, "answer"), string(wrong, "reply")});
  }
  if (object.contains("design")) {
    const json& design = object.at("design");
    task.design = {string(design, "start"), strings(design, "fields"), strings(design, "machines")};
  }
  return task;
}

Lesson read_lesson(const json& root) {
  Lesson lesson;
  lesson.id = string(root, "id");
  lesson.title = string(root, "title");
  lesson.summary = string(root, "summary");
  lesson.minutes = root.value("minutes", 0u);
  lesson.introduction = strings(root, "introduction");
  lesson.closing = strings(root, "closing");
  lesson.sources = strings(root, "sources");
  const json none = json::object();
  for (const auto& [name, sample] : member(root, "samples", none).items()) {
    lesson.samples[name] = {string(sample, "file"), string(sample, "kernel")};
  }
  for (const auto& [name, moment] : member(root, "moments", none).items())
    lesson.moments[name] = read_moment(moment);
  lesson.values = root.value("values", std::map<std::string, std::string>{});
  for (const json& task : root.at("tasks")) lesson.tasks.push_back(read_task(task));
  return lesson;
}

Result<std::string> read_file(const std::filesystem::path& file) {
  std::error_code code;
  const auto size = std::filesystem::file_size(file, code);
  if (code) return fail(Error{code.message(), file.string(), 0, 0, false});
  if (size > JsonDocument::max_bytes)
    return fail(Error{"too large for a lesson", file.string(), 0, 0, false});
  std::ifstream stream(file, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  if (!stream && !stream.eof()) return fail(Error{"cannot be read", file.string(), 0, 0, false});
  return text;
}

Result<std::vector<std::filesystem::path>> lesson_files(const std::filesystem::path& directory) {
  std::error_code code;
  std::vector<std::filesystem::path> files;
  for (std::filesystem::directory_iterator entry(directory, code), end; !code && entry != end;
       entry.increment(code)) {
    if (entry->path().extension() == ".json") files.push_back(entry->path());
  }
  if (code) return fail(Error{code.message(), directory.string(), 0, 0, false});
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

Result<Lesson> parse_lesson(std::string_view text, std::string_view name) {
  auto document = JsonDocument::parse(text, name);
  if (!document) return fail(document.error());
  if (auto fits = document->check(json::parse(embedded::lesson_schema)); !fits) return fail(fits.error());
  Lesson lesson = read_lesson(document->root());
  if (const auto problem = find_problem(lesson))
    return fail(document->error_at(problem->pointer, problem->message));
  return lesson;
}

Result<Lesson> load_lesson(const std::filesystem::path& file) {
  const auto text = read_file(file);
  return text ? parse_lesson(*text, file.string()) : fail(text.error());
}

Result<std::vector<LessonInfo>> list_lessons(const std::filesystem::path& directory) {
  const auto files = lesson_files(directory);
  if (!files) return fail(files.error());
  std::vector<LessonInfo> list;
  for (const auto& file : *files) {
    const auto lesson = load_lesson(file);
    if (!lesson) return fail(lesson.error());
    list.push_back({lesson->id, lesson->title, lesson->summary, lesson->minutes,
                    static_cast<uint32_t>(lesson->tasks.size()), file});
  }
  return list;
}

Result<Lesson> find_lesson(const std::filesystem::path& directory, std::string_view id) {
  const auto list = list_lessons(directory);
  if (!list) return fail(list.error());
  std::string known;
  for (const LessonInfo& info : *list) {
    if (info.id == id) return load_lesson(info.file);
    known += (known.empty() ? "" : ", ") + info.id;
  }
  return fail("there is no lesson \"" + std::string(id) +
              "\"; there is: " + (known.empty() ? "none" : known));
}

}  // namespace hmmscope::lessons
