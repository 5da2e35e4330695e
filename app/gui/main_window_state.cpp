// Opening documents, the look, and what is remembered.
#include <QApplication>
#include <QFileInfo>
#include <algorithm>
#include <utility>

#include "app/gui/branch.h"
#include "app/gui/canvas_panel.h"
#include "app/gui/check_view.h"
#include "app/gui/dock.h"
#include "app/gui/event_view.h"
#include "app/gui/fonts.h"
#include "app/gui/lesson_view.h"
#include "app/gui/main_window.h"
#include "app/gui/message_bar.h"
#include "app/gui/tool_bar.h"

namespace hmmscope::app {
namespace {

constexpr int layout_version = 1;  // raise when docks are renamed: an old layout is then left alone
constexpr StepIndex steps_looked_at = 200000;

/// The first step that fills a slot of hmm_pfns: there is something to see in every panel. 0 when there is
/// none.
StepIndex first_interesting(const Recording& recording) {
  const StepIndex end = std::min(recording.steps(), steps_looked_at);
  for (StepIndex step = 0; step < end; ++step) {
    for (uint32_t i = 0; i < recording.write_count(step); ++i) {
      const WriteView write = recording.write(step, i);
      if (write.new_at(0) == 0 || write.new_at(0) == write.old_at(0)) continue;
      const RegionId region = recording.region_of(write.first);
      if (region != no_region && recording.regions()[region].kind == RegionKind::hmm_pfns) return step + 1;
    }
  }
  return 0;
}

}  // namespace

void MainWindow::open(const QString& path, const QString& kernel, std::optional<StepIndex> position) {
  message_->hide();
  leave_preview();
  position_to_show_ = position;
  loader_.open(QFileInfo(path).absoluteFilePath(), kernel);
  actions_.refresh();
}

void MainWindow::show_document(const DocumentPtr& document, std::optional<StepIndex> position) {
  position_to_show_ = position;
  document_opened(document, find_landmarks(*document->recording), nullptr,
                  QString::fromStdString(document->path.string()), {});
}

void MainWindow::document_previewed(const Preview& preview, const QString& path, const QString& kernel) {
  const ui::Loading loading{preview.shown, preview.total, {}};
  if (previewed_) {
    session_.update(preview.document, preview.landmarks, preview.lanes);
    session_.set_loading(loading);
    return;
  }
  // The same document read again stays whole on show until it has been read to its end.
  if (session_.document() != nullptr && path == path_) return;
  save_session();
  autosave_.stop();
  previewed_ = Kept{session_.shared_document(), session_.landmarks(), session_.lanes(), path_, kernel_,
                    session_.state(),           0};
  path_ = path;
  kernel_ = kernel;
  session_.open(preview.document, preview.landmarks, preview.lanes);
  session_.set_loading(loading);
  bar_->set_kernel(kernel);
  session_.seek(first_interesting(*preview.document->recording));
  previewed_->shown_at = session_.position();
  show_subtitles();
}

void MainWindow::leave_preview() {
  auto kept = std::exchange(previewed_, std::nullopt);
  if (!kept) return;
  path_ = kept->path;
  kernel_ = kept->kernel;
  if (kept->document == nullptr) {
    session_.close();
  } else {
    session_.open(kept->document, std::move(kept->landmarks), std::move(kept->lanes));
    session_.set_editable(is_branch(path_));
    session_.restore(kept->state);
  }
  bar_->set_kernel(kernel_);
  show_subtitles();
}

void MainWindow::document_opened(const DocumentPtr& document, const Landmarks& landmarks,
                                 const LanesPtr& lanes, const QString& path, const QString& kernel) {
  progress_->stop();
  auto state = std::exchange(state_to_restore_, std::nullopt);
  const auto again = std::exchange(run_again_at_, std::nullopt);
  const auto kept = std::exchange(previewed_, std::nullopt);
  if (again && path == path_) {
    session_.update(document, landmarks, lanes);
    session_.seek(*again);
    show_subtitles();
    return;
  }
  if (!kept) save_session();
  if (!state && store_) state = store_->load(path);
  path_ = path;
  kernel_ = kernel;
  if (kept) {
    // Who has moved in the beginning of the file stays there; marks are as they were the last time.
    const bool moved = session_.position() != kept->shown_at || session_.selection().word != no_word;
    session_.set_loading(std::nullopt);
    session_.update(document, landmarks, lanes);
    if (state && moved) {
      state->position = session_.position();
      state->word = session_.selection().word;
      state->bit = session_.selection().bit;
    }
  } else {
    session_.open(document, landmarks, lanes);
  }
  session_.set_editable(is_branch(path));
  bar_->set_kernel(kernel);
  if (state) session_.restore(*state);
  if (position_to_show_) {
    session_.seek(*position_to_show_);
  } else if (!state && !kept) {
    session_.seek(first_interesting(*document->recording));
  }
  position_to_show_.reset();
  if (store_) {
    store_->set_last({path, kernel});
    store_->add_recent(path);
  }
  show_subtitles();
  autosave_.start();
}

void MainWindow::show_subtitles() {
  for (CanvasPanel* canvas : canvases_) {
    if (Dock* shown = dock(canvas->id())) shown->set_subtitle(canvas->subtitle());
  }
}

void MainWindow::show_target(const lessons::Target& target) {
  if (session_.shared_document() != target.document) {
    loader_.cancel();  // the lesson goes on in a document of its own
    save_session();
    const QString path = QString::fromStdString(target.document->path.string());
    // A lesson has its own copy of a sample that may have been open: what was marked in it stays marked.
    std::optional<SessionState> marks;
    if (path == path_ && session_.document() != nullptr) {
      marks = session_.state();
    } else if (store_) {
      marks = store_->load(path);
    }
    path_ = path;
    kernel_.clear();
    session_.open(target.document, find_landmarks(*target.document->recording));
    if (marks) session_.restore(*marks);
    bar_->set_kernel(kernel_);
  }
  session_.choose_layout(QString::fromStdString(target.layout));
  session_.seek(target.position);
  session_.select(target.word);
}

void MainWindow::document_failed(const Error& error, const QString& path) {
  progress_->stop();
  state_to_restore_.reset();
  position_to_show_.reset();
  run_again_at_.reset();
  leave_preview();
  QString what = QString::fromStdString(error.to_string());
  if (error.file.empty()) what = QFileInfo(path).fileName() + QStringLiteral(": ") + what;
  const QString kept =
      session_.document() == nullptr ? QString() : tr("What was open before is still open. ");
  // The command line's advice is an option; the window has a menu for it.
  const qsizetype option = what.indexOf(QLatin1String(": name one with --kernel"));
  kernel_wanted_by_ = option < 0 ? QString() : path;
  if (option >= 0) {
    message_->show_error(tr("Could not open %1").arg(what.left(option)),
                         kept + tr("Choose the kernel in the menu Machine: it is then opened as from that one."),
                         MessageBar::Offer::another_file);
    actions_.refresh();
    return;
  }
  message_->show_error(
      tr("Could not open %1").arg(what),
      kept + tr("hmmscope reads kernel traces (trace.dat, ftrace text), scenarios (.json) and recordings "
                "(.hmmrec), plain or packed (xz, gz, zst)."),
      MessageBar::Offer::another_file);
  actions_.refresh();
}

void MainWindow::choose_theme(ThemeChoice choice) {
  theme_ = choice;
  if (settings_ != nullptr) settings_->setValue(QStringLiteral("look/theme"), theme_name(choice));
  apply_look();
}

void MainWindow::set_desktop_theme(ui::ThemeKind kind) {
  setup_.desktop = kind;
  apply_look();
}

void MainWindow::set_zoom(double zoom) {
  zoom_ = std::clamp(zoom, zoom_min, zoom_max);
  if (settings_ != nullptr) settings_->setValue(QStringLiteral("look/zoom"), zoom_);
  apply_look();
}

void MainWindow::apply_look() {
  const ui::ThemeKind kind = theme_ == ThemeChoice::desktop ? setup_.desktop
                             : theme_ == ThemeChoice::dark  ? ui::ThemeKind::dark
                                                            : ui::ThemeKind::light;
  const Colours& c = colours(kind);
  QApplication::setPalette(make_palette(c));
  QApplication::setFont(text_font(zoom_, 14, text_weight(kind == ui::ThemeKind::dark, devicePixelRatioF())));
  setStyleSheet(make_style_sheet(c, zoom_));
  actions_.apply_colours(c);
  bar_->set_zoom(zoom_);
  events_->set_zoom(zoom_);
  checks_->set_zoom(zoom_);
  lesson_->set_zoom(zoom_);
  for (CanvasPanel* canvas : canvases_) canvas->driver().set_zoom(zoom_);
  session_.set_theme(kind);
}

void MainWindow::save_session() {
  // The beginning of a file has no state of its own to remember.
  if (!store_ || path_.isEmpty() || session_.document() == nullptr || previewed_) return;
  store_->save(path_, session_.state());
}

void MainWindow::save_state() {
  if (settings_ == nullptr) return;
  autosave_.stop();
  save_session();
  if (arranged_) {
    settings_->setValue(QStringLiteral("window/geometry"), saveGeometry());
    settings_->setValue(QStringLiteral("window/layout"), QMainWindow::saveState(layout_version));
  }
  actions_.save(*settings_);
  lesson_->save_progress();
  settings_->sync();
}

void MainWindow::restore_state() {
  if (settings_ == nullptr) return;
  theme_ = theme_choice(settings_->value(QStringLiteral("look/theme")).toString());
  bool ok = false;
  const double zoom = settings_->value(QStringLiteral("look/zoom"), 1.0).toDouble(&ok);
  zoom_ = ok ? std::clamp(zoom, zoom_min, zoom_max) : 1.0;
  actions_.load(*settings_);
  apply_look();
  restoreGeometry(settings_->value(QStringLiteral("window/geometry")).toByteArray());
  QMainWindow::restoreState(settings_->value(QStringLiteral("window/layout")).toByteArray(), layout_version);
  sized_by_hand_ = settings_->value(QStringLiteral("window/by_hand")).toBool();
  actions_.refresh();
}

}  // namespace hmmscope::app
