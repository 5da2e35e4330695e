#pragma once
/// Writing the open document to a file in one of the formats of traces/export.

#include <QString>
#include <QStringList>
#include <filesystem>
#include <vector>

#include "app/gui/core.h"

namespace hmmscope::app {

/// What the export dialog offers, by suffix.
struct ExportChoice {
  QString name;    ///< "jsonl", as `hmmscope export --as` calls it
  QString suffix;  ///< without the dot
  QString filter;  ///< "JSON lines (*.jsonl)"
};
const std::vector<ExportChoice>& export_choices();
/// The format a file of that name gets: the one its suffix names, when that is one of them, else `chosen`.
const ExportChoice& choice_for(const QString& path, const ExportChoice& chosen);

/// Writes `document` to `path`. A failure or a cancellation leaves an existing file as it was; csv writes a
/// second file beside it, "run.pfns.csv" to "run.csv". Threads: any. A cancelled export fails with the message
/// "cancelled".
Result<void> export_file(const traces::Document& document, const QString& format,
                         const std::filesystem::path& path, const traces::Progress& progress);

}  // namespace hmmscope::app
