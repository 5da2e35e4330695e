#include "app/gui/check_view.h"

#include <QCheckBox>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QPushButton>
#include <QSplitter>
#include <QTableView>
#include <QTextBrowser>
#include <QUrl>
#include <QVBoxLayout>
#include <algorithm>
#include <utility>

#include "app/gui/fonts.h"
#include "app/gui/task.h"
#include "app/gui/text_format.h"
#include "app/gui/trial_progress.h"

namespace hmmscope::app {
namespace {

enum Column : int { verdict, step, call, word, reason, column_count };

QString verdict_name(Verdict value) {
  switch (value) {
    case Verdict::agreed:
      return QStringLiteral("agreed");
    case Verdict::diverged:
      return QStringLiteral("diverged");
    case Verdict::unknown:
      return QStringLiteral("unknown");
  }
  return {};
}

}  // namespace

void CheckModel::set_recording(std::shared_ptr<const Recording> recording, bool with_agreed) {
  beginResetModel();
  recording_ = std::move(recording);
  shown_.clear();
  if (recording_) {
    const auto checks = recording_->checks();
    for (uint32_t i = 0; i < checks.size(); ++i) {
      if (with_agreed || checks[i].verdict != Verdict::agreed) shown_.push_back(i);
    }
    // What diverged comes first, then what could not be told; otherwise in the order of the recording.
    const auto weight = [&](uint32_t i) {
      return checks[i].verdict == Verdict::diverged ? 0 : checks[i].verdict == Verdict::unknown ? 1 : 2;
    };
    std::stable_sort(shown_.begin(), shown_.end(),
                     [&](uint32_t a, uint32_t b) { return weight(a) < weight(b); });
  }
  endResetModel();
}

const CallCheck* CheckModel::check_at(int row) const {
  if (row < 0 || static_cast<size_t>(row) >= shown_.size()) return nullptr;
  return &recording_->checks()[shown_[static_cast<size_t>(row)]];
}

int CheckModel::rowCount(const QModelIndex& parent) const {
  return parent.isValid() ? 0 : static_cast<int>(shown_.size());
}

int CheckModel::columnCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : column_count; }

QVariant CheckModel::data(const QModelIndex& index, int role) const {
  const CallCheck* check = check_at(index.row());
  if (check == nullptr) return {};
  if (role == Qt::ToolTipRole) return QString::fromStdString(check->reason);
  if (role != Qt::DisplayRole) return {};
  switch (index.column()) {
    case verdict:
      return verdict_name(check->verdict);
    case step:
      return check->step == no_step ? QString() : grouped(uint64_t{check->step} + 1);
    case call:
      return check->call == no_call ? QString()
                                    : text_of(function_name(recording_->calls()[check->call].function));
    case word:
      return check->word == no_word ? QString() : QString::fromStdString(recording_->word_name(check->word));
    case reason:
      return QString::fromStdString(check->reason);
    default:
      return {};
  }
}

QVariant CheckModel::headerData(int section, Qt::Orientation orientation, int role) const {
  if (orientation != Qt::Horizontal) return {};
  if (role == Qt::TextAlignmentRole) return static_cast<int>(Qt::AlignLeft | Qt::AlignVCenter);
  if (role != Qt::DisplayRole) return {};
  static constexpr const char* names[] = {"Verdict", "Step", "Call", "Word", "Reason"};
  return QString::fromLatin1(names[section]);
}

CheckView::CheckView(Session& session, Task& task, QWidget* parent)
    : QWidget(parent),
      session_(session),
      task_(task),
      differing_(new QCheckBox(tr("only what did not agree"), this)),
      table_(new QTableView(this)),
      model_(new CheckModel(this)),
      text_(new QTextBrowser(this)),
      go_(new QPushButton(tr("Go there"), this)),
      try_(new QPushButton(tr("Try other kernels"), this)),
      branch_(new QPushButton(tr("Branch from this call"), this)) {
  table_->setModel(model_);
  table_->setAccessibleName(tr("Checked calls"));
  table_->setShowGrid(false);
  table_->setWordWrap(false);
  table_->setSelectionBehavior(QAbstractItemView::SelectRows);
  table_->setSelectionMode(QAbstractItemView::SingleSelection);
  table_->setTabKeyNavigation(false);
  table_->verticalHeader()->hide();
  table_->verticalHeader()->setSectionResizeMode(QHeaderView::Fixed);
  table_->horizontalHeader()->setStretchLastSection(true);
  table_->horizontalHeader()->setHighlightSections(false);
  text_->setOpenLinks(false);
  text_->document()->setDocumentMargin(14);
  text_->setAccessibleName(tr("The chosen call: kernel and engine"));
  go_->setToolTip(tr("Go to where engine and kernel part, and select the word"));
  try_->setToolTip(tr("Run the trace under every other kernel model: one that agrees explains the difference"));
  branch_->setToolTip(tr("Make an editable scenario of this call: what if a bit had been different?"));
  auto* line = new QHBoxLayout;
  line->setContentsMargins(14, 6, 14, 4);
  line->setSpacing(8);
  line->addWidget(differing_);
  line->addStretch(1);
  for (QPushButton* button : {go_, try_, branch_}) line->addWidget(button);
  auto* split = new QSplitter(Qt::Horizontal, this);
  split->addWidget(table_);
  split->addWidget(text_);
  split->setStretchFactor(0, 1);
  split->setStretchFactor(1, 1);
  auto* column = new QVBoxLayout(this);
  column->setContentsMargins(0, 0, 0, 0);
  column->setSpacing(0);
  column->addLayout(line);
  column->addWidget(split, 1);
  setFocusProxy(table_);
  connect(differing_, &QCheckBox::toggled, this, &CheckView::refill);
  connect(&session_, &Session::document_changed, this, &CheckView::refill);
  connect(&session_, &Session::reading_changed, this, &CheckView::describe);
  connect(table_->selectionModel(), &QItemSelectionModel::currentRowChanged, this, &CheckView::describe);
  connect(table_, &QTableView::activated, this, [this](const QModelIndex& index) { go_to_row(index.row()); });
  connect(text_, &QTextBrowser::anchorClicked, this, [this](const QUrl& link) { follow_link(link.toString()); });
  connect(go_, &QPushButton::clicked, this, [this] { go_to_row(table_->currentIndex().row()); });
  connect(try_, &QPushButton::clicked, this, &CheckView::try_models);
  const auto show_buttons = [this] {
    try_->setEnabled(can_try_models());
    branch_->setEnabled(can_branch());
  };
  connect(&task_, &Task::started, this, show_buttons);
  connect(&task_, &Task::ended, this, show_buttons);
  connect(branch_, &QPushButton::clicked, this, [this] {
    go_to_row(table_->currentIndex().row());
    Q_EMIT branch_asked();
  });
  set_zoom(1);
  refill();
}

