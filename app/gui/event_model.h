#pragma once
/// The steps of a recording as a table: number, time, CPU and task of the trace event, function, rule,
/// operands. Virtual: cells are made when they are looked at. A filter keeps the rows whose facts hold every
/// word of it; it is evaluated in slices, so that 10 million steps do not stop the window.

#include <QAbstractTableModel>
#include <QIcon>
#include <QTimer>
#include <memory>
#include <optional>
#include <vector>

#include "app/gui/session.h"

namespace hmmscope::app {

class EventModel : public QAbstractTableModel {
  Q_OBJECT
 public:
  enum Column : int { number, time, cpu, task, function, rule_id, operands, column_count };

  explicit EventModel(QObject* parent = nullptr);

  void set_recording(std::shared_ptr<const Recording> recording);
  const std::shared_ptr<const Recording>& recording() const { return recording_; }
  /// Steps with a bookmark behind them and steps at which a run stops are marked in the first column.
  void set_marks(const std::vector<Bookmark>& bookmarks, const std::vector<Breakpoint>& breakpoints);
  void set_icons(const QIcon& bookmark, const QIcon& stop);
  /// Words separated by blanks; each must occur in the rule's id or statement, the function, the task, the
  /// event kind, or, written as 0x..., be an operand. Empty = every step.
  void set_filter(const QString& text);
  bool filtering() const { return slices_.isActive(); }

  StepIndex step_at(int row) const;
  /// The row of `step`, else of the last shown step before it; -1 when there is none.
  int row_of(StepIndex step) const;

  int rowCount(const QModelIndex& parent = {}) const override;
  int columnCount(const QModelIndex& parent = {}) const override;
  QVariant data(const QModelIndex& index, int role) const override;
  QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

 Q_SIGNALS:
  void filter_progressed();

 private:
  /// One word of the filter, evaluated once for everything that is shared by many steps.
  struct Term {
    std::vector<bool> rules, functions, tasks, kinds;
    std::optional<uint64_t> operand;
  };
  Term compile(const QString& word) const;
  bool matches(const Term& term, StepIndex step) const;
  void filter_slice();
  QString text(StepIndex step, int column) const;
  const Bookmark* bookmark_at(StepIndex step) const;
  bool stops_at(StepIndex step) const;
  QString marks_text(StepIndex step) const;

  std::shared_ptr<const Recording> recording_;
  std::vector<Term> terms_;
  std::vector<StepIndex> shown_;  ///< with a filter only
  StepIndex scanned_ = 0;
  QTimer slices_;
  std::vector<Bookmark> bookmarks_;
  std::vector<Breakpoint> breakpoints_;
  QIcon bookmark_icon_, stop_icon_;
};

}  // namespace hmmscope::app
