#include "app/gui/task.h"

#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

namespace hmmscope::app {

struct Task::Job {
  Work work;
  Done done;
  std::atomic<bool> cancel{false};
  std::atomic<uint64_t> at{0}, total{0};
  std::mutex mutex;
  std::string stage;  // under mutex
  Result<void> result;  // written by the worker before it posts its end, read after
  std::thread worker;
};

Task::Task(QObject* parent) : QObject(parent) {
  poll_timer_.setInterval(33);
  connect(&poll_timer_, &QTimer::timeout, this, &Task::poll);
}

Task::~Task() {
  for (const auto& job : running_) job->cancel = true;
  for (const auto& job : running_) {
    if (job->worker.joinable()) job->worker.join();
  }
}

void Task::start(const QString& what, Work work, Done done) {
  cancel();
  auto job = std::make_shared<Job>();
  job->work = std::move(work);
  job->done = std::move(done);
  current_ = job;
  running_.push_back(job);
  job->worker = std::thread([this, job] {
    traces::Progress progress;
    progress.cancel = &job->cancel;
    progress.report = [&job](std::string_view stage, uint64_t at, uint64_t total) {
      job->at.store(at, std::memory_order_relaxed);
      job->total.store(total, std::memory_order_relaxed);
      const std::lock_guard lock(job->mutex);
      if (job->stage != stage) job->stage = stage;
    };
    try {
      job->result = job->work(progress);
    } catch (const std::bad_alloc&) {
      job->result = fail("there is not enough memory for this");
    } catch (const std::exception& problem) {
      job->result = fail(std::string(problem.what()));
    }
    // The task outlives its worker: the destructor joins it before the event is dropped.
    QMetaObject::invokeMethod(
        this, [this, job] { finish(job); }, Qt::QueuedConnection);
  });
  poll_timer_.start();
  Q_EMIT started(what);
}

void Task::cancel() {
  if (!current_) return;
  std::exchange(current_, nullptr)->cancel = true;
  poll_timer_.stop();
  Q_EMIT ended();
}

void Task::poll() {
  if (!current_) return;
  std::string stage;
  {
    const std::lock_guard lock(current_->mutex);
    stage = current_->stage;
  }
  Q_EMIT progressed(QString::fromStdString(stage), current_->at.load(std::memory_order_relaxed),
                    current_->total.load(std::memory_order_relaxed));
}

void Task::finish(const std::shared_ptr<Job>& job) {
  job->worker.join();
  std::erase(running_, job);
  if (job != current_) return;  // cancelled or replaced meanwhile
  current_ = nullptr;
  poll_timer_.stop();
  Q_EMIT ended();
  job->done(job->result);
}

}  // namespace hmmscope::app
