#include "app/gui/check_view.h"

#include <QCheckBox>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QSplitter>
#include <QTableView>
#include <QTextBrowser>
#include <QVBoxLayout>
#include <algorithm>
#include <utility>

#include "app/gui/fonts.h"
#include "app/gui/text_format.h"

namespace hmmscope::app {
namespace {

enum Column : int { verdict, step, call, word, reason, column_count };

QString text_of(std::string_view text) {
  return QString::fromUtf8(text.data(), static_cast<qsizetype>(text.size()));
}

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

QString row(const QString& name, const QString& value) {
  return QStringLiteral("<tr><td style='padding-right:16px'>%1</td><td><code>%2</code></td></tr>")
      .arg(name, value.toHtmlEscaped());
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

QString describe_check(const Recording& recording, const CallCheck& check, const Layout* layout) {
  QString html = QStringLiteral("<p>%1</p><table>").arg(QString::fromStdString(check.reason).toHtmlEscaped());
  if (check.word != no_word) {
    html += row(QStringLiteral("word"), QString::fromStdString(recording.word_name(check.word)));
    html += row(QStringLiteral("kernel"), hex_word(check.kernel));
    html += row(QStringLiteral("engine"), hex_word(check.engine));
    const uint64_t differing = (check.kernel ^ check.engine) & check.known;
    html += row(QStringLiteral("differing bits"), hex_word(differing));
    if (check.known != ~uint64_t{0}) html += row(QStringLiteral("bits compared"), hex_word(check.known));
    if (layout != nullptr &&
        family_of(recording.regions()[recording.region_of(check.word)].kind) == layout->family) {
      html += row(QStringLiteral("kernel reads"), QString::fromStdString(describe(*layout, check.kernel)));
      html += row(QStringLiteral("engine reads"), QString::fromStdString(describe(*layout, check.engine)));
      for (const Field& field : layout->fields) {
        if ((field.mask() & differing) == 0) continue;
        html += row(QString::fromUtf8(field.name), QStringLiteral("kernel 0x%1, engine 0x%2")
                                                       .arg(field.get(check.kernel), 0, 16)
                                                       .arg(field.get(check.engine), 0, 16));
      }
    }
  }
  if (check.verdict == Verdict::diverged) {
    html += row(QStringLiteral("engine's rule"), text_of(rule(check.rule).id));
    html += row(QString(), text_of(rule(check.rule).statement));
  }
  html += row(QStringLiteral("words"), QStringLiteral("%1 compared, %2 unknown")
                                           .arg(grouped(check.words_compared), grouped(check.words_unknown)));
  return html + QStringLiteral("</table>");
}

QString summarise_checks(const Recording& recording) {
  uint64_t count[3] = {0, 0, 0};
  for (const CallCheck& check : recording.checks()) ++count[static_cast<size_t>(check.verdict)];
  if (recording.checks().empty()) return QObject::tr("This recording holds no kernel calls to check.");
  return QObject::tr("%1 calls: %2 agreed, %3 diverged, %4 unknown")
      .arg(grouped(count[0] + count[1] + count[2]), grouped(count[0]), grouped(count[1]), grouped(count[2]));
}

CheckView::CheckView(Session& session, QWidget* parent)
    : QWidget(parent),
      session_(session),
      summary_(new QLabel(this)),
      differing_(new QCheckBox(tr("only what did not agree"), this)),
      table_(new QTableView(this)),
      model_(new CheckModel(this)),
      text_(new QTextBrowser(this)) {
  summary_->setTextInteractionFlags(Qt::TextSelectableByMouse);
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
  auto* line = new QHBoxLayout;
  line->setContentsMargins(14, 8, 14, 6);
  line->addWidget(summary_, 1);
  line->addWidget(differing_);
  auto* split = new QSplitter(Qt::Horizontal, this);
  split->addWidget(table_);
  split->addWidget(text_);
  split->setStretchFactor(0, 3);
  split->setStretchFactor(1, 2);
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
  connect(table_, &QTableView::activated, this, [this](const QModelIndex& index) {
    const CallCheck* check = model_->check_at(index.row());
    if (check == nullptr || check->step == no_step) return;
    if (check->word != no_word) session_.select(check->word);
    session_.seek(check->step + 1);
  });
  set_zoom(1);
  refill();
}

void CheckView::set_zoom(double zoom) {
  const QFont mono = mono_font(zoom, 12);
  table_->setFont(mono);
  const QFontMetrics metrics(mono);
  table_->verticalHeader()->setDefaultSectionSize(metrics.height() + 6);
  const int widths[] = {12, 12, 20, 22, 40};
  for (int i = 0; i < column_count; ++i) table_->setColumnWidth(i, metrics.averageCharWidth() * widths[i]);
}

void CheckView::refill() {
  const bool open = session_.document() != nullptr;
  model_->set_recording(open ? session_.document()->recording : nullptr, !differing_->isChecked());
  summary_->setText(open ? summarise_checks(*session_.recording()) : tr("Nothing is open."));
  if (model_->rowCount() > 0) table_->selectRow(0);
  describe();
}

void CheckView::describe() {
  const CallCheck* check = model_->check_at(table_->currentIndex().row());
  if (check == nullptr) {
    text_->clear();
    return;
  }
  text_->setHtml(describe_check(*session_.recording(), *check, session_.layout()));
}

}  // namespace hmmscope::app
