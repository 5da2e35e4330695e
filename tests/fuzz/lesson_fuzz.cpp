// Lesson files: JSON, schema, references, and every expression and text of a lesson that loads. Samples are
// not opened: the data directory does not exist, so that only the lesson's own text is under test.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "lessons/facts.h"
#include "lessons/lesson.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hmmscope::lessons;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto lesson = parse_lesson(text, "input.json");
  if (!lesson) return 0;
  Facts facts(*lesson, "no-such-directory");
  (void)facts.prepare();
  for (const Task& task : lesson->tasks) {
    (void)facts.fill(task.text);
    (void)facts.evaluate(task.answer);
  }
  return 0;
}
