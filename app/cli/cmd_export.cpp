#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "app/cli/command.h"
#include "engine/base/output_file.h"
#include "engine/recording/recording_file.h"
#include "traces/document.h"
#include "traces/export/export.h"

namespace hmmscope::app {
namespace {

using traces::Document;
using traces::ExportFormat;
using traces::FileSink;

/// `hmmscope export`: what was opened, in a format that other programs read.
class ExportCommand : public Command {
 public:
  std::string_view name() const override { return "export"; }
  std::string_view summary() const override {
    return "Write a trace, recording or scenario for other programs";
  }

  void declare(Arguments& arguments) override {
    arguments.option("FILE", file_, "A kernel trace, a recording or a scenario; - is standard input")
        .required();
    std::string help = "The format:";
    std::vector<std::string> names;
    for (const ExportFormat& format : traces::export_formats()) {
      names.emplace_back(format.name);
      help += fmt::format("{} {}: {}", names.size() == 1 ? "" : ";", format.name, format.summary);
    }
    arguments.option("--as", format_, help).required().one_of(names).type_name("FORMAT");
    arguments.option("-o,--output", output_, "File to write; - is standard output")
        .required()
        .type_name("OUT");
    arguments.option(
           "--table", table_,
           "With --as csv: only this table, in OUT (default: the calls in OUT, the words beside it, in x.pfns.csv for x.csv)")
        .one_of({"calls", "pfns"})
        .type_name("calls|pfns");
    arguments.option("--kernel", kernel_, "Read FILE as of this kernel model, whatever it says of itself")
        .type_name("MODEL");
  }

  int run(const Output& output) override {
    if (!table_.empty() && format_ != "csv")
      return output.bad_input(Error{"--table goes with --as csv", {}, 0, 0, false});
    if (format_ == "csv" && table_.empty() && output_ == "-") {
      return output.bad_input(
          Error{"two tables do not go to standard output: choose one with --table", {}, 0, 0, false});
    }
    if (const auto spared = spare_input(); !spared) return output.bad_input(spared.error());
    traces::OpenOptions options;
    options.kernel = kernel_;
    const auto opened = traces::open_document(file_, options);
    if (!opened) return output.bad_input(opened.error());
    if (const auto written = write(**opened); !written) return output.bad_input(written.error());
    if (!(*opened)->left_out.empty()) std::fprintf(output.err, "hmmscope: left out: %s\n", (*opened)->left_out.c_str());
    if (output.json && output_ != "-") {
      nlohmann::ordered_json files = written_;
      output.print(nlohmann::ordered_json{{"format", format_}, {"files", std::move(files)}}.dump(2) + "\n");
    }
    return exit_ok;
  }

 private:
  using Writer = void (*)(const Document&, traces::Sink&);

  bool writes_pfns_beside() const { return format_ == "csv" && table_.empty(); }

  Result<void> spare_input() const {
    if (output_ == "-") return {};
    if (auto other = check_not_input(output_, file_); !other || !writes_pfns_beside()) return other;
    return check_not_input(pfns_name(), file_);
  }

  Result<void> write(const Document& document) {
    if (format_ == "hmmrec") return write_recording(document);
    if (format_ == "csv" && table_ == "pfns") return write_files(document, {{output_, traces::write_pfns_csv}});
    if (writes_pfns_beside())
      return write_files(document, {{output_, traces::write_calls_csv}, {pfns_name(), traces::write_pfns_csv}});
    for (const ExportFormat& format : traces::export_formats())
      if (format.name == format_) return write_files(document, {{output_, format.write}});
    return fail("no such format");
  }

  Result<void> write_recording(const Document& document) {
    if (output_ != "-") {
      written_.push_back(output_);
      return RecordingFile::save(*document.recording, output_);
    }
    const auto bytes = RecordingFile::to_bytes(*document.recording);
    if (!bytes) return tl::unexpected(bytes.error());
    auto sink = FileSink::create(output_);
    if (!sink) return tl::unexpected(sink.error());
    (*sink)->write({reinterpret_cast<const char*>(bytes->data()), bytes->size()});
    return (*sink)->finish();
  }

  /// All or none: what cannot be opened is known before one of them is replaced.
  Result<void> write_files(const Document& document, const std::vector<std::pair<std::string, Writer>>& files) {
    std::vector<std::unique_ptr<FileSink>> sinks;
    for (const auto& [path, writer] : files) {
      auto sink = FileSink::create(path);
      if (!sink) return tl::unexpected(sink.error());
      writer(document, **sink);
      sinks.push_back(std::move(*sink));
    }
    for (size_t k = 0; k < sinks.size(); ++k) {
      written_.push_back(files[k].first);
      if (auto done = sinks[k]->finish(); !done) return done;
    }
    return {};
  }

  /// "run.csv" -> "run.pfns.csv"
  std::string pfns_name() const {
    const std::filesystem::path path = output_;
    return (path.parent_path() / (path.stem().string() + ".pfns" + path.extension().string())).string();
  }

  std::string file_, format_, output_, table_, kernel_;
  std::vector<std::string> written_;
};

}  // namespace

std::unique_ptr<Command> make_export_command() { return std::make_unique<ExportCommand>(); }

}  // namespace hmmscope::app
