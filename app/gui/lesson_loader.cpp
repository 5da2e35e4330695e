#include "app/gui/lesson_loader.h"

#include <exception>
#include <utility>

#include "app/cli/paths.h"

namespace hmmscope::app {
namespace {

Result<std::shared_ptr<OpenLesson>> prepare(const std::string& id, const std::atomic<bool>& cancel) {
  try {
    auto lesson = lessons::find_lesson(lessons_directory(), id);
    if (!lesson) return fail(lesson.error());
    auto open = std::make_shared<OpenLesson>(*std::move(lesson));
    traces::Progress progress;
    progress.cancel = &cancel;
    if (auto ready = open->facts.prepare(progress); !ready) return fail(ready.error());
    return open;
  } catch (const std::exception& problem) {
    return fail(std::string("the lesson cannot be opened: ") + problem.what());
  }
}

}  // namespace

OpenLesson::OpenLesson(lessons::Lesson lesson_read)
    : lesson(std::move(lesson_read)), facts(lesson, data_directory()), runner(facts) {}

LessonLoader::LessonLoader(QObject* parent) : QObject(parent) {}
LessonLoader::~LessonLoader() { stop(); }

void LessonLoader::stop() {
  cancel_ = true;
  if (worker_.joinable()) worker_.join();
  cancel_ = false;
}

void LessonLoader::cancel() {
  ++generation_;
  cancel_ = true;
}

void LessonLoader::open(const QString& id) {
  stop();
  const uint64_t asked = ++generation_;
  worker_ = std::thread([this, asked, id] {
    auto result = std::make_shared<Result<std::shared_ptr<OpenLesson>>>(prepare(id.toStdString(), cancel_));
    QMetaObject::invokeMethod(
        this,
        [this, asked, result] {
          if (asked != generation_) return;
          if (result->has_value()) {
            Q_EMIT opened(**result);
          } else {
            Q_EMIT failed(result->error());
          }
        },
        Qt::QueuedConnection);
  });
}

}  // namespace hmmscope::app
