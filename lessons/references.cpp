#include "lessons/references.h"

#include <algorithm>
#include <set>

#include "engine/encoding/geometry.h"
#include "engine/encoding/layout.h"
#include "engine/recording/memory.h"
#include "engine/rules/rule.h"
#include "lessons/expression.h"
#include "lessons/recording_words.h"
#include "lessons/vocabulary.h"

namespace hmmscope::lessons {
namespace {

/// Remembers the first problem; the checks read as a list because of it.
class Checker {
 public:
  explicit Checker(const Lesson& lesson) : lesson_(lesson) {}

  std::optional<Problem> run() {
    for (const auto& [name, expression] : lesson_.values) check_value(name, expression);
    for (const auto& [name, moment] : lesson_.moments) check_moment(name, moment);
    paragraphs(lesson_.introduction, "/introduction");
    paragraphs(lesson_.closing, "/closing");
    std::set<std::string> ids;
    for (size_t i = 0; i < lesson_.tasks.size(); ++i) {
      const std::string at = "/tasks/" + std::to_string(i);
      if (!ids.insert(lesson_.tasks[i].id).second)
        note(at + "/id", "two tasks have the id \"" + lesson_.tasks[i].id + "\"");
      check_task(lesson_.tasks[i], at);
    }
    return problem_;
  }

 private:
  void check_value(const std::string& name, const std::string& expression) {
    const std::string at = "/values/" + name;
    if (lesson_.moments.contains(name)) note(at, "a moment has this name already");
    if (!value_ends(name)) note(at, "this value is made from itself");
    check(expression, at);
  }

  /// Whether following the names inside the value's expression comes to an end.
  bool value_ends(const std::string& name) {
    const auto value = lesson_.values.find(name);
    if (value == lesson_.values.end() || finished_.contains(name)) return true;
    if (!following_.insert(name).second) return false;
    const auto expression = parse_expression(value->second);
    const bool ends = !expression || names_end(*expression);
    following_.erase(name);
    if (ends) finished_.insert(name);
    return ends;
  }
  bool names_end(const Expression& expression) {
    if (expression.kind == Expression::Kind::name) return value_ends(expression.text);
    return std::all_of(expression.arguments.begin(), expression.arguments.end(),
                       [&](const Expression& argument) { return names_end(argument); });
  }

  void check_moment(const std::string& name, const MomentQuery& moment) {
    const std::string at = "/moments/" + name;
    if (!lesson_.samples.contains(moment.sample))
      note(at + "/sample", "there is no sample \"" + moment.sample + "\"");
    if (!moment.after.empty()) {
      check_moment_name(moment.after, at + "/after");
      std::set<std::string> chain{name};
      for (std::string next = moment.after; lesson_.moments.contains(next);
           next = lesson_.moments.at(next).after) {
        if (lesson_.moments.at(next).sample != moment.sample)
          note(at + "/after", "\"" + next + "\" is a moment of another sample");
        if (!chain.insert(next).second) return note(at + "/after", "these moments wait for each other");
      }
    }
    bool known_region = false;
    for (int kind = 0; kind < static_cast<int>(RegionKind::count_); ++kind) {
      known_region |= region_kind_name(static_cast<RegionKind>(kind)) == moment.region;
    }
    if (!known_region) note(at + "/region", "there is no kind of region named \"" + moment.region + "\"");
    const auto starts_with_rule = [&](const Rule& rule) { return rule.id.starts_with(moment.rule); };
    if (!moment.rule.empty() && std::none_of(rules().begin(), rules().end(), starts_with_rule)) {
      note(at + "/rule", "no rule's id begins with \"" + moment.rule + "\"");
    }
    if (!moment.words.empty()) check(moment.words, at + "/words");
    if (moment.layout.empty()) return;
    const Layout* layout = check_layout_id(moment.layout, at + "/layout");
    conditions(moment.was, layout, at + "/was");
    conditions(moment.becomes, layout, at + "/becomes");
  }

  void conditions(const MomentQuery::Conditions& conditions, const Layout* layout, const std::string& at) {
    for (const auto& [field, expression] : conditions) {
      if (layout != nullptr && layout->field_named(field) == nullptr) {
        note(at + "/" + field, "layout " + std::string(layout->id) + " has no field \"" + field + "\"");
      }
      check(expression, at + "/" + field);
    }
  }

