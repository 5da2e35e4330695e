// What is marked in a session, and what of it survives the program.
#include <QUndoCommand>
#include <algorithm>
#include <functional>
#include <utility>

#include "app/gui/session.h"
#include "app/gui/text_format.h"
#include "ui/words.h"

namespace hmmscope::app {

namespace {

/// Takes a session from one state of its marks to another, and back.
class MarksEdit : public QUndoCommand {
 public:
  MarksEdit(const QString& what, std::function<void()> forward, std::function<void()> back)
      : QUndoCommand(what), forward_(std::move(forward)), back_(std::move(back)) {}
  void redo() override { forward_(); }
  void undo() override { back_(); }

 private:
  std::function<void()> forward_, back_;
};

}  // namespace

void Session::edit_breakpoints(const QString& what, std::vector<Breakpoint> points) {
  edits_.push(new MarksEdit(
      what, [this, points = std::move(points)] { set_breakpoints(points); },
      [this, before = breakpoints_] { set_breakpoints(before); }));
}

void Session::edit_bookmarks(const QString& what, std::vector<Bookmark> bookmarks) {
  edits_.push(new MarksEdit(
      what, [this, bookmarks = std::move(bookmarks)] { set_bookmarks(bookmarks); },
      [this, before = bookmarks_] { set_bookmarks(before); }));
}

void Session::toggle_breakpoint(WordIndex word, uint64_t mask) {
  if (recording() == nullptr || word >= recording()->word_count() || mask == 0) return;
  const Breakpoint point{word, mask};
  auto points = breakpoints_;
  const auto it = std::find(points.begin(), points.end(), point);
  const QString name = QString::fromStdString(ui::breakpoint_text(*recording(), point));
  if (it != points.end()) {
    points.erase(it);
    edit_breakpoints(tr("removal of the breakpoint on %1").arg(name), std::move(points));
    Q_EMIT notice(QStringLiteral("Breakpoint on %1 removed").arg(name));
  } else {
    points.push_back(point);
    edit_breakpoints(tr("breakpoint on %1").arg(name), std::move(points));
    Q_EMIT notice(QStringLiteral("Runs now stop where %1 changes").arg(name));
  }
}

void Session::clear_breakpoints() {
  if (!breakpoints_.empty()) edit_breakpoints(tr("removal of all breakpoints"), {});
}

void Session::set_breakpoints(std::vector<Breakpoint> points) {
  // What is undone or comes from disk may be of a longer run of the document.
  const WordIndex words = recording() == nullptr ? 0 : recording()->word_count();
  std::erase_if(points, [&](const Breakpoint& point) { return point.word >= words || point.mask == 0; });
  breakpoints_ = std::move(points);
  Q_EMIT breakpoints_changed();
}

void Session::toggle_bookmark(StepIndex position) {
  if (!cursor_ || position > steps()) return;
  auto marks = bookmarks_;
  const auto it = std::lower_bound(marks.begin(), marks.end(), position,
                                   [](const Bookmark& mark, StepIndex p) { return mark.position < p; });
  if (it != marks.end() && it->position == position) {
    marks.erase(it);
    edit_bookmarks(tr("removal of the bookmark at step %1").arg(grouped(position)), std::move(marks));
  } else {
    marks.insert(it, Bookmark{position, {}});
    edit_bookmarks(tr("bookmark at step %1").arg(grouped(position)), std::move(marks));
  }
}

void Session::note_bookmark(StepIndex position, const QString& note) {
  auto marks = bookmarks_;
  const auto it =
      std::find_if(marks.begin(), marks.end(), [&](const Bookmark& mark) { return mark.position == position; });
  if (it == marks.end() || it->note == note) return;
  it->note = note;
  edit_bookmarks(tr("note at step %1").arg(grouped(position)), std::move(marks));
}

void Session::set_bookmarks(std::vector<Bookmark> bookmarks) {
  std::erase_if(bookmarks, [&](const Bookmark& mark) { return mark.position > steps(); });
  bookmarks_ = std::move(bookmarks);
  shown_bookmarks_.clear();
  for (const Bookmark& mark : bookmarks_) shown_bookmarks_.push_back({mark.position, mark.note.toStdString()});
  Q_EMIT bookmarks_changed();
}

SessionState Session::state() const {
  SessionState state;
  state.position = position();
  state.word = selection_.word;
  state.bit = selection_.bit;
  state.layout = layout_id_;
  state.geometry = geometry_id_;
  state.breakpoints = breakpoints_;
  state.bookmarks = bookmarks_;
  state.compared = compared_;
  return state;
}

void Session::restore(const SessionState& state) {
  if (!cursor_) return;
  auto marks = state.bookmarks;
  std::sort(marks.begin(), marks.end(),
            [](const Bookmark& a, const Bookmark& b) { return a.position < b.position; });
  choose_layout(state.layout);
  choose_geometry(state.geometry);
  select(state.word, state.bit);
  move_to(state.position);
  set_breakpoints(state.breakpoints);
  set_bookmarks(std::move(marks));
  compare_with(state.compared);
}

}  // namespace hmmscope::app
