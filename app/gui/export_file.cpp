#include "app/gui/export_file.h"

#include <QHash>
#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "engine/base/output_file.h"
#include "engine/recording/recording_file.h"
#include "traces/export/export.h"

namespace hmmscope::app {
namespace {

/// Writers ask nobody whether to go on: what they write after a cancellation goes nowhere.
class WatchedSink : public traces::Sink {
 public:
  WatchedSink(traces::Sink& inner, const traces::Progress& progress) : inner_(inner), progress_(progress) {}
  void write(std::string_view bytes) override {
    cancelled_ = cancelled_ || progress_.cancelled();
    if (cancelled_) return;
    inner_.write(bytes);
    written_ += bytes.size();
    progress_.at("bytes written", written_, 0);
  }
  bool cancelled() const { return cancelled_; }

 private:
  traces::Sink& inner_;
  const traces::Progress& progress_;
  uint64_t written_ = 0;
  bool cancelled_ = false;
};

using Writer = void (*)(const traces::Document&, traces::Sink&);

/// All or none: what cannot be opened is known before one of them is replaced.
Result<void> write_files(const traces::Document& document, const std::vector<std::pair<std::filesystem::path, Writer>>& files,
                         const traces::Progress& progress) {
  std::vector<std::unique_ptr<traces::FileSink>> sinks;
  for (const auto& [path, writer] : files) {
    if (auto other = check_not_input(path, document.path); !other) return other;
    auto file = traces::FileSink::create(path);
    if (!file) return tl::unexpected(file.error());
    WatchedSink watched(**file, progress);
    writer(document, watched);
    if (watched.cancelled()) return fail("cancelled");
    sinks.push_back(std::move(*file));
  }
  for (const auto& sink : sinks) {
    if (auto done = sink->finish(); !done) return done;
  }
  return {};
}

std::filesystem::path pfns_beside(const std::filesystem::path& path) {
  return path.parent_path() / (path.stem().string() + ".pfns" + path.extension().string());
}

}  // namespace

const std::vector<ExportChoice>& export_choices() {
  static const std::vector<ExportChoice> choices = [] {
    const QHash<QString, QString> titles = {{QStringLiteral("jsonl"), QStringLiteral("JSON lines")},
                                            {QStringLiteral("chrome"), QStringLiteral("Chrome and Perfetto trace")},
                                            {QStringLiteral("csv"), QStringLiteral("Tables of calls and of pfns")},
                                            {QStringLiteral("html"), QStringLiteral("Report with pictures")},
                                            {QStringLiteral("hmmrec"), QStringLiteral("Recording")}};
    std::vector<ExportChoice> list;
    for (const traces::ExportFormat& format : traces::export_formats()) {
      const auto text = [](std::string_view part) {
        return QString::fromUtf8(part.data(), static_cast<qsizetype>(part.size()));
      };
      const QString name = text(format.name), suffix = text(format.suffix.substr(1));
      list.push_back(
          {name, suffix, QStringLiteral("%1 (*.%2)").arg(titles.value(name, name), suffix)});
    }
    return list;
  }();
  return choices;
}

const ExportChoice& choice_for(const QString& path, const ExportChoice& chosen) {
  const auto named = [&](const ExportChoice& choice) {
    return path.endsWith(QLatin1Char('.') + choice.suffix, Qt::CaseInsensitive);
  };
  if (named(chosen)) return chosen;
  const auto found = std::find_if(export_choices().begin(), export_choices().end(), named);
  return found == export_choices().end() ? chosen : *found;
}

Result<void> export_file(const traces::Document& document, const QString& name,
                         const std::filesystem::path& path, const traces::Progress& progress) {
  if (name == QLatin1String("hmmrec")) {
    if (auto other = check_not_input(path, document.path); !other) return other;
    return RecordingFile::save(*document.recording, path);
  }
  for (const traces::ExportFormat& format : traces::export_formats()) {
    if (name.toStdString() != format.name) continue;
    std::vector<std::pair<std::filesystem::path, Writer>> files = {{path, format.write}};
    if (name == QLatin1String("csv")) files.emplace_back(pfns_beside(path), traces::write_pfns_csv);
    return write_files(document, files, progress);
  }
  return fail("hmmscope has no such format");
}

}  // namespace hmmscope::app
