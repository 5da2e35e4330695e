#pragma once
/// The lesson dock: a list of lessons, and the one under way: text, the question to predict, what was right,
/// the tasks, Back and Next. The lesson runner decides what comes; this shows it and asks the window to move
/// the cursor.

#include <QSettings>
#include <QWidget>
#include <memory>

#include "app/gui/lesson_loader.h"
#include "app/gui/session.h"

class QLabel;
class QMenu;
class QProgressBar;
class QPushButton;
class QScrollArea;
class QVBoxLayout;

namespace hmmscope::app {

class AnswerEditor;

class LessonView : public QWidget {
  Q_OBJECT
 public:
  /// `settings` may be nullptr: progress is then forgotten. All must outlive the view.
  LessonView(Session& session, QSettings* settings, QWidget* parent);

  void open(const QString& id);
  void leave();  ///< back to the list
  const OpenLesson* lesson() const { return open_.get(); }
  void fill_menu(QMenu* menu);
  void set_zoom(double zoom);
  void save_progress();

 Q_SIGNALS:
  void title_changed(const QString& title, const QString& subtitle);
  /// The lesson wants the cursor there.
  void target_asked(const hmmscope::lessons::Target& target);
  void notice(const QString& text);
  void opened();

 protected:
  void showEvent(QShowEvent* event) override;

 private:
  void lesson_opened(const std::shared_ptr<OpenLesson>& lesson);
  void read_list();
  void rebuild();
  void show_list();
  void show_task(QVBoxLayout* page);
  void show_tasks_list(QVBoxLayout* page);
  void show_grade(QVBoxLayout* page, const lessons::Grade& grade,
                  const std::vector<std::string>& explanation);
  void show_paragraphs(QVBoxLayout* page, const std::vector<std::string>& paragraphs);
  void show_buttons();
  void show_title();
  void go_on();
  void go_back();
  void changed_phase();
  void move_cursor();

  Session& session_;
  QSettings* settings_;
  LessonLoader loader_;
  std::shared_ptr<OpenLesson> open_;
  std::vector<lessons::LessonInfo> list_;
  QString problem_;
  QString opening_;  ///< id of the lesson that is being prepared
  bool list_read_ = false;
  bool resuming_ = false;  ///< the lesson of the last time comes back; the cursor has its own place
  double zoom_ = 1;

  QProgressBar* progress_;
  QScrollArea* scroll_;
  QWidget* buttons_;
  QPushButton *back_, *next_, *retry_;
  AnswerEditor* editor_ = nullptr;  ///< while a question is asked
  QWidget* news_ = nullptr;         ///< the card that the last answer brought, to be scrolled to
};

}  // namespace hmmscope::app
