#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "app/cli/command.h"
#include "app/cli/paths.h"
#include "engine/base/json_document.h"
#include "lessons/facts.h"
#include "lessons/grader.h"
#include "lessons/lesson.h"

namespace hmmscope::app {
namespace {

using Json = nlohmann::ordered_json;

struct GradedTask {
  const lessons::Task* task;
  bool answered = false;
  lessons::Grade grade;
};

/// Text read on a terminal: broken at `width` columns, behind `indent` spaces.
std::string wrapped(const std::string& text, size_t indent, size_t width = 100) {
  std::string result;
  std::string line(indent, ' ');
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(' ', at), text.size());
    const std::string word = text.substr(at, end - at);
    if (line.size() > indent && line.size() + 1 + word.size() > width) {
      result += line + "\n";
      line.assign(indent, ' ');
    }
    line += (line.size() > indent ? " " : "") + word;
    at = end + 1;
  }
  return result + line + "\n";
}

/// `hmmscope lesson list | show ID | grade ID --answers FILE`.
class LessonCommand : public Command {
 public:
  std::string_view name() const override { return "lesson"; }
  std::string_view summary() const override { return "List lessons, read one, grade answers to one"; }

  void declare(Arguments& arguments) override {
    list_ = arguments.subcommand("list", "Every lesson (the default)");
    show_ = arguments.subcommand("show", "Read a lesson: its text and questions, every number computed");
    show_.option("ID", id_, "Lesson id").required();
    grade_ = arguments.subcommand("grade", "Grade answers; exit 1 if any is wrong or missing");
    grade_.option("ID", id_, "Lesson id").required();
    grade_.option("--answers", answers_, "JSON file: an object of task id and answer")
        .type_name("FILE")
        .required();
  }

  int run(const Output& output) override {
    if (show_.parsed()) return show(output);
    if (grade_.parsed()) return grade(output);
    return list(output);
  }

 private:
  static int list(const Output& output) {
    const auto found = lessons::list_lessons(lessons_directory());
    if (!found) return output.bad_input(found.error());
    Json all = Json::array();
    std::string text;
    for (const lessons::LessonInfo& info : *found) {
      all.push_back({{"id", info.id},
                     {"title", info.title},
                     {"summary", info.summary},
                     {"minutes", info.minutes},
                     {"tasks", info.tasks}});
      text += fmt::format("{:<20} {} ({} tasks, about {} minutes)\n", info.id, info.title, info.tasks,
                          info.minutes);
    }
    output.print(output.json ? Json{{"lessons", all}}.dump(2) + "\n" : text);
    return exit_ok;
  }

  int show(const Output& output) const {
    const auto lesson = lessons::find_lesson(lessons_directory(), id_);
    if (!lesson) return output.bad_input(lesson.error());
    lessons::Facts facts(*lesson, data_directory());
    if (const auto ready = facts.prepare(); !ready) return output.bad_input(ready.error());
    const auto text = output.json ? show_json(*lesson, facts) : show_text(*lesson, facts);
    if (!text) return output.bad_input(text.error());
    output.print(*text);
    return exit_ok;
  }

  static Result<std::string> show_text(const lessons::Lesson& lesson, lessons::Facts& facts) {
    std::string text = lesson.title + "\n\n";
    const auto add = [&](const std::vector<std::string>& paragraphs, size_t indent) -> Result<void> {
      const auto filled = facts.fill(paragraphs);
      if (!filled) return fail(filled.error());
      for (const std::string& paragraph : *filled) text += wrapped(paragraph, indent) + "\n";
      return {};
    };
    if (auto added = add(lesson.introduction, 0); !added) return fail(added.error());
    for (size_t i = 0; i < lesson.tasks.size(); ++i) {
      const lessons::Task& task = lesson.tasks[i];
      text +=
          fmt::format("{}. {} [{}, {}]\n\n", i + 1, task.title, task.id, lessons::task_kind_name(task.kind));
      if (auto added = add(task.text, 3); !added) return fail(added.error());
      if (auto added = add({task.prompt}, 3); !added) return fail(added.error());
      for (const lessons::Choice& choice : task.choices) {
        const auto filled = facts.fill(choice.text);
        if (!filled) return fail(filled.error());
        text += wrapped(choice.id + ": " + *filled, 5);
      }
      if (!task.choices.empty()) text += "\n";
    }
    return text;
  }

