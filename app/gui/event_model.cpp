#include "app/gui/event_model.h"

#include <algorithm>
#include <utility>

#include "app/gui/text_format.h"

namespace hmmscope::app {
namespace {

constexpr StepIndex slice_steps = 400000;

}  // namespace

EventModel::EventModel(QObject* parent) : QAbstractTableModel(parent) {
  slices_.setInterval(0);
  connect(&slices_, &QTimer::timeout, this, &EventModel::filter_slice);
}

void EventModel::set_recording(std::shared_ptr<const Recording> recording) {
  beginResetModel();
  slices_.stop();
  recording_ = std::move(recording);
  terms_.clear();
  shown_.clear();
  scanned_ = 0;
  endResetModel();
}

void EventModel::set_filter(const QString& text) {
  beginResetModel();
  slices_.stop();
  terms_.clear();
  shown_.clear();
  scanned_ = 0;
  if (recording_) {
    for (const QString& word : text.split(QLatin1Char(' '), Qt::SkipEmptyParts))
      terms_.push_back(compile(word));
  }
  endResetModel();
  if (!terms_.empty()) {
    filter_slice();
    if (scanned_ < recording_->steps()) slices_.start();
  }
  Q_EMIT filter_progressed();
}

EventModel::Term EventModel::compile(const QString& word) const {
  const auto contains = [&](std::string_view text) {
    return text_of(text).contains(word, Qt::CaseInsensitive);
  };
  Term term;
  for (const Rule& row : rules()) term.rules.push_back(contains(row.id) || contains(row.statement));
  for (size_t i = 0; i < static_cast<size_t>(Function::count_); ++i) {
    term.functions.push_back(contains(function_name(static_cast<Function>(i))));
  }
  for (const hmmscope::Task& each : recording_->tasks()) {
    term.tasks.push_back(contains(each.name) || QString::number(each.pid) == word);
  }
  for (const std::string& kind : recording_->event_kinds()) term.kinds.push_back(contains(kind));
  term.operand = parse_hex(word);
  return term;
}

bool EventModel::matches(const Term& term, StepIndex step) const {
  const auto in = [](const std::vector<bool>& set, size_t index) { return index < set.size() && set[index]; };
  if (in(term.rules, static_cast<size_t>(recording_->rule_of(step)))) return true;
  if (const CallId call = recording_->call_of(step); call != no_call) {
    const Call& made = recording_->calls()[call];
    if (in(term.functions, static_cast<size_t>(made.function)) || in(term.tasks, made.task)) return true;
  }
  if (const EventIndex event = recording_->event_of(step); event != no_event) {
    const Event& row = recording_->events()[event];
    if (in(term.kinds, row.kind) || in(term.tasks, row.task)) return true;
  }
  if (!term.operand) return false;
  const auto values = recording_->operands(step);
  return std::find(values.begin(), values.end(), *term.operand) != values.end();
}

void EventModel::filter_slice() {
  const StepIndex end = std::min(recording_->steps(), scanned_ + slice_steps);
  std::vector<StepIndex> found;
  for (StepIndex step = scanned_; step < end; ++step) {
    if (std::all_of(terms_.begin(), terms_.end(), [&](const Term& term) { return matches(term, step); })) {
      found.push_back(step);
    }
  }
  scanned_ = end;
  if (!found.empty()) {
    const int first = static_cast<int>(shown_.size());
    beginInsertRows({}, first, first + static_cast<int>(found.size()) - 1);
    shown_.insert(shown_.end(), found.begin(), found.end());
    endInsertRows();
  }
  if (scanned_ >= recording_->steps()) slices_.stop();
  Q_EMIT filter_progressed();
}

int EventModel::rowCount(const QModelIndex& parent) const {
  if (parent.isValid() || !recording_) return 0;
  return static_cast<int>(terms_.empty() ? recording_->steps() : shown_.size());
}

int EventModel::columnCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : column_count; }

StepIndex EventModel::step_at(int row) const {
  return terms_.empty() ? static_cast<StepIndex>(row) : shown_[static_cast<size_t>(row)];
}

int EventModel::row_of(StepIndex step) const {
  if (!recording_ || recording_->steps() == 0) return -1;
  if (terms_.empty()) return static_cast<int>(std::min(step, recording_->steps() - 1));
  const auto it = std::upper_bound(shown_.begin(), shown_.end(), step);
  return static_cast<int>(it - shown_.begin()) - 1;
}

