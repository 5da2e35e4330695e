#include "app/gui/tool_bar.h"

#include <QActionGroup>
#include <QHBoxLayout>
#include <QMenu>
#include <QPainter>
#include <QToolButton>

#include "app/gui/text_format.h"

namespace hmmscope::app {
namespace {

constexpr const char* run_buttons[] = {"run.start",     "run.previous_call", "run.back", "run.step",
                                       "run.step_over", "run.next_call",     "run.end"};

void add_choice(QMenu* menu, QActionGroup* group, const QString& text, bool chosen,
                const std::function<void()>& run) {
  QAction* action = menu->addAction(text);
  action->setCheckable(true);
  action->setChecked(chosen);
  group->addAction(action);
  QObject::connect(action, &QAction::triggered, menu, run);
}

}  // namespace

ToolBar::ToolBar(Session& session, ActionRegistry& actions, QWidget* parent)
    : QWidget(parent),
      session_(session),
      step_(new StepField(this)),
      layout_(new ChoiceButton(tr("Layout"), this)),
      machine_(new ChoiceButton(tr("Machine"), this)),
      search_(new SearchButton(this)),
      layouts_(new QMenu(this)),
      machines_(new QMenu(this)) {
  auto* row = new QHBoxLayout(this);
  row->setContentsMargins(14, 7, 14, 8);
  row->setSpacing(6);
  for (const char* id : run_buttons) {
    auto* button = new QToolButton(this);
    button->setDefaultAction(actions.action(QString::fromLatin1(id)));
    button->setProperty("look", "tool");
    button->setToolButtonStyle(Qt::ToolButtonIconOnly);
    button->setFocusPolicy(Qt::TabFocus);
    button->setAutoRepeat(true);
    row->addWidget(button);
    buttons_.push_back(button);
  }
  row->addSpacing(6);
  row->addWidget(step_);
  row->addSpacing(4);
  row->addWidget(layout_);
  row->addSpacing(4);
  row->addWidget(machine_);
  row->addSpacing(12);
  row->addStretch(1);
  row->addWidget(search_);
  layout_->setToolTip(tr("The layout that hmm_pfns words are read with"));
  machine_->setToolTip(tr("The kernel model that the engine follows, and the page geometry"));
  layout_->set_menu(layouts_);
  machine_->set_menu(machines_);
  connect(layouts_, &QMenu::aboutToShow, this, &ToolBar::fill_layouts);
  connect(machines_, &QMenu::aboutToShow, this, &ToolBar::fill_machines);
  connect(step_, &StepField::asked, &session_, &Session::seek);
  connect(step_, &StepField::rejected, &session_, &Session::notice);
  const auto show_position = [this] { step_->show_position(session_.position(), session_.steps()); };
  connect(&session_, &Session::position_changed, this, show_position);
  connect(&session_, &Session::document_changed, this, show_position);
  connect(&session_, &Session::document_changed, this, &ToolBar::show_reading);
  connect(&session_, &Session::reading_changed, this, &ToolBar::show_reading);
  show_position();
  show_reading();
  set_zoom(1);
}

void ToolBar::set_zoom(double zoom) {
  const int side = qRound(32 * std::max(1.0, zoom));
  for (QToolButton* button : buttons_) {
    button->setFixedSize(qRound(side * 1.2), side);
    button->setIconSize(QSize(qRound(side * 0.56), qRound(side * 0.56)));
  }
  step_->set_zoom(zoom);
}

void ToolBar::show_reading() {
  const Layout* layout = session_.layout();
  layout_->set_value(layout == nullptr ? QString() : QString::fromUtf8(layout->title),
                     layout == nullptr ? QString() : QString::fromUtf8(layout->id));
  const Geometry* geometry = session_.geometry();
  QString machine = geometry == nullptr ? QString() : QString::fromUtf8(geometry->title);
  if (session_.document() != nullptr) {
    machine = QString::fromStdString(session_.document()->model.id) + QStringLiteral(" · ") + machine;
  }
  machine_->set_value(machine, session_.document() == nullptr
                                   ? QString()
                                   : QString::fromStdString(session_.document()->model.id));
}

void ToolBar::fill_layouts() {
  layouts_->clear();
  auto* group = new QActionGroup(layouts_);
  add_choice(layouts_, group, tr("As the document's kernel"), session_.chosen_layout().isEmpty(),
             [this] { session_.choose_layout({}); });
  layouts_->addSeparator();
  const uint8_t bits = session_.geometry() == nullptr ? uint8_t{64} : session_.geometry()->word_bits;
  for (const Layout& layout : layouts()) {
    if (layout.family != Family::hmm_pfn || layout.word_bits != bits) continue;
    const QString id = QString::fromUtf8(layout.id);
    add_choice(layouts_, group, QString::fromUtf8(layout.title) + QLatin1Char('\t') + id,
               session_.chosen_layout() == id, [this, id] { session_.choose_layout(id); });
  }
}

void ToolBar::fill_machines() {
  machines_->clear();
  auto* kernels = new QActionGroup(machines_);
  machines_->addAction(tr("Kernel model"))->setEnabled(false);
  const QString model =
      session_.document() == nullptr ? QString() : QString::fromStdString(session_.document()->model.id);
  const bool own = kernel_.isEmpty();
  add_choice(machines_, kernels, own && !model.isEmpty() ? tr("As the file says") + QLatin1Char('\t') + model
                                                         : tr("As the file says"),
             own, [this] { Q_EMIT kernel_chosen({}); });
  for (const KernelModel& kernel : kernel_models()) {
    const QString id = QString::fromStdString(kernel.id);
    add_choice(machines_, kernels, QString::fromStdString(kernel.title) + QLatin1Char('\t') + id,
               !own && id == model, [this, id] { Q_EMIT kernel_chosen(id); });
  }
  auto* machines = new QActionGroup(machines_);
  machines_->addSeparator();
  machines_->addAction(tr("Page geometry"))->setEnabled(false);
  for (const Geometry& geometry : geometries()) {
    const QString id = text_of(geometry.id);
    add_choice(machines_, machines, text_of(geometry.title) + QLatin1Char('\t') + id,
               session_.geometry() == &geometry, [this, id] { session_.choose_geometry(id); });
  }
}

void ToolBar::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  painter.fillRect(rect(), palette().color(QPalette::Window));
  painter.setPen(palette().color(QPalette::Mid));
  painter.drawLine(0, height() - 1, width(), height() - 1);
}

}  // namespace hmmscope::app
