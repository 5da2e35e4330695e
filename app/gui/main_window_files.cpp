// Opening, saving, exporting and branching by menu and dialog.
#include <QDir>
#include <QFileDialog>
#include <QMenu>
#include <QUndoCommand>
#include <algorithm>
#include <bit>
#include <functional>
#include <utility>

#include "app/cli/paths.h"
#include "app/gui/branch.h"
#include "app/gui/canvas_panel.h"
#include "app/gui/export_file.h"
#include "app/gui/main_window.h"
#include "app/gui/message_bar.h"
#include "ui/words.h"

namespace hmmscope::app {
namespace {

/// Empty when the person thought better of it. The suffix is added before the dialog asks about a file that exists.
QString ask_to_save(QWidget* parent, const QString& title, const QString& proposal, const QString& filter,
                    const QString& suffix) {
  QFileDialog dialog(parent, title, QFileInfo(proposal).absolutePath(), filter);
  dialog.setAcceptMode(QFileDialog::AcceptSave);
  dialog.setFileMode(QFileDialog::AnyFile);
  dialog.setDefaultSuffix(suffix);
  dialog.selectFile(QFileInfo(proposal).fileName());
  if (dialog.exec() != QDialog::Accepted) return {};
  return dialog.selectedFiles().value(0);
}

/// Beside the open file, but not among the program's own files: those are nobody's to write into.
QString folder_to_save_in(const QString& path) {
  const QFileInfo file(path);
  const QString own = QString::fromStdString(data_directory().string());
  const bool ours = file.absoluteFilePath().startsWith(own) || is_branch(path);
  return ours || !QFileInfo(file.absolutePath()).isWritable() ? QDir::homePath() : file.absolutePath();
}

QString samples_folder() { return QString::fromStdString(samples_directory().string()); }

}  // namespace

void MainWindow::ask_to_open(const QString& directory) {
  QString from = directory;
  if (from.isEmpty()) from = path_.isEmpty() ? samples_folder() : QFileInfo(path_).absolutePath();
  const QString path = QFileDialog::getOpenFileName(
      this, tr("Open a trace, a scenario or a recording"), from,
      tr("All that hmmscope reads (*.dat *.txt *.trace *.hmmcap *.json *.hmmrec *.xz *.gz *.zst);;Every file (*)"));
  if (!path.isEmpty()) open(path);
}

void MainWindow::fill_recent(QMenu* menu) {
  menu->clear();
  const QStringList files = store_ ? store_->recent() : QStringList();
  for (const QString& file : files) {
    QAction* action = menu->addAction(QFileInfo(file).fileName());
    action->setToolTip(file);
    connect(action, &QAction::triggered, this, [this, file] { open(file); });
  }
  if (files.isEmpty()) {
    menu->addAction(tr("Nothing was opened yet"))->setEnabled(false);
    return;
  }
  menu->addSeparator();
  connect(menu->addAction(tr("Forget these")), &QAction::triggered, this, [this] { store_->clear_recent(); });
}

void MainWindow::fill_samples(QMenu* menu) {
  menu->clear();
  const QDir folder(samples_folder());
  for (const QFileInfo& file : folder.entryInfoList(QDir::Files | QDir::Readable, QDir::Name)) {
    if (!file.fileName().contains(QLatin1String(".trace")) && file.suffix() != QLatin1String("hmmrec"))
      continue;
    const QString path = file.absoluteFilePath();
    connect(menu->addAction(file.fileName()), &QAction::triggered, this, [this, path] { open(path); });
  }
  if (menu->isEmpty()) menu->addAction(tr("No samples in %1").arg(folder.path()))->setEnabled(false);
}

void MainWindow::save_recording() {
  const QString proposal = QDir(folder_to_save_in(path_))
                               .filePath(QString::fromStdString(session_.document()->title) + QStringLiteral(".hmmrec"));
  const QString path = ask_to_save(this, tr("Save the recording"), proposal, tr("Recordings (*.hmmrec)"),
                                   QStringLiteral("hmmrec"));
  if (!path.isEmpty()) export_to(QStringLiteral("hmmrec"), path);
}

void MainWindow::export_document() {
  QFileDialog dialog(this, tr("Export what is open"), folder_to_save_in(path_));
  dialog.setObjectName(QStringLiteral("export-dialog"));
  dialog.setAcceptMode(QFileDialog::AcceptSave);
  dialog.setFileMode(QFileDialog::AnyFile);
  QStringList filters;
  for (const ExportChoice& choice : export_choices()) filters << choice.filter;
  dialog.setNameFilters(filters);
  const QString title = QString::fromStdString(session_.document()->title);
  const auto chosen = [&]() -> const ExportChoice& {
    const auto index = filters.indexOf(dialog.selectedNameFilter());
    return export_choices()[static_cast<size_t>(std::max<qsizetype>(0, index))];
  };
  // The proposed name follows the format, as long as it is the proposed one.
  const auto propose = [&] {
    dialog.setDefaultSuffix(chosen().suffix);
    const QFileInfo now(dialog.selectedFiles().value(0));
    if (now.fileName().isEmpty() || now.isDir() || now.completeBaseName() == title)
      dialog.selectFile(title + QLatin1Char('.') + chosen().suffix);
  };
  connect(&dialog, &QFileDialog::filterSelected, &dialog, propose);
  propose();
  if (dialog.exec() != QDialog::Accepted) return;
  const QString path = dialog.selectedFiles().value(0);
  export_to(choice_for(path, chosen()).name, path);
}

void MainWindow::export_to(const QString& format, const QString& path) {
  task_.start(
      tr("Saving %1").arg(QFileInfo(path).fileName()),
      [document = session_.shared_document(), format, path](const traces::Progress& progress) {
        return export_file(*document, format, path.toStdString(), progress);
      },
      [this, path](const Result<void>& saved) {
        if (saved) {
          toast_->say(tr("Saved %1").arg(path));
        } else {
          message_->show_error(QString::fromStdString(saved.error().to_string()),
                               tr("Nothing was written there. Choose another folder or free some space."));
        }
      });
}

void MainWindow::make_branch() {
  const auto document = session_.shared_document();
  const auto text = std::make_shared<std::string>();
  task_.start(
      tr("Branching"),
      [document, text, position = session_.position()](const traces::Progress&) -> Result<void> {
        auto made = branch_text(*document, position);
        if (!made) return tl::unexpected(made.error());
        *text = std::move(*made);
        return {};
      },
      [this, document, text, position = session_.position()](const Result<void>& made) {
        Result<QString> path = fail("");
        if (made) path = save_branch(document->title, *text);
        const Error* error = !made ? &made.error() : !path ? &path.error() : nullptr;
        if (error != nullptr) {
          message_->show_error(tr("No branch was made: %1").arg(QString::fromStdString(error->to_string())), {});
          return;
        }
        // A scenario's branch has the same steps; a call's begins with the call.
        const bool same = document->kind == traces::SourceKind::scenario;
        open(*path, same ? kernel_ : QString(), same ? std::optional(position) : std::nullopt);
        toast_->say(tr("A branch: select a bit and press Space to toggle it"));
      });
}

namespace {

/// A changed branch: both texts are kept, so that the change can be taken back.
class BranchEdit : public QUndoCommand {
 public:
  using Apply = std::function<void(const std::string& text, StepIndex position)>;
  BranchEdit(const QString& what, std::string before, std::string after, StepIndex from, StepIndex to, Apply apply)
      : QUndoCommand(what),
        before_(std::move(before)),
        after_(std::move(after)),
        from_(from),
        to_(to),
        apply_(std::move(apply)) {}
  void redo() override { apply_(after_, to_); }
  void undo() override { apply_(before_, from_); }

