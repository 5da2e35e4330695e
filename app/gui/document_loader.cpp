#include "app/gui/document_loader.h"

#include <atomic>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "app/gui/first_events.h"
#include "ui/panels/lane_index.h"

namespace hmmscope::app {

struct DocumentLoader::Job {
  QString path, kernel;
  std::atomic<bool> cancel{false};
  std::atomic<uint64_t> done{0}, total{0};
  std::mutex mutex;
  std::string stage;  // under mutex
  // Written by the worker before it posts its end, read after.
  std::optional<Result<DocumentPtr>> result;
  Landmarks landmarks;
  LanesPtr lanes;
  std::thread worker;
};

namespace {

Result<DocumentPtr> open_guarded(const std::string& path, const traces::OpenOptions& options) {
  try {
    return traces::open_document(path, options);
  } catch (const std::bad_alloc&) {
    return fail("there is not enough memory to open this file");
  } catch (const std::exception& problem) {
    return fail(std::string("opening failed: ") + problem.what());
  }
}

}  // namespace

DocumentLoader::DocumentLoader(QObject* parent) : QObject(parent) {
  poll_timer_.setInterval(33);
  connect(&poll_timer_, &QTimer::timeout, this, &DocumentLoader::poll);
}

DocumentLoader::~DocumentLoader() {
  for (const auto& job : running_) job->cancel = true;
  for (const auto& job : running_) {
    if (job->worker.joinable()) job->worker.join();
  }
}

void DocumentLoader::open(const QString& path, const QString& kernel) {
  if (current_) current_->cancel = true;
  auto job = std::make_shared<Job>();
  job->path = path;
  job->kernel = kernel;
  current_ = job;
  running_.push_back(job);
  job->worker = std::thread([this, job] {
    traces::OpenOptions options;
    options.kernel = job->kernel.toStdString();
    options.progress.cancel = &job->cancel;
    options.progress.report = [&job](std::string_view stage, uint64_t done, uint64_t total) {
      job->done.store(done, std::memory_order_relaxed);
      job->total.store(total, std::memory_order_relaxed);
      const std::lock_guard lock(job->mutex);
      if (job->stage != stage) job->stage = stage;
    };
    show_first_events(job);
    job->result = open_guarded(job->path.toStdString(), options);
    if (job->result->has_value() && !options.progress.cancelled()) {
      const Recording& recording = *(**job->result)->recording;
      options.progress.at("places to stop", 0, 0);
      job->landmarks = find_landmarks(recording);
      job->lanes = ui::LaneIndex::build(recording, [&](uint64_t done) {
        options.progress.at("timeline", done, recording.steps());
        return !options.progress.cancelled();
      });
    }
    // The loader outlives its workers: its destructor joins them before the event is dropped.
    QMetaObject::invokeMethod(
        this, [this, job] { finish(job); }, Qt::QueuedConnection);
  });
  poll_timer_.start();
  Q_EMIT started(path);
}

void DocumentLoader::show_first_events(const std::shared_ptr<Job>& job) {
  Preview preview;
  try {
    auto first = first_events(job->path.toStdString(), job->kernel.toStdString());
    if (!first || job->cancel) return;
    preview.document = std::move(first->document);
    preview.shown = first->shown;
    preview.total = first->total;
    preview.landmarks = find_landmarks(*preview.document->recording);
    preview.lanes = ui::LaneIndex::build(*preview.document->recording, {});
  } catch (const std::exception&) {
    return;  // opening the file says what is wrong with it
  }
  QMetaObject::invokeMethod(
      this,
      [this, job, preview = std::move(preview)] {
        if (job == current_) Q_EMIT previewed(preview, job->path, job->kernel);
      },
      Qt::QueuedConnection);
}

void DocumentLoader::cancel() {
  if (!current_) return;
  const auto job = std::exchange(current_, nullptr);
  job->cancel = true;
  poll_timer_.stop();
  Q_EMIT cancelled(job->path);
}

void DocumentLoader::poll() {
  if (!current_) return;
  std::string stage;
  {
    const std::lock_guard lock(current_->mutex);
    stage = current_->stage;
  }
  Q_EMIT progressed(QString::fromStdString(stage), current_->done.load(std::memory_order_relaxed),
                    current_->total.load(std::memory_order_relaxed));
}

void DocumentLoader::finish(const std::shared_ptr<Job>& job) {
  job->worker.join();
  std::erase(running_, job);
  if (job != current_) return;  // cancelled or replaced meanwhile
  current_ = nullptr;
  poll_timer_.stop();
  if (job->result->has_value()) {
    Q_EMIT opened(**job->result, job->landmarks, job->lanes, job->path, job->kernel);
  } else {
    Q_EMIT failed(job->result->error(), job->path);
  }
}

}  // namespace hmmscope::app
