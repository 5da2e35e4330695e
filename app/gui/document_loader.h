#pragma once
/// Opens documents off the UI thread, with real progress and cancellation. One load at a time: a new one
/// cancels the one under way.
///
/// Threads: all members on the thread it was made on; signals are emitted there. The destructor cancels and
/// waits.

#include <QObject>
#include <QString>
#include <memory>

#include "app/gui/core.h"
#include "app/gui/session.h"
#include "app/gui/task.h"

namespace hmmscope::app {

/// The beginning of a file, made while the rest is being read.
struct Preview {
  DocumentPtr document;
  Landmarks landmarks;
  LanesPtr lanes;
  uint64_t shown = 0, total = 0;  ///< bytes of the file that it was made of, and that there are
};

class DocumentLoader : public QObject {
  Q_OBJECT
 public:
  explicit DocumentLoader(QObject* parent = nullptr);

  /// `kernel`: model id that overrides what the file says; empty = as the file says.
  void open(const QString& path, const QString& kernel);
  void cancel();
  bool busy() const { return current_ != nullptr; }

 Q_SIGNALS:
  void started(const QString& path);
  /// At most 30 times a second. total 0: not known.
  void progressed(const QString& stage, quint64 done, quint64 total);
  /// Before opened() or failed(), for files that take long: what their beginning holds.
  void previewed(const hmmscope::app::Preview& preview, const QString& path, const QString& kernel);
  /// landmarks and lanes belong to the document's recording.
  void opened(const hmmscope::app::DocumentPtr& document, const hmmscope::app::Landmarks& landmarks,
              const hmmscope::app::LanesPtr& lanes, const QString& path, const QString& kernel);
  void failed(const hmmscope::Error& error, const QString& path);
  void cancelled(const QString& path);

 private:
  struct Job;
  Result<void> load(const std::shared_ptr<Job>& job, const traces::Progress& progress);   ///< on the worker
  void show_first_events(const std::shared_ptr<Job>& job, const traces::Progress& progress);   ///< on the worker
  void finish(const Job& job, const Result<void>& loaded);

  std::shared_ptr<Job> current_;
  Task task_;   ///< goes first, with its workers, which use the rest
};

}  // namespace hmmscope::app
