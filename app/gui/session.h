#pragma once
/// What the window shows: the open document, the cursor in it, the selection, how words are read, breakpoints
/// and bookmarks. Panels and actions ask the session to change; every view listens to its signals. No
/// widgets, so that tests drive it directly.
///
/// Threads: the thread it was made on. Ownership: shares the document, owns the cursor.

#include <QObject>
#include <QString>
#include <QUndoStack>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "app/gui/core.h"
#include "app/gui/navigation.h"

namespace hmmscope::app {

using DocumentPtr = std::shared_ptr<const traces::Document>;
using LanesPtr = std::shared_ptr<const ui::LaneIndex>;

using ui::Breakpoint;

struct Bookmark {
  StepIndex position = 0;
  QString note;
  bool operator==(const Bookmark&) const = default;
};

/// Everything about a session that survives the program, beside the document itself.
struct SessionState {
  StepIndex position = 0;
  WordIndex word = no_word;
  int bit = -1;
  QString layout;    ///< id; empty = the document's own
  QString geometry;  ///< id; empty = the document's own
  std::vector<Breakpoint> breakpoints;
  std::vector<Bookmark> bookmarks;
  std::optional<StepIndex> compared;  ///< the other moment of a comparison
};

/// A run command. Each leads to one position.
enum class Move : uint8_t {
  start,
  end,
  step,
  back,
  step_over,
  back_over,
  step_out,
  back_out,
  next_call,
  previous_call,
  next_fault,
  previous_fault,
  next_change,
  previous_change,
  next_divergence,
  previous_divergence,
  run_to_break,
  run_back_to_break,
  next_bookmark,
  previous_bookmark,
};

class Session : public QObject {
  Q_OBJECT
 public:
  explicit Session(QObject* parent = nullptr);
  ~Session() override;

  /// Shows `document` from its start. Landmarks and lanes are those of its recording; without lanes the timeline
  /// makes them when it is drawn.
  void open(DocumentPtr document, Landmarks landmarks, LanesPtr lanes = nullptr);
  /// The same document, read further or run again: place, selection, marks and what can be undone stay, as far
  /// as they fit. The place is that of the step it was at, wherever the document has it now.
  void update(DocumentPtr document, Landmarks landmarks, LanesPtr lanes = nullptr);
  void close();
  const traces::Document* document() const { return document_.get(); }
  DocumentPtr shared_document() const { return document_; }
  /// nullptr when nothing is open.
  const Recording* recording() const { return document_ ? document_->recording.get() : nullptr; }
  const Cursor* cursor() const { return cursor_ ? &*cursor_ : nullptr; }
  const Landmarks& landmarks() const { return landmarks_; }
  const LanesPtr& lanes() const { return lanes_; }  ///< nullptr: the timeline makes its own

  /// Pointers stay valid until the next change of the session.
  ui::ViewContext view() const;
  void apply(const ui::Intent& intent);
  void apply(std::span<const ui::Intent> intents);

  StepIndex position() const { return cursor_ ? cursor_->position() : 0; }
  StepIndex steps() const { return document_ ? document_->recording->steps() : 0; }
  void seek(
      StepIndex position);  ///< clamped; remembered for go_to_previous_place when it is more than one step
  /// Where `move` leads from here; nothing when there is no such place.
  std::optional<StepIndex> target(Move move) const;
  /// Goes there. When there is nowhere to go, says so with notice() and stays.
  bool go(Move move);
  /// Back and forth between the places that were jumped from, as in a browser.
  bool can_return() const { return !past_.empty(); }
  bool can_redo_return() const { return !future_.empty(); }
  void return_to_past();
  void return_to_future();

  const ui::Selection& selection() const { return selection_; }
  void select(WordIndex word, int bit = -1);
  /// The selected word, else the one the panels show.
  WordIndex focused_word() const;
  /// The selected bit of it, else the bits this step changed, else all.
  uint64_t focused_mask() const;

  const Layout* layout() const;
  const Geometry* geometry() const;
  const QString& chosen_layout() const { return layout_id_; }      ///< empty = the document's own
  const QString& chosen_geometry() const { return geometry_id_; }  ///< empty = the document's own
  void choose_layout(const QString& id);                           ///< unknown ids are ignored
  void choose_geometry(const QString& id);
  ui::ThemeKind theme() const { return theme_; }
  void set_theme(ui::ThemeKind theme);

  const std::vector<Breakpoint>& breakpoints() const { return breakpoints_; }
  void toggle_breakpoint(WordIndex word, uint64_t mask);
  void clear_breakpoints();
  const std::vector<Bookmark>& bookmarks() const { return bookmarks_; }  ///< by position
  void toggle_bookmark(StepIndex position);
  void note_bookmark(StepIndex position, const QString& note);

  /// Breakpoints, bookmarks, their notes, and what the window adds (bits changed in a branch). Emptied when
  /// another document is opened.
  QUndoStack& edits() { return edits_; }

  /// Another moment that the panels hold against the present one; nothing when there is none.
  std::optional<StepIndex> compared() const { return compared_; }
  void compare_with(std::optional<StepIndex> position);

  /// Whether bits can be changed: the document is a scenario that may be rewritten.
  bool editable() const { return editable_; }
  void set_editable(bool editable);

  /// What the panels say of a document that is only a part of its file; nothing when it is all of it.
  void set_loading(std::optional<ui::Loading> loading);
  const std::optional<ui::Loading>& loading() const { return loading_; }

  SessionState state() const;
  /// Parts that do not fit the open document (positions, words past the end) are clamped or dropped.
  void restore(const SessionState& state);

 Q_SIGNALS:
  void document_changed();
  void position_changed();
  void selection_changed();
  void reading_changed();  ///< layout, geometry or theme
  void breakpoints_changed();
  void bookmarks_changed();
  void compared_changed();
  void loading_changed();
  /// Somebody wants these bits of the word to be the other way from here on. Only when editable().
  void toggle_asked(quint32 word, quint64 mask);
  void text_copied(const QString& text);
  void notice(const QString& text);  ///< one line for the status bar

 private:
  void move_to(StepIndex position);
  void set_breakpoints(std::vector<Breakpoint> points);
  void set_bookmarks(std::vector<Bookmark> bookmarks);
  /// As an edit that can be undone.
  void edit_breakpoints(const QString& what, std::vector<Breakpoint> points);
  void edit_bookmarks(const QString& what, std::vector<Bookmark> bookmarks);
  std::optional<StepIndex> next_break() const;
  std::optional<StepIndex> previous_break() const;

  DocumentPtr document_;
  Landmarks landmarks_;
  std::optional<Cursor> cursor_;
  ui::Selection selection_;
  QString layout_id_, geometry_id_;
  ui::ThemeKind theme_ = ui::ThemeKind::dark;
  std::vector<Breakpoint> breakpoints_;
  std::vector<Bookmark> bookmarks_;
  std::vector<ui::Bookmark> shown_bookmarks_;  ///< the same for the panels
  LanesPtr lanes_;
  std::vector<StepIndex> past_, future_;
  std::optional<StepIndex> compared_;
  std::optional<ui::Loading> loading_;
  bool editable_ = false;
  QUndoStack edits_;
};

}  // namespace hmmscope::app
