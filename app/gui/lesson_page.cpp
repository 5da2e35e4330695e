// What the lesson dock shows: the pages of LessonView.
#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QScrollArea>
#include <QVBoxLayout>
#include <optional>

#include "app/gui/answer_editor.h"
#include "app/gui/lesson_view.h"

namespace hmmscope::app {
namespace {

using lessons::Phase;

/// A paragraph of a lesson: plain text in which `this` is code.
QString rich(const std::string& text) {
  const QStringList parts = QString::fromStdString(text).toHtmlEscaped().split(QLatin1Char('`'));
  QString html;
  for (qsizetype i = 0; i < parts.size(); ++i) {
    html += i % 2 == 1 ? QStringLiteral("<code>%1</code>").arg(parts[i]) : parts[i];
  }
  return QStringLiteral("<p style='line-height:138%; margin:0'>%1</p>").arg(html);
}

QLabel* add_label(QVBoxLayout* page, const QString& text, const char* tone) {
  auto* label = new QLabel(text);
  label->setWordWrap(true);
  label->setTextInteractionFlags(Qt::TextSelectableByMouse);
  if (tone != nullptr) label->setProperty("tone", tone);
  page->addWidget(label);
  return label;
}

QVBoxLayout* add_card(QVBoxLayout* page, const char* look) {
  auto* card = new QFrame;
  card->setProperty("look", look);
  auto* inside = new QVBoxLayout(card);
  inside->setContentsMargins(14, 12, 14, 14);
  inside->setSpacing(8);
  page->addWidget(card);
  return inside;
}

/// A task in the list: a button whose title wraps, because no width of the dock fits all of them.
class TaskRow : public QPushButton {
 public:
  TaskRow(const QString& title, std::optional<bool> right) {
    const QString mark = !right ? QStringLiteral("☐") : *right ? QStringLiteral("☑") : QStringLiteral("☒");
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(6, 4, 6, 4);
    row->setSpacing(8);
    for (const QString& text : {mark, title}) {
      auto* label = new QLabel(text);
      label->setAttribute(Qt::WA_TransparentForMouseEvents);
      label->setWordWrap(text == title);
      label->setAlignment(Qt::AlignLeft | Qt::AlignTop);
      label->setProperty("look", "task");
      row->addWidget(label, text == title ? 1 : 0);
    }
    QSizePolicy policy(QSizePolicy::Ignored, QSizePolicy::Minimum);
    policy.setHeightForWidth(true);
    setSizePolicy(policy);
    setAccessibleName(title + (!right    ? LessonView::tr(", not answered yet")
                               : *right  ? LessonView::tr(", right")
                                         : LessonView::tr(", not right")));
  }
  bool hasHeightForWidth() const override { return true; }
  int heightForWidth(int width) const override { return layout()->totalHeightForWidth(width); }
  QSize sizeHint() const override { return layout()->totalSizeHint(); }
  QSize minimumSizeHint() const override { return {40, layout()->totalMinimumSize().height()}; }
};

}  // namespace

void LessonView::rebuild() {
  const QWidget* focus = focusWidget();
  const bool had_focus = focus != nullptr && focus->hasFocus();
  editor_ = nullptr;
  news_ = nullptr;
  auto* content = new QWidget;
  auto* page = new QVBoxLayout(content);
  page->setContentsMargins(14, 8, 14, 12);
  page->setSpacing(14);
  scroll_->setWidget(content);  // deletes the page before
  content->setAutoFillBackground(false);
  if (!open_) {
    show_list();
  } else {
    lessons::Runner& runner = open_->runner;
    const bool in_task = runner.phase() != Phase::introduction && runner.phase() != Phase::closing;
    if (in_task) {
      show_task(page);
    } else {
      add_label(page, QString::fromStdString(runner.lesson().title), "heading");
      if (const auto text = runner.paragraphs()) show_paragraphs(page, *text);
      if (runner.phase() == Phase::closing) {
        add_label(page,
                  tr("%1 of %2 tasks right.").arg(runner.right_count()).arg(runner.lesson().tasks.size()),
                  "good");
      }
    }
    show_tasks_list(page);
    page->addStretch(1);
  }
  show_buttons();
  show_title();
  // What had the focus is gone; it stays in the lesson, where the next thing is to be done.
  if (!had_focus) return;
  if (editor_ != nullptr && editor_->focusProxy() != nullptr) {
    editor_->setFocus();
  } else if (open_ && next_->isEnabled()) {
    next_->setFocus();
  } else {
    scroll_->setFocus();
  }
}

void LessonView::show_list() {
  auto* page = static_cast<QVBoxLayout*>(scroll_->widget()->layout());
  if (!problem_.isEmpty()) add_label(add_card(page, "bad"), problem_, "bad");
  for (const lessons::LessonInfo& info : list_) {
    QVBoxLayout* card = add_card(page, "card");
    add_label(card, QString::fromStdString(info.title), "accent");
    add_label(card, QString::fromStdString(info.summary), nullptr);
    add_label(card, tr("%1 tasks, about %2 minutes").arg(info.tasks).arg(info.minutes), "muted");
    const QString id = QString::fromStdString(info.id);
    auto* start = new QPushButton(opening_ == id ? tr("Opening…") : tr("Open"));
    start->setProperty("look", "primary");
    start->setEnabled(opening_.isEmpty());
    start->setAccessibleName(tr("Open the lesson %1").arg(QString::fromStdString(info.title)));
    connect(start, &QPushButton::clicked, this, [this, id] { open(id); });
    card->addWidget(start, 0, Qt::AlignRight);
  }
  page->addStretch(1);
}

void LessonView::show_paragraphs(QVBoxLayout* page, const std::vector<std::string>& paragraphs) {
  for (const std::string& paragraph : paragraphs) add_label(page, rich(paragraph), nullptr);
}

void LessonView::show_task(QVBoxLayout* page) {
  lessons::Runner& runner = open_->runner;
  const auto view = runner.view();
  if (!view) {
    add_label(add_card(page, "bad"), QString::fromStdString(view.error().to_string()), "bad");
    return;
  }
  add_label(page, QString::fromStdString(view->title), "heading");
  show_paragraphs(page, view->text);
  const lessons::TaskState& state = runner.state(runner.task_index());
  QVBoxLayout* card = add_card(page, "card");
  add_label(card,
            view->task->kind == lessons::TaskKind::go_to || view->task->kind == lessons::TaskKind::layout
                ? tr("Do")
                : tr("Predict"),
            "accent");
  add_label(card, rich(view->prompt), nullptr);
  if (runner.phase() == Phase::asking) {
    DocumentPtr sample;
    if (const auto target = runner.target(); target && *target) sample = (*target)->document;
    editor_ = make_answer_editor(*view, session_, sample, zoom_, card->parentWidget());
    card->addWidget(editor_);
    if (state.answer) editor_->set(*state.answer);
    connect(editor_, &AnswerEditor::changed, this, &LessonView::show_buttons);
    connect(editor_, &AnswerEditor::submitted, this, &LessonView::go_on);
    return;
  }
  if (state.grade)
    add_label(card, tr("Your answer: %1").arg(QString::fromStdString(state.grade->given)), "muted");
  if (runner.phase() == Phase::watching) {
    QVBoxLayout* watch = add_card(page, "card");
    news_ = watch->parentWidget();
    add_label(watch, tr("Watch it happen"), "accent");
    add_label(watch,
              tr("The cursor is now where it was decided. Look at the Bits and at the Decision, step around, "
                 "then go on."),
              nullptr);
    return;
  }
  if (state.grade) show_grade(page, *state.grade, view->explanation);
}

void LessonView::show_grade(QVBoxLayout* page, const lessons::Grade& grade,
                            const std::vector<std::string>& explanation) {
  QVBoxLayout* card = add_card(page, grade.right ? "good" : "bad");
  news_ = card->parentWidget();
  add_label(card, grade.right ? tr("✓ Right") : tr("✗ Not so"), grade.right ? "good" : "bad");
  if (!grade.reply.empty()) add_label(card, rich(grade.reply), nullptr);
  if (!grade.right && !grade.expected.empty()) {
    add_label(card, tr("It is %1.").arg(QString::fromStdString(grade.expected)), nullptr);
  }
  show_paragraphs(card, explanation);
}

void LessonView::show_tasks_list(QVBoxLayout* page) {
  lessons::Runner& runner = open_->runner;
  auto* column = new QVBoxLayout;
  column->setSpacing(2);
  const bool in_task = runner.phase() != Phase::introduction && runner.phase() != Phase::closing;
  for (size_t i = 0; i < runner.lesson().tasks.size(); ++i) {
    const lessons::TaskState& state = runner.state(i);
    const QString title = QString::fromStdString(runner.lesson().tasks[i].title);
    auto* row = new TaskRow(title, state.grade ? std::optional(state.grade->right) : std::nullopt);
    row->setProperty("look", in_task && i == runner.task_index() ? "task-now" : "task");
    connect(row, &QPushButton::clicked, this, [this, i] {
      open_->runner.go_to_task(i);
      changed_phase();
    });
    column->addWidget(row);
  }
  page->addLayout(column);
}

}  // namespace hmmscope::app
