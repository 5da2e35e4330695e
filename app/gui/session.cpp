#include "app/gui/session.h"

#include <algorithm>
#include <utility>

namespace hmmscope::app {
namespace {

constexpr size_t places_kept = 200;

/// What to say when a move leads nowhere.
const char* nowhere(Move move) {
  switch (move) {
    case Move::next_fault:
      return "No fault after this step";
    case Move::previous_fault:
      return "No fault before this step";
    case Move::next_change:
      return "The selection does not change after this step";
    case Move::previous_change:
      return "The selection did not change before this step";
    case Move::next_divergence:
      return "Engine and kernel agree from here to the end";
    case Move::previous_divergence:
      return "Engine and kernel agree from the start to here";
    case Move::run_to_break:
      return "No breakpoint is hit after this step";
    case Move::run_back_to_break:
      return "No breakpoint is hit before this step";
    case Move::next_call:
      return "No call starts after this step";
    case Move::previous_call:
      return "No call starts before this step";
    case Move::next_bookmark:
      return "No bookmark after this step";
    case Move::previous_bookmark:
      return "No bookmark before this step";
    case Move::start:
    case Move::back:
    case Move::back_over:
    case Move::back_out:
      return "This is the start of the recording";
    default:
      return "This is the end of the recording";
  }
}

}  // namespace

Session::Session(QObject* parent) : QObject(parent) {}
Session::~Session() = default;

void Session::open(DocumentPtr document, Landmarks landmarks, LanesPtr lanes) {
  document_ = std::move(document);
  landmarks_ = std::move(landmarks);
  lanes_ = std::move(lanes);
  cursor_.emplace(document_->recording, document_->keyframes);
  selection_ = {};
  breakpoints_.clear();
  bookmarks_.clear();
  shown_bookmarks_.clear();
  past_.clear();
  future_.clear();
  layout_id_.clear();
  geometry_id_.clear();
  compared_.reset();
  loading_.reset();
  editable_ = false;
  edits_.clear();
  Q_EMIT document_changed();
}

namespace {

/// The position in `now` after the step that led to `position` in `before`. Two runs of one source have the same
/// steps up to where they part; a trace that was read further may have more of them between its events.
StepIndex same_place(const Recording& before, StepIndex position, const Recording& now) {
  if (position == 0) return 0;
  const StepIndex step = std::min(position, before.steps()) - 1;
  const EventIndex event = before.event_of(step);
  if (step < now.steps() && now.event_of(step) == event && now.rule_of(step) == before.rule_of(step)) return step + 1;
  if (event == no_event) return std::min(position, now.steps());
  for (StepIndex at = 0; at < now.steps(); ++at) {
    if (now.event_of(at) != no_event && now.event_of(at) >= event) return at + 1;
  }
  return now.steps();
}

}  // namespace

void Session::update(DocumentPtr document, Landmarks landmarks, LanesPtr lanes) {
  if (!document_) return open(std::move(document), std::move(landmarks), std::move(lanes));
  const DocumentPtr before = std::exchange(document_, std::move(document));
  landmarks_ = std::move(landmarks);
  lanes_ = std::move(lanes);
  const Recording& now = *document_->recording;
  const StepIndex place = same_place(*before->recording, cursor_->position(), now);
  cursor_.emplace(document_->recording, document_->keyframes);
  cursor_->seek(place);
  if (selection_.word != no_word && selection_.word >= now.word_count()) selection_ = {};
  const auto past_the_end = [&](StepIndex position) { return position > now.steps(); };
  std::erase_if(past_, past_the_end);
  std::erase_if(future_, past_the_end);
  if (compared_ && past_the_end(*compared_)) compared_.reset();
  Q_EMIT document_changed();
  set_breakpoints(breakpoints_);
  set_bookmarks(bookmarks_);
}

void Session::compare_with(std::optional<StepIndex> position) {
  if (!cursor_ || (position && *position > steps())) position.reset();
  if (compared_ == position) return;
  compared_ = position;
  Q_EMIT compared_changed();
}

void Session::set_editable(bool editable) {
  if (editable_ == editable) return;
  editable_ = editable;
  Q_EMIT reading_changed();
}

void Session::set_loading(std::optional<ui::Loading> loading) {
  if (loading_ == loading) return;
  loading_ = std::move(loading);
  Q_EMIT loading_changed();
}

void Session::close() {
  cursor_.reset();
  document_.reset();
  landmarks_ = {};
  lanes_.reset();
  selection_ = {};
  breakpoints_.clear();
  bookmarks_.clear();
  shown_bookmarks_.clear();
  past_.clear();
  future_.clear();
  compared_.reset();
  loading_.reset();
  editable_ = false;
  edits_.clear();
  Q_EMIT document_changed();
}

ui::ViewContext Session::view() const {
  ui::ViewContext view;
  view.document = document_.get();
  view.cursor = cursor();
  view.selection = selection_;
  view.layout = layout();
  view.geometry = geometry();
  view.theme = theme_;
  view.breakpoints = breakpoints_;
  view.bookmarks = shown_bookmarks_;
  view.lanes = lanes_.get();
  view.compared = compared_;
  view.editable = editable_;
  view.loading = loading_ ? &*loading_ : nullptr;
  return view;
}

void Session::apply(std::span<const ui::Intent> intents) {
  for (const ui::Intent& intent : intents) apply(intent);
}

void Session::apply(const ui::Intent& intent) {
  using Kind = ui::Intent::Kind;
  const auto run = [&](Move move) {
    if (!document_) return;
    const auto change = move == Move::next_change
                            ? document_->history->next_change(intent.word, intent.mask, position())
                            : document_->history->previous_change(intent.word, intent.mask,
                                                                  position() == 0 ? 0 : position() - 1);
    if (change) {
      seek(change->step + 1);
    } else {
      Q_EMIT notice(QString::fromUtf8(nowhere(move)));
    }
  };
  switch (intent.kind) {
    case Kind::seek:
      seek(intent.position);
      break;
    case Kind::select_word:
      select(intent.word);
      break;
    case Kind::select_bit:
      select(intent.word, intent.bit);
      break;
    case Kind::run_back_to_change:
      run(Move::previous_change);
      break;
    case Kind::run_to_change:
      run(Move::next_change);
      break;
    case Kind::toggle_break:
      toggle_breakpoint(intent.word, intent.mask);
      break;
    case Kind::set_layout:
      choose_layout(QString::fromStdString(intent.text));
      break;
    case Kind::toggle_bits:
      if (editable_ && intent.word != no_word) {
        Q_EMIT toggle_asked(intent.word, intent.mask);
      } else if (!editable_) {
        Q_EMIT notice(tr("Bits can be changed in a branch: choose File, Branch from here"));
      }
      break;
    case Kind::compare:
      compare_with(compared_ == intent.position ? std::nullopt : std::optional(intent.position));
      break;
    case Kind::copy_text:
      Q_EMIT text_copied(QString::fromStdString(intent.text));
      break;
  }
}

void Session::move_to(StepIndex position) {
  if (!cursor_) return;
  position = std::min(position, steps());
  const StepIndex from = cursor_->position();
  if (position == from) return;
  if (position == from + 1) {
    cursor_->step();
  } else if (position + 1 == from) {
    cursor_->back();
  } else {
    cursor_->seek(position);
  }
  Q_EMIT position_changed();
}

void Session::seek(StepIndex position) {
  if (!cursor_) return;
  position = std::min(position, steps());
  const StepIndex from = cursor_->position();
  const StepIndex distance = position > from ? position - from : from - position;
  if (distance > 1) {
    if (past_.size() == places_kept) past_.erase(past_.begin());
    past_.push_back(from);
    future_.clear();
  }
  move_to(position);
}

void Session::return_to_past() {
  if (past_.empty()) return;
  future_.push_back(position());
  const StepIndex place = past_.back();
  past_.pop_back();
  move_to(place);
}

void Session::return_to_future() {
  if (future_.empty()) return;
  past_.push_back(position());
  const StepIndex place = future_.back();
  future_.pop_back();
  move_to(place);
}

std::optional<StepIndex> Session::next_break() const {
  std::optional<StepIndex> nearest;
  for (const Breakpoint& point : breakpoints_) {
    const auto change = document_->history->next_change(point.word, point.mask, position());
    if (change && (!nearest || change->step + 1 < *nearest)) nearest = change->step + 1;
  }
  return nearest;
}

std::optional<StepIndex> Session::previous_break() const {
  std::optional<StepIndex> nearest;
  if (position() == 0) return nearest;
  for (const Breakpoint& point : breakpoints_) {
    const auto change = document_->history->previous_change(point.word, point.mask, position() - 1);
    if (change && (!nearest || change->step + 1 > *nearest)) nearest = change->step + 1;
  }
  return nearest;
}

std::optional<StepIndex> Session::target(Move move) const {
  if (!cursor_) return std::nullopt;
  const Recording& recording = *document_->recording;
  const StepIndex here = position();
  const auto ahead = [&](StepIndex place) { return place > here ? std::optional(place) : std::nullopt; };
  const auto behind = [&](StepIndex place) { return place < here ? std::optional(place) : std::nullopt; };
  const auto changed = [](const std::optional<Change>& change) {
    return change ? std::optional<StepIndex>(change->step + 1) : std::nullopt;
  };
  const WordIndex word = focused_word();
  switch (move) {
    case Move::start:
      return behind(0);
    case Move::end:
      return ahead(steps());
    case Move::step:
      return ahead(std::min(here + 1, steps()));
    case Move::back:
      return here == 0 ? std::nullopt : std::optional(here - 1);
    case Move::step_over:
      return ahead(step_over(recording, here));
    case Move::back_over:
      return behind(back_over(recording, here));
    case Move::step_out:
      return ahead(step_out(recording, here));
    case Move::back_out:
      return behind(back_out(recording, here));
    case Move::next_call:
      return next_landmark(landmarks_.calls, here);
    case Move::previous_call:
      return previous_landmark(landmarks_.calls, here);
    case Move::next_fault:
      return next_landmark(landmarks_.faults, here);
    case Move::previous_fault:
      return previous_landmark(landmarks_.faults, here);
    case Move::next_divergence:
      return next_landmark(landmarks_.divergences, here);
    case Move::previous_divergence:
      return previous_landmark(landmarks_.divergences, here);
    case Move::next_change:
      if (word == no_word) return std::nullopt;
      return changed(document_->history->next_change(word, focused_mask(), here));
    case Move::previous_change:
      if (word == no_word || here == 0) return std::nullopt;
      return changed(document_->history->previous_change(word, focused_mask(), here - 1));
    case Move::run_to_break:
      return next_break();
    case Move::run_back_to_break:
      return previous_break();
    case Move::next_bookmark:
    case Move::previous_bookmark: {
      std::vector<StepIndex> places;
      for (const Bookmark& bookmark : bookmarks_) places.push_back(bookmark.position);
      return move == Move::next_bookmark ? next_landmark(places, here) : previous_landmark(places, here);
    }
  }
  return std::nullopt;
}

bool Session::go(Move move) {
  const auto place = target(move);
  if (!place) {
    if (cursor_) Q_EMIT notice(QString::fromUtf8(nowhere(move)));
    return false;
  }
  // A change belongs to a word: keep it in view where the run stops.
  if ((move == Move::next_change || move == Move::previous_change) && selection_.word == no_word) {
    select(focused_word());
  }
  seek(*place);
  return true;
}

void Session::select(WordIndex word, int bit) {
  if (recording() == nullptr) return;
  if (word != no_word && word >= recording()->word_count()) word = no_word;
  if (word == no_word) bit = -1;
  bit = std::clamp(bit, -1, 63);
  if (selection_.word == word && selection_.bit == bit) return;
  selection_ = {word, bit};
  Q_EMIT selection_changed();
}

WordIndex Session::focused_word() const { return cursor_ ? ui::focused_word(view()) : no_word; }

uint64_t Session::focused_mask() const {
  return selection_.bit >= 0 ? uint64_t{1} << static_cast<unsigned>(selection_.bit) : ~uint64_t{0};
}

const Layout* Session::layout() const {
  if (!layout_id_.isEmpty()) {
    if (const Layout* chosen = find_layout(layout_id_.toStdString())) return chosen;
  }
  if (document_ && document_->model.hmm_pfn != nullptr) return document_->model.hmm_pfn;
  return find_layout("hmm-6.16");
}

const Geometry* Session::geometry() const {
  if (!geometry_id_.isEmpty()) {
    if (const Geometry* chosen = find_geometry(geometry_id_.toStdString())) return chosen;
  }
  if (document_) {
    if (const Geometry* own = find_geometry(document_->recording->meta("geometry"))) return own;
  }
  return find_geometry("x86-64");
}

void Session::choose_layout(const QString& id) {
  if (id == layout_id_ || (!id.isEmpty() && find_layout(id.toStdString()) == nullptr)) return;
  layout_id_ = id;
  Q_EMIT reading_changed();
}

void Session::choose_geometry(const QString& id) {
  if (id == geometry_id_ || (!id.isEmpty() && find_geometry(id.toStdString()) == nullptr)) return;
  geometry_id_ = id;
  Q_EMIT reading_changed();
}

void Session::set_theme(ui::ThemeKind theme) {
  if (theme == theme_) return;
  theme_ = theme;
  Q_EMIT reading_changed();
}

}  // namespace hmmscope::app
