#pragma once
/// Gets a lesson ready off the UI thread: reads it, opens its samples, computes its facts.
///
/// Threads: all members on the thread it was made on; signals are emitted there. The destructor cancels and
/// waits.

#include <QObject>
#include <QString>
#include <atomic>
#include <memory>
#include <thread>

#include "app/gui/core.h"

#ifndef Q_MOC_RUN
#include "lessons/runner.h"
#endif

namespace hmmscope::app {

/// A lesson with everything that refers to it, in the order of their lives.
struct OpenLesson {
  explicit OpenLesson(lessons::Lesson lesson_read);
  lessons::Lesson lesson;
  lessons::Facts facts;
  lessons::Runner runner;
};

class LessonLoader : public QObject {
  Q_OBJECT
 public:
  explicit LessonLoader(QObject* parent = nullptr);
  ~LessonLoader() override;
  void open(const QString& id);
  void cancel();

 Q_SIGNALS:
  void opened(const std::shared_ptr<hmmscope::app::OpenLesson>& lesson);
  void failed(const hmmscope::Error& error);

 private:
  void stop();
  std::thread worker_;
  std::atomic<bool> cancel_{false};
  uint64_t generation_ = 0;  ///< results of an earlier request are dropped
};

}  // namespace hmmscope::app