void CheckView::set_zoom(double zoom) {
  const QFont mono = mono_font(zoom, 12);
  table_->setFont(mono);
  text_->document()->setDefaultStyleSheet(
      QStringLiteral("code { font-family: '%1'; } h4 { margin-bottom: 2px; } li { margin-bottom: 4px; }")
          .arg(mono.family()));
  const QFontMetrics metrics(mono);
  table_->verticalHeader()->setDefaultSectionSize(metrics.height() + 6);
  fit_columns();
  describe();
}

void CheckView::fit_columns() {
  const QFontMetrics metrics(table_->font());
  const int character = metrics.averageCharWidth(), air = character * 3;
  // Of a long table only the first thousand rows are looked at: later ones have larger steps and other calls.
  const auto longest_call = text_of(function_name(Function::migrate_vma_finalize));
  const int least[column_count] = {character * 8, metrics.horizontalAdvance(grouped(session_.steps())) + air,
                                   metrics.horizontalAdvance(longest_call) + air, character * 8, character * 8};
  table_->resizeColumnsToContents();
  for (int i = 0; i < column_count; ++i)
    table_->setColumnWidth(i, std::max(least[i], std::min(table_->columnWidth(i), character * 48)));
}

void CheckView::refill() {
  if (document_ != session_.shared_document()) {
    document_ = session_.shared_document();
    trials_.clear();
  }
  const bool open = document_ != nullptr;
  model_->set_recording(open ? document_->recording : nullptr, !differing_->isChecked());
  fit_columns();
  if (model_->rowCount() > 0) table_->selectRow(0);
  describe();
}

void CheckView::describe() {
  const CallCheck* check = model_->check_at(table_->currentIndex().row());
  go_->setEnabled(check != nullptr && check->step != no_step);
  branch_->setEnabled(can_branch());
  try_->setEnabled(can_try_models());
  if (check != nullptr) {
    text_->setHtml(describe_check(*document_, *check, session_.layout(), trials_));
  } else if (document_ != nullptr && document_->kind == traces::SourceKind::scenario) {
    text_->setHtml(describe_scenario(*document_));
  } else {
    text_->clear();
  }
}

QString CheckView::text() const { return text_->toPlainText(); }

void CheckView::go_to_row(int row) {
  const CallCheck* check = model_->check_at(row);
  if (check == nullptr || check->step == no_step) return;
  if (check->word != no_word) session_.select(check->word);
  session_.seek(check->step + 1);
}

void CheckView::follow_link(const QString& link) {
  if (link == QLatin1String("try")) return try_models();
  bool ok = false;
  const StepIndex position = link.section(QLatin1Char(':'), 1).toUInt(&ok);
  if (ok && link.startsWith(QLatin1String("step:"))) session_.seek(position);
}

bool CheckView::can_try_models() const {
  if (document_ == nullptr || document_->kind != traces::SourceKind::trace || !trials_.empty()) return false;
  if (session_.loading() || task_.busy()) return false;
  const auto checks = document_->recording->checks();
  return std::any_of(checks.begin(), checks.end(),
                     [](const CallCheck& check) { return check.verdict == Verdict::diverged; });
}

bool CheckView::can_branch() const {
  const CallCheck* check = model_->check_at(table_->currentIndex().row());
  return check != nullptr && check->call != no_call && document_->kind == traces::SourceKind::trace &&
         !session_.loading() && !task_.busy();
}

void CheckView::try_models() {
  if (!can_try_models()) return;
  const auto found = std::make_shared<std::vector<traces::ModelTrial>>();
  task_.start(
      tr("Trying other kernels"),
      [document = document_, found](const traces::Progress& progress) -> Result<void> {
        const auto models = kernel_models();
        const auto others = std::count_if(models.begin(), models.end(), [&](const KernelModel& model) {
          return model.id != document->model.id;
        });
        TrialProgress shown(progress, static_cast<size_t>(others));
        auto trials =
            traces::try_models(*document, shown.of_model(), [&](std::string_view model) { shown.begin(model); });
        if (!trials) return tl::unexpected(trials.error());
        *found = std::move(*trials);
        return {};
      },
      [this, document = document_, found](const Result<void>& result) {
        if (document != document_) return;  // something else was opened meanwhile
        if (result) {
          trials_ = std::move(*found);
          describe();
        } else {
          Q_EMIT session_.notice(tr("Other kernels could not be tried: %1")
                                     .arg(QString::fromStdString(result.error().to_string())));
        }
      });
}

}  // namespace hmmscope::app
