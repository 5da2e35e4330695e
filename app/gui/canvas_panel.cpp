#include "app/gui/canvas_panel.h"

#include <QAbstractTableModel>
#include <QHeaderView>
#include <QStackedLayout>
#include <QTableView>
#include <utility>

#include "app/gui/fonts.h"

namespace hmmscope::app {

/// A panel's table as Qt wants it. Made anew when the session changed, and only while it is shown.
class PanelTableModel : public QAbstractTableModel {
 public:
  using QAbstractTableModel::QAbstractTableModel;
  void set(ui::Table table) {
    beginResetModel();
    table_ = std::move(table);
    endResetModel();
  }
  int rowCount(const QModelIndex& parent) const override {
    return parent.isValid() ? 0 : static_cast<int>(table_.rows.size());
  }
  int columnCount(const QModelIndex& parent) const override {
    return parent.isValid() ? 0 : static_cast<int>(table_.header.size());
  }
  QVariant data(const QModelIndex& index, int role) const override {
    if (role != Qt::DisplayRole && role != Qt::AccessibleTextRole) return {};
    const auto& row = table_.rows[static_cast<size_t>(index.row())];
    const auto column = static_cast<size_t>(index.column());
    return column < row.size() ? QString::fromStdString(row[column]) : QString();
  }
  QVariant headerData(int section, Qt::Orientation orientation, int role) const override {
    if (role == Qt::TextAlignmentRole) return static_cast<int>(Qt::AlignLeft | Qt::AlignVCenter);
    if (orientation != Qt::Horizontal || role != Qt::DisplayRole) return {};
    return QString::fromStdString(table_.header[static_cast<size_t>(section)]);
  }

 private:
  ui::Table table_;
};

CanvasPanel::CanvasPanel(const CanvasSetup& setup, std::unique_ptr<ui::Panel> panel, Session& session,
                         QWidget* parent)
    : QWidget(parent),
      session_(session),
      surface_(make_canvas_surface(setup, std::move(panel), session, this)),
      driver_(driver_of(surface_)),
      stack_(new QStackedLayout(this)),
      table_(new QTableView(this)),
      model_(new PanelTableModel(this)) {
  stack_->addWidget(surface_);
  stack_->addWidget(table_);
  table_->setModel(model_);
  table_->verticalHeader()->hide();
  table_->setShowGrid(false);
  table_->setSelectionBehavior(QAbstractItemView::SelectRows);
  table_->setTabKeyNavigation(false);
  table_->horizontalHeader()->setStretchLastSection(true);
  table_->horizontalHeader()->setHighlightSections(false);
  surface_->setAccessibleName(title());
  table_->setAccessibleName(title() + QStringLiteral(", as a table"));
  setFocusProxy(surface_);
  for (const auto signal : {&Session::document_changed, &Session::position_changed,
                            &Session::selection_changed, &Session::reading_changed}) {
    connect(&session_, signal, this, &CanvasPanel::refresh);
  }
}

QString CanvasPanel::id() const {
  const std::string_view id = driver().canvas().panel().id();
  return QString::fromUtf8(id.data(), static_cast<qsizetype>(id.size()));
}

QString CanvasPanel::title() const {
  const std::string_view title = driver().canvas().panel().title();
  return QString::fromUtf8(title.data(), static_cast<qsizetype>(title.size()));
}

QString CanvasPanel::subtitle() const {
  return QString::fromStdString(driver().canvas().panel().subtitle(session_.view()));
}

void CanvasPanel::show_table(bool table) {
  stack_->setCurrentWidget(table ? static_cast<QWidget*>(table_) : surface_);
  setFocusProxy(stack_->currentWidget());
  refresh();
}

bool CanvasPanel::shows_table() const { return stack_->currentWidget() == table_; }

void CanvasPanel::refresh() {
  const QString where = subtitle();
  surface_->setAccessibleDescription(where);
  Q_EMIT subtitle_changed(where);
  if (!shows_table()) return;
  table_->setFont(mono_font(font().pixelSize() / 14.0));
  model_->set(driver().canvas().panel().table(session_.view()));
  table_->resizeColumnsToContents();
}

QString CanvasPanel::table_text() const {
  const ui::Table table = driver().canvas().panel().table(session_.view());
  QString text;
  const auto add = [&](const std::vector<std::string>& cells) {
    QStringList line;
    for (const std::string& cell : cells) line << QString::fromStdString(cell);
    text += line.join(QLatin1Char('\t')) + QLatin1Char('\n');
  };
  add(table.header);
  for (const auto& row : table.rows) add(row);
  return text;
}

Result<void> CanvasPanel::save_picture(const QString& path, float scale) const {
  auto panel = ui::make_panel(driver().canvas().panel().id());
  if (!panel) return fail("this panel cannot be drawn on its own");
  ui::Canvas canvas(std::move(panel));
  ui::Intents ignored;
  const ui::CanvasSize size{surface_->width(), surface_->height(), scale};
  // Until it has settled: the first frame only measures.
  for (int i = 0; i < 4; ++i) {
    canvas.frame(size, {}, session_.view(), ignored);
    if (!canvas.wants_another_frame()) break;
  }
  ui::Image image;
  canvas.rasterise(image);
  return ui::save_png(image, path.toStdString());
}

}  // namespace hmmscope::app