QString EventModel::text(StepIndex step, int column) const {
  const EventIndex event = recording_->event_of(step);
  const CallId call = recording_->call_of(step);
  const Rule& row = rule(recording_->rule_of(step));
  switch (column) {
    case number:
      return grouped(uint64_t{step} + 1);
    case time:
      return event == no_event ? QString() : seconds(recording_->events()[event].time_ns);
    case cpu:
      return event == no_event ? QString() : QString::number(recording_->events()[event].cpu);
    case task: {
      if (recording_->tasks().empty() || call == no_call) return {};
      const uint32_t index =
          event != no_event ? recording_->events()[event].task : recording_->calls()[call].task;
      if (index >= recording_->tasks().size()) return {};
      const hmmscope::Task& who = recording_->tasks()[index];
      return QStringLiteral("%1-%2").arg(QString::fromStdString(who.name)).arg(who.pid);
    }
    case function:
      return call == no_call ? QString() : text_of(function_name(recording_->calls()[call].function));
    case rule_id:
      return text_of(row.id);
    case operands: {
      QStringList parts;
      const auto values = recording_->operands(step);
      for (uint32_t i = 0; i < values.size(); ++i) {
        parts << QStringLiteral("%1=0x%2").arg(text_of(row.operand_name(i))).arg(values[i], 0, 16);
      }
      return parts.join(QLatin1Char(' '));
    }
    default:
      return {};
  }
}

void EventModel::set_marks(const std::vector<Bookmark>& bookmarks,
                           const std::vector<Breakpoint>& breakpoints) {
  bookmarks_ = bookmarks;
  breakpoints_ = breakpoints;
  if (rowCount() > 0) Q_EMIT dataChanged(index(0, number), index(rowCount() - 1, number));
}

void EventModel::set_icons(const QIcon& bookmark, const QIcon& stop) {
  bookmark_icon_ = bookmark;
  stop_icon_ = stop;
  if (rowCount() > 0) Q_EMIT dataChanged(index(0, number), index(rowCount() - 1, number));
}

const Bookmark* EventModel::bookmark_at(StepIndex step) const {
  // A bookmark is a position: that after the step.
  const auto it = std::lower_bound(bookmarks_.begin(), bookmarks_.end(), step + 1,
                                   [](const Bookmark& mark, StepIndex p) { return mark.position < p; });
  return it != bookmarks_.end() && it->position == step + 1 ? &*it : nullptr;
}

bool EventModel::stops_at(StepIndex step) const {
  for (uint32_t i = 0; !breakpoints_.empty() && i < recording_->write_count(step); ++i) {
    const WriteView write = recording_->write(step, i);
    for (const Breakpoint& point : breakpoints_) {
      if (!write.covers(point.word)) continue;
      const uint32_t k = point.word - write.first;
      if (((write.old_at(k) ^ write.new_at(k)) & point.mask) != 0) return true;
    }
  }
  return false;
}

QString EventModel::marks_text(StepIndex step) const {
  QStringList lines;
  if (const Bookmark* mark = bookmark_at(step)) {
    lines << (mark->note.isEmpty() ? tr("Bookmark") : tr("Bookmark: %1").arg(mark->note));
  }
  if (stops_at(step)) lines << tr("A run stops here: a watched bit changes");
  return lines.join(QLatin1Char('\n'));
}

QVariant EventModel::data(const QModelIndex& index, int role) const {
  if (!index.isValid() || !recording_) return {};
  const StepIndex step = step_at(index.row());
  switch (role) {
    case Qt::DisplayRole:
      return text(step, index.column());
    case Qt::DecorationRole:
      if (index.column() != number) return {};
      if (bookmark_at(step) != nullptr) return bookmark_icon_;
      return stops_at(step) ? QVariant(stop_icon_) : QVariant();
    case Qt::AccessibleTextRole: {
      const QString marks = index.column() == number ? marks_text(step) : QString();
      return marks.isEmpty() ? text(step, index.column())
                             : text(step, index.column()) + QStringLiteral(", ") + marks;
    }
    case Qt::ToolTipRole: {
      const QString marks = marks_text(step), what = text_of(rule(recording_->rule_of(step)).statement);
      return marks.isEmpty() ? what : marks + QLatin1Char('\n') + what;
    }
    case Qt::TextAlignmentRole:
      return static_cast<int>(Qt::AlignVCenter | (index.column() <= cpu ? Qt::AlignRight : Qt::AlignLeft));
    default:
      return {};
  }
}

QVariant EventModel::headerData(int section, Qt::Orientation orientation, int role) const {
  if (orientation != Qt::Horizontal) return {};
  if (role == Qt::TextAlignmentRole) {
    return static_cast<int>(Qt::AlignVCenter | (section <= cpu ? Qt::AlignRight : Qt::AlignLeft));
  }
  if (role != Qt::DisplayRole) return {};
  static constexpr const char* names[] = {"Step", "Time", "CPU", "Task", "Function", "Rule", "Operands"};
  return QString::fromLatin1(names[section]);
}

}  // namespace hmmscope::app
