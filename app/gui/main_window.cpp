#include "app/gui/main_window.h"

#include <QClipboard>
#include <QCloseEvent>
#include <QFileInfo>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QLabel>
#include <QMenu>
#include <QMenuBar>
#include <QMimeData>
#include <QPainter>
#include <QScreen>
#include <QVBoxLayout>
#include <algorithm>

#include "app/gui/canvas_panel.h"
#include "app/gui/check_view.h"
#include "app/gui/command_palette.h"
#include "app/gui/details_view.h"
#include "app/gui/dock.h"
#include "app/gui/event_view.h"
#include "app/gui/lesson_view.h"
#include "app/gui/message_bar.h"
#include "app/gui/text_format.h"
#include "app/gui/tool_bar.h"

namespace hmmscope::app {
namespace {

constexpr int margin = 8;
constexpr int lanes_least = 138;  // below this the timeline's lanes have no room for their names
constexpr int canvas_least = 84;
constexpr int timeline_least = lanes_least + 40;
constexpr int usual_width = 1680, usual_height = 1040;  // as far as the screen has them
constexpr int roomy_height = 900, low_height = 660;
constexpr int least_width = 960, least_height = 600;    // everything has its place down to here

}  // namespace

MainWindow::MainWindow(const WindowSetup& setup) : setup_(setup), settings_(setup.settings) {
  if (setup_.canvas.fonts == nullptr) setup_.canvas.fonts = std::make_shared<ui::FontCache>();
  if (settings_ != nullptr) store_.emplace(*settings_);
  setObjectName(QStringLiteral("main"));
  setWindowIcon(program_icon());
  setAcceptDrops(true);
  setDockNestingEnabled(true);
  setContentsMargins(margin, margin, margin, margin);
  setCorner(Qt::BottomLeftCorner, Qt::BottomDockWidgetArea);
  setCorner(Qt::BottomRightCorner, Qt::BottomDockWidgetArea);
  setTabPosition(Qt::AllDockWidgetAreas, QTabWidget::North);
  const QSize room = screen()->availableGeometry().size();
  setMinimumSize(std::min(least_width, room.width()), std::min(least_height, room.height()));
  resize(std::min(usual_width, room.width()), std::min(usual_height, room.height()));
  make_docks();
  make_header();
  bind_actions();
  make_menus();
  connect_all();
  arrange();
  apply_look();
  actions_.refresh();
  show_title();
}

MainWindow::~MainWindow() {
  // The session empties its edits when it goes, after the actions that name them.
  disconnect(&session_.edits(), nullptr, this, nullptr);
  // The docks listen to the session, which is a member and would go first.
  for (Dock* dock : docks_) delete dock;
}

Dock* MainWindow::add_dock(const QString& id, const QString& title, QWidget* content) {
  auto* dock = new Dock(id, title, this);
  dock->set_content(content);
  docks_.push_back(dock);
  return dock;
}

void MainWindow::make_docks() {
  lesson_ = new LessonView(session_, settings_, this);
  Dock* lesson = add_dock(QStringLiteral("lesson"), tr("Lesson"), lesson_);
  connect(lesson_, &LessonView::title_changed, lesson,
          [lesson](const QString& title, const QString& subtitle) {
            lesson->set_title(title);
            lesson->set_subtitle(subtitle);
          });
  for (auto& panel : ui::make_panels()) {
    auto* canvas = new CanvasPanel(setup_.canvas, std::move(panel), session_, this);
    canvases_.push_back(canvas);
    canvas->setMinimumHeight(canvas->id() == QLatin1String("timeline") ? lanes_least : canvas_least);
    Dock* dock = add_dock(canvas->id(), canvas->title(), canvas);
    connect(canvas, &CanvasPanel::subtitle_changed, dock, &Dock::set_subtitle);
  }
  events_ = new EventView(session_, this);
  add_dock(QStringLiteral("events"), tr("Events"), events_);
  checks_ = new CheckView(session_, task_, this);
  Dock* divergences = add_dock(QStringLiteral("divergences"), tr("Engine and kernel"), checks_);
  connect(&session_, &Session::document_changed, divergences, [this, divergences] {
    divergences->set_subtitle(session_.document() == nullptr ? QString()
                                                             : summarise_checks(*session_.document()));
  });
  add_dock(QStringLiteral("details"), tr("Details"), new DetailsView(session_, this));
}

void MainWindow::make_header() {
  auto* header = new QWidget(this);
  auto* column = new QVBoxLayout(header);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  auto* menu = new QMenuBar(header);
  menu->setObjectName(QStringLiteral("menu"));
  menu->setNativeMenuBar(false);
  title_ = new QLabel(header);
  title_->setProperty("tone", "muted");
  title_->setObjectName(QStringLiteral("window-title"));
  title_->setContentsMargins(12, 0, 16, 0);
  title_->setAlignment(Qt::AlignRight | Qt::AlignVCenter);
  title_->setMinimumWidth(0);
  title_->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
  auto* top = new QHBoxLayout;
  top->setSpacing(0);
  top->addWidget(menu);
  top->addWidget(title_, 1);
  bar_ = new ToolBar(session_, actions_, header);
  column->addLayout(top);
  column->addWidget(bar_);
  column->addSpacing(margin);
  setMenuWidget(header);
  auto* notes = new NoteStack(this, header);
  message_ = new MessageBar(notes);
  progress_ = new ProgressBar(notes);
  notes->add(message_);
  working_ = new ProgressBar(notes);
  notes->add(progress_);
  notes->add(working_);
  palette_ = new CommandPalette(session_, actions_, this);
  toast_ = new Toast(this);
}

void MainWindow::make_menus() {
  auto* menus = findChild<QMenuBar*>(QStringLiteral("menu"));
  QHash<QString, QMenu*> by_name;
  for (const char* name : {"File", "Edit", "Run", "View", "Lessons", "Traces", "Help"}) {
    by_name.insert(QString::fromLatin1(name),
                   menus->addMenu(QStringLiteral("&") + QString::fromLatin1(name)));
  }
  for (QAction* action : actions_.actions()) {
    addAction(action);  // shortcuts work wherever the focus is
    QMenu* menu = by_name.value(QString::fromLatin1(ActionRegistry::row(action).menu), nullptr);
    if (menu == nullptr) continue;
    if (ActionRegistry::row(action).separator_before) menu->addSeparator();
    menu->addAction(action);
  }
  for (QMenu* menu : by_name) connect(menu, &QMenu::aboutToShow, &actions_, &ActionRegistry::refresh);
  auto* recent = new QMenu(tr("Open r&ecent"), this);
  by_name[QStringLiteral("File")]->insertMenu(actions_.action(QStringLiteral("file.reload")), recent);
  connect(recent, &QMenu::aboutToShow, this, [this, recent] { fill_recent(recent); });
  auto* samples = new QMenu(tr("Open &sample"), this);
  QMenu* traces = by_name[QStringLiteral("Traces")];
  traces->insertMenu(traces->actions().value(0), samples);
  connect(samples, &QMenu::aboutToShow, this, [this, samples] { fill_samples(samples); });
  QMenu* lessons = by_name[QStringLiteral("Lessons")];
  lessons->addSeparator();
  auto* list = new QMenu(tr("&Open lesson"), this);
  lessons->addMenu(list);
  connect(list, &QMenu::aboutToShow, lesson_, [this, list] { lesson_->fill_menu(list); });
}

void MainWindow::arrange() {
  const auto place = [this](const char* id) { return dock(QString::fromLatin1(id)); };
  Dock *lesson = place("lesson"), *walk = place("walk"), *bits = place("bits"), *decision = place("decision"),
       *history = place("history"), *timeline = place("timeline"), *events = place("events"),
       *divergences = place("divergences"), *details = place("details");
  for (Dock* each : docks_) {
    each->setFloating(false);
    removeDockWidget(each);
  }
  addDockWidget(Qt::LeftDockWidgetArea, lesson);
  splitDockWidget(lesson, walk, Qt::Horizontal);
  splitDockWidget(walk, decision, Qt::Horizontal);
  splitDockWidget(walk, bits, Qt::Vertical);
  splitDockWidget(decision, history, Qt::Vertical);
  addDockWidget(Qt::BottomDockWidgetArea, timeline);
  tabifyDockWidget(timeline, events);
  tabifyDockWidget(timeline, divergences);
  tabifyDockWidget(decision, details);
  for (Dock* each : {lesson, walk, bits, decision, history, timeline}) each->show();
  for (Dock* each : {events, divergences, details}) each->hide();
  size_docks();
}

void MainWindow::size_docks() {
  const auto place = [this](const char* id) { return dock(QString::fromLatin1(id)); };
  Dock *lesson = place("lesson"), *walk = place("walk"), *bits = place("bits"), *decision = place("decision"),
       *history = place("history"), *timeline = place("timeline");
  const int wide = width(), high = height();
  const auto across = [wide](int part) { return wide * part / usual_width; };
  const int lanes = std::max(timeline_least, high * 236 / usual_height);
  const int rest = std::max(2 * canvas_least, high - menuWidget()->height() - lanes - 4 * margin);
  // In low windows the bits need more than their half: two rows of them, and what other layouts read.
  const int upper = high < low_height ? rest * 40 / 100 : high < roomy_height ? rest * 47 / 100 : rest / 2;
  resizeDocks({lesson, walk, decision}, {across(330), across(900), across(418)}, Qt::Horizontal);
  resizeDocks({lesson, timeline}, {rest, lanes}, Qt::Vertical);
  resizeDocks({walk, bits}, {upper, rest - upper}, Qt::Vertical);
  resizeDocks({decision, history}, {rest / 2, rest - rest / 2}, Qt::Vertical);
}

void MainWindow::connect_all() {
  connect(&loader_, &DocumentLoader::started, this, [this](const QString& path) {
    progress_->start(QStringLiteral("Opening ") + QFileInfo(path).fileName());
  });
  connect(&loader_, &DocumentLoader::progressed, progress_, &ProgressBar::progress);
  connect(&loader_, &DocumentLoader::previewed, this, &MainWindow::document_previewed);
  connect(&loader_, &DocumentLoader::opened, this, &MainWindow::document_opened);
  connect(&loader_, &DocumentLoader::failed, this, &MainWindow::document_failed);
  connect(&loader_, &DocumentLoader::cancelled, this, [this](const QString& path) {
    progress_->stop();
    run_again_at_.reset();
    state_to_restore_.reset();
    leave_preview();
    toast_->say(tr("Opening %1 was cancelled").arg(QFileInfo(path).fileName()));
  });
  connect(lesson_, &LessonView::target_asked, this, &MainWindow::show_target);
  connect(lesson_, &LessonView::notice, toast_, &Toast::say);
  connect(lesson_, &LessonView::opened, this, [this] { dock(QStringLiteral("lesson"))->show(); });
  connect(progress_, &ProgressBar::cancelled, &loader_, &DocumentLoader::cancel);
  connect(&task_, &Task::started, this, [this](const QString& what) {
    working_->start(what);
    actions_.refresh();
  });
  connect(&task_, &Task::progressed, working_, &ProgressBar::progress);
  connect(&task_, &Task::ended, working_, &ProgressBar::stop);
  connect(&task_, &Task::ended, &actions_, &ActionRegistry::refresh);
  connect(working_, &ProgressBar::cancelled, &task_, &Task::cancel);
  connect(checks_, &CheckView::branch_asked, this, &MainWindow::make_branch);
  connect(&session_, &Session::toggle_asked, this, &MainWindow::toggle_bits);
  connect(message_, &MessageBar::open_asked, this, [this] { ask_to_open({}); });
  connect(bar_, &ToolBar::kernel_chosen, this, [this](const QString& id) {
    // The file that could not be opened for want of a kernel, while its failure is on show; else the open one.
    const bool asked = message_->isVisible() && !kernel_wanted_by_.isEmpty();
    const QString path = asked ? kernel_wanted_by_ : path_;
    if (path.isEmpty()) return;
    if (!asked) state_to_restore_ = session_.state();
    open(path, id);
  });
  connect(&bar_->search(), &QAbstractButton::clicked, this, [this] { palette_->open(&bar_->search()); });
  connect(&session_, &Session::notice, toast_, &Toast::say);
  connect(&session_, &Session::text_copied, this, [this](const QString& text) {
    QGuiApplication::clipboard()->setText(text);
    toast_->say(tr("Copied %1").arg(text.size() > 60 ? text.left(60) + QChar(0x2026) : text));
  });
  connect(&session_, &Session::document_changed, this, &MainWindow::show_title);
  QAction* find = actions_.action(QStringLiteral("edit.palette"));
  const auto show_key = [this, find] {
    bar_->search().set_key(find->shortcut().toString(QKeySequence::NativeText));
  };
  connect(find, &QAction::changed, this, show_key);
  show_key();
  autosave_.setSingleShot(true);
  autosave_.setInterval(2000);
  // The whole state, docks included: a program that is killed closes no window.
  connect(&autosave_, &QTimer::timeout, this, &MainWindow::save_state);
  for (Dock* each : docks_) {
    connect(each, &QDockWidget::dockLocationChanged, &autosave_, qOverload<>(&QTimer::start));
    connect(each, &QDockWidget::topLevelChanged, &autosave_, qOverload<>(&QTimer::start));
    connect(each, &QDockWidget::visibilityChanged, &autosave_, qOverload<>(&QTimer::start));
  }
  for (const auto signal :
       {&Session::document_changed, &Session::position_changed, &Session::selection_changed,
        &Session::reading_changed, &Session::breakpoints_changed, &Session::bookmarks_changed,
        &Session::compared_changed}) {
    connect(&session_, signal, &actions_, &ActionRegistry::refresh);
    connect(&session_, signal, &autosave_, qOverload<>(&QTimer::start));
  }
}

void MainWindow::show_title() {
  const traces::Document* open = session_.document();
  if (open == nullptr) {
    setWindowTitle(QStringLiteral("hmmscope"));
    title_->setText(QStringLiteral("hmmscope"));
    return;
  }
  const QString name = QString::fromStdString(open->title);
  setWindowTitle(name + QStringLiteral(" — hmmscope"));
  const QString whole =
      QStringLiteral("hmmscope — %1 • %2").arg(name, QString::fromStdString(open->model.title));
  const int room = title_->contentsRect().width();
  const QFontMetrics metrics(title_->font());
  title_->setText(metrics.horizontalAdvance(whole) <= room ? whole
                                                           : metrics.elidedText(name, Qt::ElideMiddle, room));
  title_->setToolTip(path_);
}

Dock* MainWindow::dock(const QString& id) const {
  for (Dock* each : docks_) {
    if (each->objectName() == QStringLiteral("dock.") + id) return each;
  }
  return nullptr;
}

CanvasPanel* MainWindow::canvas(const QString& id) const {
  for (CanvasPanel* each : canvases_) {
    if (each->id() == id) return each;
  }
  return nullptr;
}

bool MainWindow::event(QEvent* event) {
  if (event->type() == QEvent::ThemeChange) Q_EMIT platform_changed();
  const bool done = QMainWindow::event(event);
  if (event->type() == QEvent::Resize && title_ != nullptr) show_title();
  if (event->type() == QEvent::Resize && arranged_) {
    autosave_.start();
    // Left alone, the bottom gets all that a window grows by.
    if (!sized_by_hand_) QTimer::singleShot(0, this, &MainWindow::size_docks);
  }
  if (event->type() == QEvent::MouseButtonPress &&
      (cursor().shape() == Qt::SplitHCursor || cursor().shape() == Qt::SplitVCursor)) {
    sized_by_hand_ = true;
    if (settings_ != nullptr) settings_->setValue(QStringLiteral("window/by_hand"), true);
  }
  return done;
}

void MainWindow::dragEnterEvent(QDragEnterEvent* event) {
  const auto urls = event->mimeData()->urls();
  if (!urls.isEmpty() && urls.first().isLocalFile()) event->acceptProposedAction();
}

void MainWindow::dropEvent(QDropEvent* event) {
  const auto urls = event->mimeData()->urls();
  if (urls.isEmpty() || !urls.first().isLocalFile()) return;
  event->acceptProposedAction();
  open(urls.first().toLocalFile());
  if (urls.size() > 1) toast_->say(tr("One file at a time: opening %1").arg(urls.first().fileName()));
}

void MainWindow::showEvent(QShowEvent* event) {
  QMainWindow::showEvent(event);
  if (arranged_) return;
  arranged_ = true;
  setFocus();  // no panel has it yet: arrows step
  if (settings_ == nullptr || !settings_->contains(QStringLiteral("window/layout"))) arrange();
  // Again when the header has its height; and a layout that was kept may be of a smaller screen.
  if (!sized_by_hand_) QTimer::singleShot(0, this, &MainWindow::size_docks);
}

void MainWindow::paintEvent(QPaintEvent*) {
  // The margin around the docks insets the header too; its colours go on to the edges of the window.
  QPainter painter(this);
  const Colours& c = colours(session_.theme());
  painter.fillRect(rect(), c.window);
  const QRect bar(bar_->mapTo(this, QPoint()), bar_->size());
  painter.fillRect(QRect(0, 0, width(), bar.top()), c.menu);
  painter.fillRect(QRect(0, bar.top(), width(), bar.height()), c.bar);
  painter.fillRect(QRect(0, bar.bottom(), width(), 1), c.border);
}

void MainWindow::closeEvent(QCloseEvent* event) {
  save_state();
  QMainWindow::closeEvent(event);
}

}  // namespace hmmscope::app
