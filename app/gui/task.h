#pragma once
/// One piece of work off the UI thread with progress and cancellation: saving, exporting, trying kernels. One
/// at a time; a new one cancels the one under way.
///
/// Threads: all members on the thread it was made on; signals are emitted there, `work` runs on its own.
/// The destructor cancels and waits.

#include <QObject>
#include <QString>
#include <QTimer>
#include <functional>
#include <memory>
#include <vector>

#include "app/gui/core.h"

namespace hmmscope::app {

class Task : public QObject {
  Q_OBJECT
 public:
  using Work = std::function<Result<void>(const traces::Progress&)>;
  using Done = std::function<void(const Result<void>&)>;

  explicit Task(QObject* parent = nullptr);
  ~Task() override;

  /// `what` is for the progress line: "Saving run.hmmrec". `done` is called when the work ended and was not
  /// cancelled.
  void start(const QString& what, Work work, Done done);
  void cancel();
  bool busy() const { return current_ != nullptr; }

 Q_SIGNALS:
  void started(const QString& what);
  void progressed(const QString& stage, quint64 done, quint64 total);  ///< at most 30 times a second
  void ended();                                                        ///< also when it was cancelled

 private:
  struct Job;
  void poll();
  void finish(const std::shared_ptr<Job>& job);

  std::shared_ptr<Job> current_;
  std::vector<std::shared_ptr<Job>> running_;  ///< the current one and cancelled ones that have not ended yet
  QTimer poll_timer_;
};

}  // namespace hmmscope::app
