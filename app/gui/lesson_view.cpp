#include "app/gui/lesson_view.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QMenu>
#include <QProgressBar>
#include <QPushButton>
#include <QScrollArea>
#include <QScrollBar>
#include <QTimer>
#include <QVBoxLayout>
#include <algorithm>
#include <utility>

#include "app/cli/paths.h"
#include "app/gui/answer_editor.h"

namespace hmmscope::app {

using lessons::Phase;

LessonView::LessonView(Session& session, QSettings* settings, QWidget* parent)
    : QWidget(parent),
      session_(session),
      settings_(settings),
      progress_(new QProgressBar(this)),
      scroll_(new QScrollArea(this)),
      buttons_(new QWidget(this)),
      back_(new QPushButton(tr("← Back"), this)),
      next_(new QPushButton(this)),
      retry_(new QPushButton(tr("Try again"), this)) {
  progress_->setTextVisible(false);
  progress_->setAccessibleName(tr("Progress of the lesson"));
  scroll_->setWidgetResizable(true);
  scroll_->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  scroll_->setFocusPolicy(Qt::ClickFocus);
  next_->setProperty("look", "primary");
  back_->setAccessibleName(tr("Back"));
  auto* row = new QHBoxLayout(buttons_);
  row->setContentsMargins(12, 8, 12, 6);
  row->addWidget(back_);
  row->addStretch(1);
  row->addWidget(retry_);
  row->addWidget(next_);
  auto* bar = new QVBoxLayout;
  bar->setContentsMargins(12, 10, 12, 2);
  bar->addWidget(progress_);
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  column->addLayout(bar);
  column->addWidget(scroll_, 1);
  column->addWidget(buttons_);
  connect(back_, &QPushButton::clicked, this, &LessonView::go_back);
  connect(next_, &QPushButton::clicked, this, &LessonView::go_on);
  connect(retry_, &QPushButton::clicked, this, [this] {
    open_->runner.retry();
    changed_phase();
  });
  connect(&loader_, &LessonLoader::opened, this, &LessonView::lesson_opened);
  connect(&loader_, &LessonLoader::failed, this, [this](const Error& error) {
    opening_.clear();
    problem_ = QString::fromStdString(error.to_string());
    rebuild();
  });
  rebuild();
}

void LessonView::showEvent(QShowEvent* event) {
  QWidget::showEvent(event);
  // Not before the window is up: the first picture does not wait for the lesson files.
  if (!list_read_) QTimer::singleShot(0, this, &LessonView::read_list);
}

void LessonView::read_list() {
  if (list_read_) return;
  list_read_ = true;
  auto found = lessons::list_lessons(lessons_directory());
  if (found) {
    list_ = *std::move(found);
  } else {
    problem_ = QString::fromStdString(found.error().to_string());
  }
  if (open_) return;
  rebuild();
  const QString last =
      settings_ == nullptr ? QString() : settings_->value(QStringLiteral("session/lesson")).toString();
  if (last.isEmpty() || !opening_.isEmpty()) return;
  open(last);
  resuming_ = true;
}

void LessonView::open(const QString& id) {
  save_progress();
  problem_.clear();
  resuming_ = false;
  opening_ = id;
  open_.reset();
  loader_.open(id);
  rebuild();
}

void LessonView::lesson_opened(const std::shared_ptr<OpenLesson>& lesson) {
  opening_.clear();
  open_ = lesson;
  if (settings_ != nullptr) {
    const QString kept =
        settings_->value(QStringLiteral("lessons/") + QString::fromStdString(lesson->lesson.id)).toString();
    // Progress of an older text of the lesson may not fit any more; the lesson then starts afresh.
    if (!kept.isEmpty()) (void)lesson->runner.load(kept.toStdString());
    settings_->setValue(QStringLiteral("session/lesson"), QString::fromStdString(lesson->lesson.id));
  }
  changed_phase();
  Q_EMIT opened();
}

void LessonView::save_progress() {
  if (!open_ || settings_ == nullptr) return;
  settings_->setValue(QStringLiteral("lessons/") + QString::fromStdString(open_->lesson.id),
                      QString::fromStdString(open_->runner.save()));
}

void LessonView::leave() {
  save_progress();
  open_.reset();
  if (settings_ != nullptr) settings_->remove(QStringLiteral("session/lesson"));
  rebuild();
}

void LessonView::set_zoom(double zoom) {
  if (zoom == zoom_) return;
  zoom_ = zoom;
  rebuild();
}

void LessonView::fill_menu(QMenu* menu) {
  read_list();
  menu->clear();
  for (const lessons::LessonInfo& info : list_) {
    const QString id = QString::fromStdString(info.id);
    connect(menu->addAction(QString::fromStdString(info.title)), &QAction::triggered, this,
            [this, id] { open(id); });
  }
  if (menu->isEmpty()) menu->addAction(tr("No lessons were found"))->setEnabled(false);
}

void LessonView::changed_phase() {
  save_progress();
  rebuild();
  scroll_->verticalScrollBar()->setValue(0);
  if (news_ != nullptr) {
    // Once the page has its size: the labels wrap when they are laid out, which makes it grow once more.
    QTimer::singleShot(50, news_, [this] {
      scroll_->widget()->layout()->activate();
      const int room = scroll_->viewport()->height();
      scroll_->verticalScrollBar()->setValue(
          std::min(news_->y() - room / 6, news_->geometry().bottom() + 14 - room / 2));
    });
  }
  if (!std::exchange(resuming_, false)) move_cursor();
}

void LessonView::move_cursor() {
  const auto target = open_->runner.target();
  if (!target) {
    Q_EMIT notice(QString::fromStdString(target.error().to_string()));
  } else if (*target) {
    Q_EMIT target_asked(**target);
  }
}

void LessonView::go_back() {
  lessons::Runner& runner = open_->runner;
  switch (runner.phase()) {
    case Phase::introduction:
      leave();
      return;
    case Phase::closing:
      runner.go_to_task(runner.lesson().tasks.size() - 1);
      break;
    default:
      if (runner.task_index() == 0) {
        leave();
        return;
      }
      runner.go_to_task(runner.task_index() - 1);
  }
  changed_phase();
}

void LessonView::go_on() {
  lessons::Runner& runner = open_->runner;
  switch (runner.phase()) {
    case Phase::asking: {
      const auto given = editor_ == nullptr ? std::nullopt : editor_->answer();
      if (!given) return;
      if (const auto grade = runner.answer(*given); !grade) {
        Q_EMIT notice(QString::fromStdString(grade.error().to_string()));
        return;
      }
      break;
    }
    case Phase::watching:
      runner.show_result();
      break;
    case Phase::closing:
      leave();
      return;
    default:
      runner.next();
  }
  changed_phase();
}

void LessonView::show_buttons() {
  buttons_->setVisible(open_ != nullptr);
  progress_->setVisible(open_ != nullptr);
  if (!open_) return;
  const lessons::Runner& runner = open_->runner;
  const size_t tasks = runner.lesson().tasks.size();
  retry_->hide();
  next_->setEnabled(true);
  switch (runner.phase()) {
    case Phase::introduction:
      next_->setText(tr("Start →"));
      break;
    case Phase::asking:
      next_->setText(tr("Answer →"));
      next_->setEnabled(editor_ != nullptr && editor_->answer().has_value());
      break;
    case Phase::watching:
      next_->setText(tr("Explain →"));
      break;
    case Phase::graded: {
      const auto& state = runner.state(runner.task_index());
      retry_->setVisible(state.grade && !state.grade->right);
      next_->setText(runner.task_index() + 1 < tasks ? tr("Next →") : tr("Finish →"));
      break;
    }
    case Phase::closing:
      next_->setText(tr("Done"));
      break;
  }
  // Three buttons have no room for their words in a narrow dock.
  back_->setText(retry_->isHidden() ? tr("← Back") : tr("←"));
  size_t graded = 0;
  for (size_t i = 0; i < tasks; ++i) graded += runner.state(i).grade ? 1 : 0;
  progress_->setRange(0, static_cast<int>(std::max<size_t>(tasks, 1)));
  progress_->setValue(static_cast<int>(graded));
}

void LessonView::show_title() {
  if (!open_) {
    Q_EMIT title_changed(tr("Lessons"), {});
    return;
  }
  size_t number = 0;
  for (size_t i = 0; i < list_.size(); ++i) {
    if (list_[i].id == open_->lesson.id) number = i + 1;
  }
  const int percent = progress_->maximum() == 0 ? 0 : 100 * progress_->value() / progress_->maximum();
  Q_EMIT title_changed(number == 0 ? tr("Lesson") : tr("Lesson %1 of %2").arg(number).arg(list_.size()),
                       QStringLiteral("%1 %").arg(percent));
}

}  // namespace hmmscope::app
