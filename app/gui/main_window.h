#pragma once
/// The window: menus, tool bar, docks, and what ties them to one session. It opens documents off the UI
/// thread, never drops the open one because another could not be read, and remembers its state.

#include <QMainWindow>
#include <QSettings>
#include <QTimer>
#include <memory>
#include <optional>
#include <vector>

#include "app/gui/action_registry.h"
#include "app/gui/canvas_surface.h"
#include "app/gui/document_loader.h"
#include "app/gui/session.h"
#include "app/gui/session_store.h"
#include "app/gui/task.h"
#include "app/gui/theme.h"

class QLabel;

namespace hmmscope::lessons {
struct Target;
}

namespace hmmscope::app {

class CanvasPanel;
class CommandPalette;
class Dock;
class EventView;
class CheckView;
class LessonView;
class MessageBar;
class ProgressBar;
class Toast;
class ToolBar;

/// What the program found out before it makes the window.
struct WindowSetup {
  QSettings* settings = nullptr;  ///< nullptr: nothing is remembered; must outlive the window otherwise
  CanvasSetup canvas;                           ///< the window makes the fonts if none are given
  QString path_reason;                          ///< for the About box
  ui::ThemeKind desktop = ui::ThemeKind::dark;  ///< the desktop's theme
};

class MainWindow : public QMainWindow {
  Q_OBJECT
 public:
  explicit MainWindow(const WindowSetup& setup);
  ~MainWindow() override;

  /// Opens off the UI thread. `kernel`: model override, empty = as the file says. `position`: where to go
  /// instead of the remembered place.
  void open(const QString& path, const QString& kernel = {}, std::optional<StepIndex> position = {});
  /// Shows what is open already; `position` as above.
  void show_document(const DocumentPtr& document, std::optional<StepIndex> position);
  /// Layout, theme, zoom and shortcuts of the last time.
  void restore_state();
  void choose_theme(ThemeChoice choice);
  /// The desktop has gone dark or light; seen where its theme is followed.
  void set_desktop_theme(ui::ThemeKind kind);
  void set_zoom(double zoom);
  double zoom() const { return zoom_; }

  Session& session() { return session_; }
  ActionRegistry& actions() { return actions_; }
  DocumentLoader& loader() { return loader_; }
  CommandPalette& palette_dialog() { return *palette_; }
  MessageBar& message_bar() { return *message_; }
  Dock* dock(const QString& id) const;
  CanvasPanel* canvas(const QString& id) const;
  LessonView& lesson_view() { return *lesson_; }

 Q_SIGNALS:
  /// The platform has other colours; whoever knows how asks it and calls set_desktop_theme().
  void platform_changed();

 protected:
  bool event(QEvent* event) override;
  void closeEvent(QCloseEvent* event) override;
  void showEvent(QShowEvent* event) override;
  void paintEvent(QPaintEvent* event) override;
  void dragEnterEvent(QDragEnterEvent* event) override;
  void dropEvent(QDropEvent* event) override;

 private:
  // main_window.cpp
  void make_docks();
  void make_header();
  void make_menus();
  void arrange();
  void size_docks();
  void connect_all();
  Dock* add_dock(const QString& id, const QString& title, QWidget* content);
  void show_title();
  // main_window_actions.cpp
  void bind_actions();
  void bind_file_actions();
  void bind_edit_actions();
  void bind_run_actions();
  void bind_view_actions();
  void fill_recent(QMenu* menu);
  void fill_samples(QMenu* menu);
  void ask_to_open(const QString& directory);
  void save_recording();
  void export_document();
  void export_to(const QString& format, const QString& path);
  void export_picture();
  void make_branch();
  void toggle_bits(WordIndex word, uint64_t mask);
  void run_branch(const std::string& text, StepIndex position);
  CanvasPanel* focused_canvas() const;
  void show_about();
  // main_window_state.cpp
  void document_opened(const DocumentPtr& document, const Landmarks& landmarks, const LanesPtr& lanes,
                       const QString& path, const QString& kernel);
  void document_previewed(const Preview& preview, const QString& path, const QString& kernel);
  /// Back to what was open before the beginning of a file was shown that could not be read to its end.
  void leave_preview();
  void show_subtitles();
  void show_target(const lessons::Target& target);
  void document_failed(const Error& error, const QString& path);
  void save_state();
  void save_session();
  void apply_look();

  WindowSetup setup_;
  QSettings* settings_;
  std::optional<SessionStore> store_;
  Session session_;
  ActionRegistry actions_;
  DocumentLoader loader_;
  Task task_;  ///< saving, exporting, trying kernels

  ToolBar* bar_ = nullptr;
  QLabel* title_ = nullptr;
  MessageBar* message_ = nullptr;
  ProgressBar* progress_ = nullptr;   ///< of the loader
  ProgressBar* working_ = nullptr;    ///< of the task
  Toast* toast_ = nullptr;
  CommandPalette* palette_ = nullptr;
  EventView* events_ = nullptr;
  CheckView* checks_ = nullptr;
  LessonView* lesson_ = nullptr;
  std::vector<CanvasPanel*> canvases_;
  std::vector<Dock*> docks_;

  QString path_, kernel_;                         ///< of the open document
  QString kernel_wanted_by_;                      ///< the file that failed because it does not say its kernel
  std::optional<SessionState> state_to_restore_;  ///< for the document being opened
  std::optional<StepIndex> position_to_show_;
  std::optional<StepIndex> run_again_at_;  ///< the branch on show is being run again: where to go in it
  /// What was open before the beginning of the file that is being read was put on show.
  struct Kept {
    DocumentPtr document;
    Landmarks landmarks;
    LanesPtr lanes;
    QString path, kernel;
    SessionState state;
    StepIndex shown_at = 0;  ///< where the beginning was opened: the person has moved when it is elsewhere
  };
  std::optional<Kept> previewed_;
  QTimer autosave_;
  ThemeChoice theme_ = ThemeChoice::desktop;
  double zoom_ = 1;
  bool arranged_ = false;
  bool sized_by_hand_ = false;  ///< somebody has moved a separator: sizes are theirs from then on
  bool tables_ = false;
};

}  // namespace hmmscope::app
