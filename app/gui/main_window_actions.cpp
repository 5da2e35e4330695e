// What each action of the action table does.
#include <QApplication>
#include <QClipboard>
#include <QDir>
#include <QMenu>
#include <QMessageBox>
#include <algorithm>

#include "app/cli/paths.h"
#include "app/gui/bookmarks_dialog.h"
#include "app/gui/canvas_panel.h"
#include "app/gui/check_view.h"
#include "app/gui/command_palette.h"
#include "app/gui/dock.h"
#include "app/gui/fonts.h"
#include "app/gui/lesson_view.h"
#include "app/gui/main_window.h"
#include "app/gui/message_bar.h"
#include "app/gui/shortcut_editor.h"
#include "app/gui/text_format.h"
#include "app/gui/tool_bar.h"

namespace hmmscope::app {
void MainWindow::bind_actions() {
  bind_file_actions();
  bind_edit_actions();
  bind_run_actions();
  bind_view_actions();
  actions_.bind("help.about", [this] { show_about(); });
}

void MainWindow::bind_file_actions() {
  const auto open_document = [this] { return session_.document() != nullptr; };
  // One piece of work at a time: starting another would cancel it.
  const auto free_to_write = [this] { return session_.document() != nullptr && !task_.busy(); };
  actions_.bind("file.open", [this] { ask_to_open({}); });
  actions_.bind("file.sample", [this] { ask_to_open(QString::fromStdString(samples_directory().string())); });
  actions_.bind(
      "file.reload",
      [this] {
        state_to_restore_ = session_.state();
        open(path_, kernel_);
      },
      open_document);
  actions_.bind(
      "file.save", [this] { save_recording(); }, free_to_write);
  actions_.bind(
      "file.export", [this] { export_document(); }, free_to_write);
  actions_.bind(
      "file.export_png", [this] { export_picture(); }, open_document);
  actions_.bind(
      "file.branch", [this] { make_branch(); },
      [this] { return session_.document() != nullptr && !previewed_ && !task_.busy(); });
  actions_.bind(
      "file.cancel",
      [this] {
        loader_.cancel();
        task_.cancel();
      },
      [this] { return loader_.busy() || task_.busy(); });
  actions_.bind("file.quit", [this] { close(); });
}

void MainWindow::bind_edit_actions() {
  QUndoStack& edits = session_.edits();
  actions_.bind(
      "edit.undo", [&edits] { edits.undo(); }, [&edits] { return edits.canUndo(); });
  actions_.bind(
      "edit.redo", [&edits] { edits.redo(); }, [&edits] { return edits.canRedo(); });
  const auto name = [this](const char* id, const QString& verb) {
    return [this, id, verb](const QString& what) {
      actions_.action(QString::fromLatin1(id))->setText(what.isEmpty() ? verb : verb + QLatin1Char(' ') + what);
      actions_.refresh();
    };
  };
  connect(&edits, &QUndoStack::undoTextChanged, this, name("edit.undo", tr("&Undo")));
  connect(&edits, &QUndoStack::redoTextChanged, this, name("edit.redo", tr("&Redo")));
  actions_.bind(
      "edit.copy_hex",
      [this] {
        const WordIndex word = session_.focused_word();
        if (word == no_word) return;
        ui::Intent intent;
        intent.kind = ui::Intent::Kind::copy_text;
        intent.text = hex_word(session_.cursor()->load(word)).toStdString();
        session_.apply(intent);
      },
      [this] { return session_.focused_word() != no_word; });
  actions_.bind(
      "edit.copy_table",
      [this] {
        CanvasPanel* panel = focused_canvas();
        QGuiApplication::clipboard()->setText(panel->table_text());
        toast_->say(tr("Copied the table behind %1").arg(panel->title()));
      },
      [this] { return session_.document() != nullptr; });
  actions_.bind("edit.palette", [this] { palette_->open(&bar_->search()); });
  actions_.bind("edit.shortcuts", [this] {
    ShortcutEditor(actions_, this).exec();
    if (settings_ != nullptr) actions_.save(*settings_);
  });
}

void MainWindow::bind_run_actions() {
  struct Row {
    const char* id;
    Move move;
  };
  static constexpr Row rows[] = {{"run.start", Move::start},
                                 {"run.end", Move::end},
                                 {"run.step", Move::step},
                                 {"run.back", Move::back},
                                 {"run.step_over", Move::step_over},
                                 {"run.back_over", Move::back_over},
                                 {"run.step_out", Move::step_out},
                                 {"run.back_out", Move::back_out},
                                 {"run.next_call", Move::next_call},
                                 {"run.previous_call", Move::previous_call},
                                 {"run.next_fault", Move::next_fault},
                                 {"run.previous_fault", Move::previous_fault},
                                 {"run.next_change", Move::next_change},
                                 {"run.previous_change", Move::previous_change},
                                 {"run.next_divergence", Move::next_divergence},
                                 {"run.previous_divergence", Move::previous_divergence},
                                 {"run.next_bookmark", Move::next_bookmark},
                                 {"run.previous_bookmark", Move::previous_bookmark}};
  const auto open_document = [this] { return session_.document() != nullptr; };
  for (const Row& row : rows) {
    const bool back = row.move == Move::start || row.move == Move::back || row.move == Move::back_over ||
                      row.move == Move::back_out || row.move == Move::previous_call;
    const bool ahead = row.move == Move::end || row.move == Move::step || row.move == Move::step_over ||
                       row.move == Move::step_out || row.move == Move::next_call;
    actions_.bind(
        row.id, [this, move = row.move] { session_.go(move); },
        [this, back, ahead] {
          if (session_.document() == nullptr) return false;
          if (back) return session_.position() > 0;
          return !ahead || session_.position() < session_.steps();
        });
  }
  const auto watched = [this] { return !session_.breakpoints().empty(); };
  actions_.bind(
      "run.break", [this] { session_.go(Move::run_to_break); }, watched);
  actions_.bind(
      "run.break_back", [this] { session_.go(Move::run_back_to_break); }, watched);
  actions_.bind(
      "run.clear_breaks", [this] { session_.clear_breakpoints(); }, watched);
  actions_.bind(
      "run.toggle_break",
      [this] { session_.toggle_breakpoint(session_.focused_word(), session_.focused_mask()); },
      [this] { return session_.focused_word() != no_word; });
  actions_.bind(
      "run.goto", [this] { bar_->step_field().edit(); }, open_document);
  actions_.bind(
      "run.toggle_bit",
      [this] {
        session_.apply(ui::Intent{.kind = ui::Intent::Kind::toggle_bits,
                                  .word = session_.focused_word(),
                                  .mask = session_.focused_mask(),
                                  .text = {}});
      },
      [this] { return session_.document() != nullptr && session_.selection().bit >= 0; });
  actions_.bind(
      "run.compare",
      [this] {
        session_.compare_with(session_.compared() ? std::nullopt : std::optional(session_.position()));
      },
      open_document, [this] { return session_.compared().has_value(); });
  actions_.bind(
      "run.bookmark", [this] { session_.toggle_bookmark(session_.position()); }, open_document,
      [this] {
        const auto& marks = session_.bookmarks();
        return std::any_of(marks.begin(), marks.end(),
                           [&](const Bookmark& m) { return m.position == session_.position(); });
      });
  actions_.bind(
      "run.bookmarks", [this] { BookmarksDialog(session_, this).exec(); }, open_document);
  actions_.bind(
      "run.return", [this] { session_.return_to_past(); }, [this] { return session_.can_return(); });
  actions_.bind(
      "run.return_forward", [this] { session_.return_to_future(); },
      [this] { return session_.can_redo_return(); });
}

void MainWindow::bind_view_actions() {
  for (const char* id :
       {"walk", "bits", "decision", "history", "timeline", "lesson", "events", "divergences", "details"}) {
    Dock* shown = dock(QString::fromLatin1(id));
    if (shown == nullptr) continue;
    const QByteArray name = QByteArray("view.") + id;
    const auto within = [shown] {
      return shown->isVisible() && shown->isAncestorOf(QApplication::focusWidget());
    };
    // A second time, with the focus already there, puts the panel away.
    actions_.bind(
        name.constData(),
        [shown, within] {
          if (within()) {
            shown->hide();
          } else {
            shown->go_to();
          }
        },
        {}, [shown] { return !shown->isHidden(); });
  }
  actions_.bind(
      "traces.try_models",
      [this] {
        dock(QStringLiteral("divergences"))->go_to();
        checks_->try_models();
      },
      [this] { return checks_->can_try_models(); });
  actions_.bind(
      "view.tables",
      [this] {
        tables_ = !tables_;
        for (CanvasPanel* canvas : canvases_) canvas->show_table(tables_);
      },
      {}, [this] { return tables_; });
  actions_.bind("view.layout", [this] { bar_->layout_choice().open(); });
  actions_.bind("view.machine", [this] { bar_->machine_choice().open(); });
  actions_.bind(
      "view.larger", [this] { set_zoom(zoom_ + zoom_step); }, [this] { return zoom_ < zoom_max - 0.01; });
  actions_.bind(
      "view.smaller", [this] { set_zoom(zoom_ - zoom_step); }, [this] { return zoom_ > zoom_min + 0.01; });
  actions_.bind("view.normal", [this] { set_zoom(1); });
  const auto theme = [this](const char* id, ThemeChoice choice) {
    actions_.bind(
        id, [this, choice] { choose_theme(choice); }, {}, [this, choice] { return theme_ == choice; });
  };
  theme("view.theme_desktop", ThemeChoice::desktop);
  theme("view.theme_dark", ThemeChoice::dark);
  theme("view.theme_light", ThemeChoice::light);
  actions_.bind("view.theme_switch", [this] {
    choose_theme(session_.theme() == ui::ThemeKind::dark ? ThemeChoice::light : ThemeChoice::dark);
  });
  actions_.bind("view.reset", [this] {
    sized_by_hand_ = false;
    if (settings_ != nullptr) settings_->remove(QStringLiteral("window/by_hand"));
    arrange();
  });
}

CanvasPanel* MainWindow::focused_canvas() const {
  const QWidget* focus = QApplication::focusWidget();
  for (CanvasPanel* canvas : canvases_) {
    if (focus != nullptr && canvas->isAncestorOf(focus)) return canvas;
  }
  return canvas(QStringLiteral("bits"));
}

void MainWindow::show_about() {
  QMessageBox box(this);
  box.setWindowTitle(tr("About hmmscope"));
  box.setIconPixmap(program_icon().pixmap(64));
  box.setTextFormat(Qt::RichText);
  box.setText(
      tr("<h3>hmmscope</h3>"
         "<p>Steps through Linux heterogeneous memory management, bit by bit, forwards and backwards, and "
         "holds its own engine against what a real kernel did.</p>"
         "<p>Canvases are drawn with %1.<br>MIT licence.</p>")
          .arg(setup_.path_reason.toHtmlEscaped()));
  box.exec();
}

}  // namespace hmmscope::app
