#pragma once
/// Opens documents off the UI thread, with real progress and cancellation. One load at a time: a new one
/// cancels the one under way.
///
/// Threads: all members on the thread it was made on; signals are emitted there. The destructor cancels and
/// waits.

#include <QObject>
#include <QString>
#include <QTimer>
#include <memory>
#include <vector>

#include "app/gui/core.h"
#include "app/gui/session.h"

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
  ~DocumentLoader() override;

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
  void show_first_events(const std::shared_ptr<Job>& job);  ///< on the worker
  void poll();
  void finish(const std::shared_ptr<Job>& job);

  std::shared_ptr<Job> current_;
  std::vector<std::shared_ptr<Job>> running_;  ///< the current one and cancelled ones that have not ended yet
  QTimer poll_timer_;
};

}  // namespace hmmscope::app
