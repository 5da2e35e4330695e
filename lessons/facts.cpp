#include "lessons/facts.h"

#include "engine/encoding/layout.h"
#include "lessons/recording_words.h"
#include "lessons/vocabulary.h"

namespace hmmscope::lessons {
namespace {

Error in(std::string_view what, std::string_view name, Error error) {
  error.message = std::string(what) + " \"" + std::string(name) + "\": " + error.message;
  return error;
}

RegionKind region_kind(std::string_view name) {
  for (int kind = 0; kind < static_cast<int>(RegionKind::count_); ++kind) {
    if (region_kind_name(static_cast<RegionKind>(kind)) == name) return static_cast<RegionKind>(kind);
  }
  return RegionKind::hmm_pfns;  // the loader lets no other name through
}

}  // namespace

Facts::Facts(const Lesson& lesson, std::filesystem::path data_directory)
    : lesson_(lesson), data_directory_(std::move(data_directory)) {}

Result<Facts::OpenSample*> Facts::open(const std::string& name) {
  if (const auto found = samples_.find(name); found != samples_.end()) return &found->second;
  const auto sample = lesson_.samples.find(name);
  if (sample == lesson_.samples.end()) return fail("there is no sample \"" + name + "\"");
  const auto document =
      traces::open_document(data_directory_ / sample->second.file, {sample->second.kernel, progress_});
  if (!document) return fail(document.error());
  auto cursor = std::make_unique<Cursor>((*document)->recording, (*document)->keyframes);
  return &samples_.emplace(name, OpenSample{*document, std::move(cursor)}).first->second;
}

Result<std::shared_ptr<const traces::Document>> Facts::document(const std::string& sample) {
  const auto opened = open(sample);
  return opened ? Result<std::shared_ptr<const traces::Document>>((*opened)->document) : fail(opened.error());
}

Result<Pattern> Facts::pattern(const MomentQuery& query) {
  Pattern pattern;
  pattern.rule = query.rule;
  pattern.region = region_kind(query.region);
  pattern.at = query.at;
  if (!query.words.empty()) {
    const auto words = number(query.words);
    if (!words) return fail(words.error());
    pattern.words = *words;
  }
  if (query.layout.empty()) return pattern;
  const auto layout = layout_or_error(query.layout);
  if (!layout) return fail(layout.error());
  const auto add = [&](const MomentQuery::Conditions& conditions, uint64_t& mask,
                       uint64_t& bits) -> Result<void> {
    for (const auto& [field, expression] : conditions) {
      const auto value = number(expression);
      if (!value) return fail(value.error());
      const auto word = encode(**layout, std::array{FieldValue{field, *value}});
      if (!word) return fail(word.error());
      mask |= (*layout)->field_named(field)->mask();
      bits |= *word;
    }
    return {};
  };
  if (auto added = add(query.was, pattern.was_mask, pattern.was); !added) return fail(added.error());
  if (auto added = add(query.becomes, pattern.becomes_mask, pattern.becomes); !added)
    return fail(added.error());
  return pattern;
}

Result<Moment> Facts::moment(const std::string& name) {
  if (const auto found = moments_.find(name); found != moments_.end()) return found->second;
  const auto query = lesson_.moments.find(name);
  if (query == lesson_.moments.end()) return fail("there is no moment \"" + name + "\"");
  StepIndex from = 0;
  if (!query->second.after.empty()) {
    const auto earlier = moment(query->second.after);
    if (!earlier) return earlier;
    from = earlier->step + 1;
  }
  const auto opened = open(query->second.sample);
  if (!opened) return fail(opened.error());
  const auto wanted = pattern(query->second);
  if (!wanted) return fail(in("moment", name, wanted.error()));
  const auto& document = (*opened)->document;
  auto moment = find_moment(*document->recording, *wanted, from);
  if (!moment)
    return fail("moment \"" + name + "\": no step of " +
                lesson_.samples.at(query->second.sample).file.string() + " fits");
  moment->document = document;
  moment->sample = query->second.sample;
  return moments_.emplace(name, *moment).first->second;
}

Result<bool> Facts::matches(const std::string& name, StepIndex position) {
  const auto found = moment(name);
  if (!found) return fail(found.error());
  const auto wanted = pattern(lesson_.moments.at(name));
  if (!wanted) return fail(wanted.error());
  const Recording& recording = *found->document->recording;
  return position > 0 && position <= recording.steps() &&
         moment_at(recording, *wanted, position - 1).has_value();
}

Result<Value> Facts::name(const std::string& name) {
  if (const auto found = values_.find(name); found != values_.end()) return found->second;
  const auto expression = lesson_.values.find(name);
  if (expression == lesson_.values.end()) return fail("there is no value \"" + name + "\"");
  auto value = evaluate(expression->second);
  if (!value) return fail(in("value", name, value.error()));
  return values_.emplace(name, *value).first->second;
}

Result<Value> Facts::call(const Expression& call) {
  const Word* word = find_word(call.text);
  const RecordingWord* recording_word = word == nullptr ? find_recording_word(call.text) : nullptr;
  if (word == nullptr && recording_word == nullptr) return fail("there is no function \"" + call.text + "\"");
  const size_t count = call.arguments.size();
  if (count < (word ? word->least : recording_word->least) ||
      count > (word ? word->most : recording_word->most)) {
    return fail(call.text + "() does not take " + std::to_string(count) + " arguments");
  }
  std::vector<Value> arguments;
  for (size_t i = word == nullptr ? 1 : 0; i < count; ++i) {
    auto value = lessons::evaluate(call.arguments[i], *this);
    if (!value) return value;
    arguments.push_back(*std::move(value));
  }
  if (word != nullptr) return word->apply(arguments);
  const auto at = moment(call.arguments[0].text);
  if (!at) return fail(at.error());
  const auto opened = open(at->sample);
  if (!opened) return fail(opened.error());
  return recording_word->apply(*at, *(*opened)->cursor, arguments);
}

Result<Value> Facts::evaluate(std::string_view text) {
  const auto expression = parse_expression(text);
  return expression ? lessons::evaluate(*expression, *this) : fail(expression.error());
}

Result<uint64_t> Facts::number(std::string_view expression) {
  const auto value = evaluate(expression);
  return value ? as_number(*value) : fail(value.error());
}

Result<bool> Facts::truth(std::string_view expression) {
  const auto value = evaluate(expression);
  return value ? as_truth(*value) : fail(value.error());
}

Result<std::string> Facts::fill(std::string_view text) {
  const auto holes = placeholders(text);
  if (!holes) return fail(holes.error());
  std::string filled;
  size_t at = 0;
  for (const Placeholder& hole : *holes) {
    const auto value = evaluate(hole.expression);
    if (!value) return fail(value.error());
    filled += text.substr(at, hole.begin - at);
    filled += to_text(*value);
    at = hole.begin + hole.length;
  }
  return filled + std::string(text.substr(at));
}

Result<std::vector<std::string>> Facts::fill(const std::vector<std::string>& paragraphs) {
  std::vector<std::string> filled;
  for (const std::string& paragraph : paragraphs) {
    auto text = fill(paragraph);
    if (!text) return fail(text.error());
    filled.push_back(*std::move(text));
  }
  return filled;
}

Result<void> Facts::prepare_task(const Task& task) {
  for (const auto* list : {&task.text, &task.explanation}) {
    if (auto filled = fill(*list); !filled) return fail(filled.error());
  }
  for (const std::string* text : {&task.title, &task.prompt}) {
    if (auto filled = fill(*text); !filled) return fail(filled.error());
  }
  size_t right = 0;
  for (const Choice& choice : task.choices) {
    const auto when = truth(choice.when);
    if (!when) return fail(when.error());
    right += *when ? 1 : 0;
    for (const std::string* text : {&choice.text, &choice.reply}) {
      if (auto filled = fill(*text); !filled) return fail(filled.error());
    }
  }
  if (task.kind == TaskKind::choice && right != 1)
    return fail(std::to_string(right) + " of its choices are right; exactly one must be");
  for (const Misconception& wrong : task.misconceptions) {
    if (auto value = number(wrong.answer); !value) return fail(value.error());
    if (auto filled = fill(wrong.reply); !filled) return fail(filled.error());
  }
  if (task.kind == TaskKind::number || task.kind == TaskKind::word_bits) {
    for (const std::string* expression : {&task.answer, &task.word, &task.mask}) {
      if (expression->empty()) continue;
      if (auto value = number(*expression); !value) return fail(value.error());
    }
  }
  return {};
}

Result<void> Facts::prepare(const traces::Progress& progress) {
  progress_ = progress;
  Result<void> done;
  for (auto sample = lesson_.samples.begin(); done && sample != lesson_.samples.end(); ++sample) {
    if (const auto opened = open(sample->first); !opened)
      done = fail(in("sample", sample->first, opened.error()));
  }
  for (auto query = lesson_.moments.begin(); done && query != lesson_.moments.end(); ++query) {
    if (const auto found = moment(query->first); !found) done = fail(found.error());
  }
  for (const auto* list : {&lesson_.introduction, &lesson_.closing}) {
    if (!done) break;
    if (auto filled = fill(*list); !filled) done = fail(filled.error());
  }
  for (auto task = lesson_.tasks.begin(); done && task != lesson_.tasks.end(); ++task) {
    if (auto prepared = prepare_task(*task); !prepared) done = fail(in("task", task->id, prepared.error()));
  }
  progress_ = {};  // its callbacks may end with the caller
  return done;
}

}  // namespace hmmscope::lessons
