#include "app/gui/document_loader.h"

#include <exception>
#include <utility>

#include "app/gui/first_events.h"
#include "ui/panels/lane_index.h"

namespace hmmscope::app {

/// What the worker makes; read when it has ended.
struct DocumentLoader::Job {
  QString path, kernel;
  DocumentPtr document;
  Landmarks landmarks;
  LanesPtr lanes;
};

DocumentLoader::DocumentLoader(QObject* parent) : QObject(parent) {
  connect(&task_, &Task::progressed, this, &DocumentLoader::progressed);
}

void DocumentLoader::open(const QString& path, const QString& kernel) {
  const auto job = std::make_shared<Job>();
  job->path = path;
  job->kernel = kernel;
  current_ = job;
  task_.start(
      path, [this, job](const traces::Progress& progress) { return load(job, progress); },
      [this, job](const Result<void>& loaded) { finish(*job, loaded); });
  Q_EMIT started(path);
}

Result<void> DocumentLoader::load(const std::shared_ptr<Job>& job, const traces::Progress& progress) {
  traces::OpenOptions options;
  options.kernel = job->kernel.toStdString();
  options.progress = progress;
  show_first_events(job, progress);
  auto document = traces::open_document(job->path.toStdString(), options);
  if (!document) return tl::unexpected(document.error());
  if (progress.cancelled()) return {};
  job->document = std::move(*document);
  const Recording& recording = *job->document->recording;
  progress.at("places to stop", 0, 0);
  job->landmarks = find_landmarks(recording);
  job->lanes = ui::LaneIndex::build(recording, [&](uint64_t done) {
    progress.at("timeline", done, recording.steps());
    return !progress.cancelled();
  });
  return {};
}

void DocumentLoader::show_first_events(const std::shared_ptr<Job>& job, const traces::Progress& progress) {
  Preview preview;
  try {
    auto first = first_events(job->path.toStdString(), job->kernel.toStdString());
    if (!first || progress.cancelled()) return;
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
  task_.cancel();
  Q_EMIT cancelled(job->path);
}

void DocumentLoader::finish(const Job& job, const Result<void>& loaded) {
  current_ = nullptr;
  if (loaded) {
    Q_EMIT opened(job.document, job.landmarks, job.lanes, job.path, job.kernel);
  } else {
    Q_EMIT failed(loaded.error(), job.path);
  }
}

}  // namespace hmmscope::app