  static Result<std::string> show_json(const lessons::Lesson& lesson, lessons::Facts& facts) {
    const auto introduction = facts.fill(lesson.introduction);
    if (!introduction) return fail(introduction.error());
    Json tasks = Json::array();
    for (const lessons::Task& task : lesson.tasks) {
      const auto text = facts.fill(task.text);
      const auto prompt = facts.fill(task.prompt);
      if (!text) return fail(text.error());
      if (!prompt) return fail(prompt.error());
      Json entry = {{"id", task.id},
                    {"kind", std::string(task_kind_name(task.kind))},
                    {"title", task.title},
                    {"text", *text},
                    {"prompt", *prompt}};
      for (const lessons::Choice& choice : task.choices) {
        const auto filled = facts.fill(choice.text);
        if (!filled) return fail(filled.error());
        entry["choices"].push_back({{"id", choice.id}, {"text", *filled}});
      }
      tasks.push_back(std::move(entry));
    }
    const Json all = {
        {"id", lesson.id},           {"title", lesson.title},         {"summary", lesson.summary},
        {"minutes", lesson.minutes}, {"introduction", *introduction}, {"tasks", tasks},
        {"sources", lesson.sources}};
    return all.dump(2) + "\n";
  }

  int grade(const Output& output) const {
    const auto lesson = lessons::find_lesson(lessons_directory(), id_);
    if (!lesson) return output.bad_input(lesson.error());
    const auto answers = read_answers();
    if (!answers) return output.bad_input(answers.error());
    for (const auto& [id, answer] : answers->root().items()) {
      if (lesson->task(id) == nullptr)
        return output.bad_input(
            answers->error_at("/" + id, "lesson \"" + id_ + "\" has no task \"" + id + "\""));
    }
    lessons::Facts facts(*lesson, data_directory());
    std::vector<GradedTask> graded;
    for (const lessons::Task& task : lesson->tasks) {
      graded.push_back({&task, answers->root().contains(task.id), {}});
      if (!graded.back().answered) continue;
      const auto answer = lessons::parse_answer(task, answers->root().at(task.id));
      const auto result = answer ? lessons::grade(task, *answer, facts) : tl::unexpected(answer.error());
      if (!result)
        return output.bad_input(result.error().file.empty()
                                    ? answers->error_at("/" + task.id, result.error().message)
                                    : result.error());
      graded.back().grade = *result;
    }
    const auto right = static_cast<size_t>(
        std::count_if(graded.begin(), graded.end(), [](const GradedTask& task) { return task.grade.right; }));
    output.print(output.json ? grades_json(graded, right) : grades_text(graded, right));
    return right == graded.size() ? exit_ok : exit_check_failed;
  }

  Result<JsonDocument> read_answers() const {
    std::ifstream file(answers_, std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    if (!file.is_open() || file.bad() || std::filesystem::is_directory(answers_))
      return fail(Error{"cannot be read", answers_, 0, 0, false});
    auto document = JsonDocument::parse(text, answers_);
    if (document && !document->root().is_object())
      return fail(document->error_at("", "answers are an object of task id and answer"));
    return document;
  }

  std::string grades_text(const std::vector<GradedTask>& graded, size_t right) const {
    std::string text;
    for (const GradedTask& task : graded) {
      const char* mark = !task.answered ? "missing" : task.grade.right ? "right" : "wrong";
      text +=
          fmt::format("{:<7}  {}: {}\n", mark, task.task->id, task.answered ? task.grade.given : "no answer");
      if (!task.grade.reply.empty()) text += wrapped(task.grade.reply, 9);
    }
    return text + fmt::format("lesson {}: {} of {} right\n", id_, right, graded.size());
  }

  std::string grades_json(const std::vector<GradedTask>& graded, size_t right) const {
    Json tasks = Json::array();
    for (const GradedTask& task : graded) {
      Json entry = {{"id", task.task->id}, {"answered", task.answered}, {"right", task.grade.right}};
      if (task.answered) entry["given"] = task.grade.given;
      if (!task.grade.reply.empty()) entry["reply"] = task.grade.reply;
      tasks.push_back(std::move(entry));
    }
    return Json{{"lesson", id_}, {"right", right}, {"tasks", tasks}, {"total", graded.size()}}.dump(2) + "\n";
  }

  Arguments list_, show_, grade_;
  std::string id_, answers_;
};

}  // namespace

std::unique_ptr<Command> make_lesson_command() { return std::make_unique<LessonCommand>(); }

}  // namespace hmmscope::app
