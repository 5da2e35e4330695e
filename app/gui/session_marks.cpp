// What is marked in a session, and what of it survives the program.
#include <algorithm>

#include "app/gui/session.h"
#include "ui/words.h"

namespace hmmscope::app {

void Session::toggle_breakpoint(WordIndex word, uint64_t mask) {
  if (recording() == nullptr || word >= recording()->word_count() || mask == 0) return;
  const Breakpoint point{word, mask};
  const auto it = std::find(breakpoints_.begin(), breakpoints_.end(), point);
  const QString name = QString::fromStdString(ui::breakpoint_text(*recording(), point));
  if (it != breakpoints_.end()) {
    breakpoints_.erase(it);
    Q_EMIT notice(QStringLiteral("Breakpoint on %1 removed").arg(name));
  } else {
    breakpoints_.push_back(point);
    Q_EMIT notice(QStringLiteral("Runs now stop where %1 changes").arg(name));
  }
  Q_EMIT breakpoints_changed();
}

void Session::clear_breakpoints() {
  if (breakpoints_.empty()) return;
  breakpoints_.clear();
  Q_EMIT breakpoints_changed();
}

void Session::toggle_bookmark(StepIndex position) {
  if (!cursor_ || position > steps()) return;
  const auto it = std::lower_bound(bookmarks_.begin(), bookmarks_.end(), position,
                                   [](const Bookmark& mark, StepIndex p) { return mark.position < p; });
  if (it != bookmarks_.end() && it->position == position) {
    bookmarks_.erase(it);
  } else {
    bookmarks_.insert(it, Bookmark{position, {}});
  }
  bookmarks_were_changed();
}

void Session::note_bookmark(StepIndex position, const QString& note) {
  for (Bookmark& mark : bookmarks_) {
    if (mark.position != position || mark.note == note) continue;
    mark.note = note;
    bookmarks_were_changed();
  }
}

void Session::bookmarks_were_changed() {
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
  return state;
}

void Session::restore(const SessionState& state) {
  if (!cursor_) return;
  const WordIndex words = recording()->word_count();
  breakpoints_.clear();
  for (const Breakpoint& point : state.breakpoints) {
    if (point.word < words && point.mask != 0) breakpoints_.push_back(point);
  }
  bookmarks_.clear();
  for (const Bookmark& mark : state.bookmarks) {
    if (mark.position <= steps()) bookmarks_.push_back(mark);
  }
  std::sort(bookmarks_.begin(), bookmarks_.end(),
            [](const Bookmark& a, const Bookmark& b) { return a.position < b.position; });
  choose_layout(state.layout);
  choose_geometry(state.geometry);
  select(state.word, state.bit);
  move_to(state.position);
  Q_EMIT breakpoints_changed();
  bookmarks_were_changed();
}

}  // namespace hmmscope::app
