#pragma once
/// What a canvas dock holds: the picture, and the same facts as a table for screen readers, copying and those
/// who prefer text. One of the two is shown.

#include <QString>
#include <QWidget>
#include <memory>

#include "app/gui/canvas_surface.h"

class QStackedLayout;
class QTableView;

namespace hmmscope::app {

class PanelTableModel;

class CanvasPanel : public QWidget {
  Q_OBJECT
 public:
  /// `session` must outlive the widget.
  CanvasPanel(const CanvasSetup& setup, std::unique_ptr<ui::Panel> panel, Session& session, QWidget* parent);

  QString id() const;
  QString title() const;
  QString subtitle() const;
  void show_table(bool table);
  bool shows_table() const;
  /// Tab-separated, with the header.
  QString table_text() const;
  /// The picture at its present size, drawn in software.
  Result<void> save_picture(const QString& path, float scale) const;
  CanvasDriver& driver() { return *driver_; }
  const CanvasDriver& driver() const { return *driver_; }
  QWidget* surface() const { return surface_; }

 Q_SIGNALS:
  void subtitle_changed(const QString& subtitle);

 private:
  void refresh();

  Session& session_;
  QWidget* surface_;
  CanvasDriver* driver_;
  QStackedLayout* stack_;
  QTableView* table_;
  PanelTableModel* model_;
};

}  // namespace hmmscope::app