  void check_task(const Task& task, const std::string& at) {
    text(task.title, at + "/title");
    paragraphs(task.text, at + "/text");
    text(task.prompt, at + "/prompt");
    paragraphs(task.explanation, at + "/explanation");
    if (!task.start.empty()) check_moment_name(task.start, at + "/start");
    if (!task.watch.empty()) check_moment_name(task.watch, at + "/watch");
    if (!task.layout.empty()) check_layout_id(task.layout, at + "/layout");
    std::set<std::string> ids;
    for (size_t i = 0; i < task.choices.size(); ++i) {
      const std::string choice = at + "/choices/" + std::to_string(i);
      if (!ids.insert(task.choices[i].id).second) note(choice + "/id", "two choices have this id");
      text(task.choices[i].text, choice + "/text");
      text(task.choices[i].reply, choice + "/reply");
      check(task.choices[i].when, choice + "/when");
    }
    for (size_t i = 0; i < task.misconceptions.size(); ++i) {
      const std::string wrong = at + "/misconceptions/" + std::to_string(i);
      check(task.misconceptions[i].answer, wrong + "/answer");
      text(task.misconceptions[i].reply, wrong + "/reply");
    }
    if (task.kind == TaskKind::go_to) return check_moment_name(task.answer, at + "/answer");
    if (task.kind == TaskKind::layout) return check_design(task.design, at + "/design");
    for (const auto& [expression, key] :
         {std::pair{&task.answer, "/answer"}, {&task.word, "/word"}, {&task.mask, "/mask"}}) {
      if (!expression->empty()) check(*expression, at + key);
    }
  }

  void check_design(const LayoutTask& design, const std::string& at) {
    const Layout* start = check_layout_id(design.start, at + "/start");
    for (size_t i = 0; i < design.fields.size(); ++i) {
      if (start == nullptr || start->field_named(design.fields[i]) != nullptr) continue;
      note(at + "/fields/" + std::to_string(i),
           "layout " + design.start + " has no field \"" + design.fields[i] + "\"");
    }
    for (size_t i = 0; i < design.machines.size(); ++i) {
      if (const auto machine = geometry_or_error(design.machines[i]); !machine)
        note(at + "/machines/" + std::to_string(i), machine.error().message);
    }
  }

  const Layout* check_layout_id(const std::string& id, const std::string& at) {
    const auto layout = layout_or_error(id);
    if (layout) return *layout;
    note(at, layout.error().message);
    return nullptr;
  }
  void check_moment_name(const std::string& name, const std::string& at) {
    if (!lesson_.moments.contains(name)) note(at, "there is no moment \"" + name + "\"");
  }

  void paragraphs(const std::vector<std::string>& list, const std::string& at) {
    for (size_t i = 0; i < list.size(); ++i) text(list[i], at + "/" + std::to_string(i));
  }
  void text(const std::string& text, const std::string& at) {
    const auto found = placeholders(text);
    if (!found) return note(at, found.error().message);
    for (const Placeholder& placeholder : *found) check(placeholder.expression, at);
  }
  void check(const std::string& text, const std::string& at) {
    const auto expression = parse_expression(text);
    if (!expression) return note(at, expression.error().message);
    check_names(*expression, at);
  }
  void check_names(const Expression& expression, const std::string& at) {
    if (expression.kind == Expression::Kind::name && !lesson_.values.contains(expression.text)) {
      return note(at, "there is no value \"" + expression.text + "\"");
    }
    if (expression.kind != Expression::Kind::call) return;
    const auto arity = arity_of(expression.text);
    if (!arity) return note(at, "there is no function \"" + expression.text + "\"");
    if (expression.arguments.size() < arity->least || expression.arguments.size() > arity->most) {
      return note(at, expression.text + "() does not take " + std::to_string(expression.arguments.size()) +
                          " arguments");
    }
    for (size_t i = 0; i < expression.arguments.size(); ++i) {
      const Expression& argument = expression.arguments[i];
      if (i == 0 && arity->names_a_moment) {
        if (argument.kind != Expression::Kind::name)
          return note(at, expression.text + "() wants the name of a moment first");
        check_moment_name(argument.text, at);
      } else {
        check_names(argument, at);
      }
    }
  }

  struct Arity {
    uint8_t least, most;
    bool names_a_moment;
  };
  static std::optional<Arity> arity_of(std::string_view function) {
    if (const Word* word = find_word(function)) return Arity{word->least, word->most, false};
    if (const RecordingWord* word = find_recording_word(function))
      return Arity{word->least, word->most, true};
    return std::nullopt;
  }

  void note(std::string pointer, std::string message) {
    if (!problem_) problem_ = Problem{std::move(pointer), std::move(message)};
  }

  const Lesson& lesson_;
  std::set<std::string> following_, finished_;  ///< of value_ends()
  std::optional<Problem> problem_;
};

}  // namespace

std::optional<Problem> find_problem(const Lesson& lesson) { return Checker(lesson).run(); }

}  // namespace hmmscope::lessons