 private:
  std::string before_, after_;
  StepIndex from_, to_;
  Apply apply_;
};

}  // namespace

void MainWindow::toggle_bits(WordIndex word, uint64_t mask) {
  if (loader_.busy()) {
    Q_EMIT session_.notice(tr("The branch is still running"));
    return;
  }
  const auto text = read_branch(path_);
  const StepIndex position = session_.position();
  const auto changed = text ? flip_bits(*text, *session_.recording(), position, word, mask)
                            : Result<ChangedBranch>(tl::unexpected(text.error()));
  if (!changed) {
    Q_EMIT session_.notice(QString::fromStdString(changed.error().to_string()));
    return;
  }
  const QString name = QString::fromStdString(ui::breakpoint_text(*session_.recording(), {word, mask}));
  session_.select(word, std::has_single_bit(mask) ? std::countr_zero(mask) : -1);
  session_.edits().push(new BranchEdit(
      tr("toggle of %1").arg(name), *text, changed->text, position, changed->position,
      [this](const std::string& new_text, StepIndex there) { run_branch(new_text, there); }));
}

void MainWindow::run_branch(const std::string& text, StepIndex position) {
  if (const auto written = write_branch(path_, text); !written) {
    message_->show_error(QString::fromStdString(written.error().to_string()),
                         tr("The branch is as it was before. Free some space and try again."));
    return;
  }
  run_again_at_ = position;
  message_->hide();
  loader_.open(path_, kernel_);
}

void MainWindow::export_picture() {
  CanvasPanel* panel = focused_canvas();
  const QString proposal = QDir(folder_to_save_in(path_))
                               .filePath(QStringLiteral("%1-%2-%3.png")
                                             .arg(QString::fromStdString(session_.document()->title), panel->id())
                                             .arg(session_.position()));
  const QString path = ask_to_save(this, tr("Export %1").arg(panel->title()), proposal, tr("PNG (*.png)"),
                                   QStringLiteral("png"));
  if (path.isEmpty()) return;
  if (const auto saved = panel->save_picture(path, 2); !saved) {
    message_->show_error(QString::fromStdString(saved.error().to_string()),
                         tr("Choose another file name or folder."));
  } else {
    toast_->say(tr("Saved %1").arg(path));
  }
}

}  // namespace hmmscope::app
