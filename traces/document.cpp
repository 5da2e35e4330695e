#include "traces/document.h"

#include <array>

#include "engine/recording/keyframes.h"
#include "engine/recording/recording_file.h"
#include "engine/scenario/run.h"
#include "traces/check/detect_model.h"
#include "traces/check/named_model.h"
#include "traces/reader/source.h"
#include "traces/replay/replay.h"

namespace hmmscope::traces {
namespace {

/// What was opened, before the indices over it are built.
struct Opened {
  SourceKind kind;
  KernelModel model;
  Recording recording;
  uint32_t expectations = 0;
  std::vector<scenario::Failure> failures = {};
  std::string detected = {}, unobserved = {};
  std::string schedule_end = {}, schedule_text = {}, schedule = {};
  std::vector<scenario::Failure> postponed = {};
  std::string left_out = {};
  std::optional<Error> incomplete = {};
};

Result<Opened> from_trace(std::shared_ptr<const Bytes> bytes, const std::filesystem::path& path, const OpenOptions& options) {
  ReadOptions reading(options.progress);
  reading.accept_incomplete = options.accept_incomplete;
  const auto trace = open_trace(std::move(bytes), path, reading);
  if (!trace) return tl::unexpected(trace.error());
  std::string detected;
  Result<KernelModel> model = fail("");
  if (options.kernel.empty() && (*trace)->info().kernel.empty()) {
    auto guess = guess_model(**trace, options.progress);
    if (!guess) return tl::unexpected(guess.error());
    detected = guess->text();
    model = std::move(guess->model);
  } else {
    model = model_of((*trace)->info(), options.kernel);
  }
  if (!model) {
    if (model.error().file.empty()) model.error().file = display_name(path);
    return tl::unexpected(model.error());
  }
  if (options.kernel.empty() && detected.empty() && (*trace)->info().config.empty()) {
    auto guess = guess_numbering(**trace, *model, options.progress);
    if (!guess) return tl::unexpected(guess.error());
    if (!guess->numbering.empty()) {
      detected = guess->text();
      model = std::move(guess->model);
    }
  }
  auto recording = replay(**trace, ReplayOptions{*model, options.progress});
  if (!recording) return tl::unexpected(recording.error());
  Opened opened{SourceKind::trace, std::move(*model), std::move(*recording)};
  opened.detected = std::move(detected);
  if (const uint64_t line = (*trace)->info().left_out_line; line != 0)
    opened.left_out = "line " + std::to_string(line) + ", the last one, which no end of line follows: it may be cut inside a number";
  opened.incomplete = (*trace)->info().incomplete;
  for (const TraceSection& section : (*trace)->info().sections)
    if (section.title == "unobserved") opened.unobserved = section.text;
  return opened;
}

Result<Opened> from_scenario(std::string_view text, const std::filesystem::path& path, const OpenOptions& options) {
  const auto parsed = scenario::parse(text, display_name(path));
  if (!parsed) return tl::unexpected(parsed.error());
  options.progress.at("running the scenario", 0, 0);
  scenario::RunOptions run;
  run.kernel = options.kernel;
  run.schedule = options.schedule;
  run.seed = options.seed;
  auto outcome = scenario::run(*parsed, run);
  if (!outcome) return tl::unexpected(outcome.error());
  return Opened{SourceKind::scenario, std::move(outcome->model), std::move(outcome->recording), outcome->expectations,
                std::move(outcome->failures), {}, {}, std::move(outcome->schedule_end), std::move(outcome->schedule_text), std::move(outcome->schedule),
                std::move(outcome->postponed)};
}

Result<Opened> from_recording(std::string_view bytes, const std::filesystem::path& path, const OpenOptions& options) {
  const auto proceed = [&](uint64_t writes) {
    options.progress.at("reading the recording", writes, 0);
    return !options.progress.cancelled();
  };
  auto recording = RecordingFile::from_bytes({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, display_name(path),
                                             RecordingFile::default_limit, proceed);
  if (!recording) return tl::unexpected(recording.error());
  // A recording holds what happened; another model cannot change that, only how its words are read.
  const std::string id = options.kernel.empty() ? recording->meta("model") : options.kernel;
  if (id.empty()) {
    return fail(Error{"the recording does not say which kernel model it was made with: name one with --kernel", display_name(path), 0, 0, false});
  }
  auto model = kernel_model(id);
  if (!model) {
    if (model.error().file.empty()) model.error().file = display_name(path);
    return tl::unexpected(model.error());
  }
  if (auto done = apply_config(recording->meta("config"), id, *model); !done) return tl::unexpected(done.error());
  return Opened{SourceKind::recording, std::move(*model), std::move(*recording)};
}

Result<Opened> open_by_content(const std::filesystem::path& path, const OpenOptions& options) {
  auto file = open_bytes(path, options.progress);
  if (!file) return tl::unexpected(file.error());
  const std::string_view raw = (*file)->view();
  const Packing packing = detect_packing(raw);
  std::shared_ptr<const Bytes> unpacked_head;  // keeps `head` alive
  std::string_view head = raw.substr(0, head_size);
  if (packing != Packing::none) {
    const auto unpacked = unpack_head(raw, packing, display_name(path), head_size);
    if (!unpacked) return tl::unexpected(unpacked.error());
    unpacked_head = *unpacked;
    head = unpacked_head->view();
  }
  const size_t start = head.find_first_not_of(" \t\r\n");
  if (start != std::string_view::npos && head[start] == '{' && !scenario::is_scenario(head)) {
    return fail(Error::at_line(display_name(path), 1,
                               "is JSON, but no scenario: \"hmmscope-scenario\": 1 is missing near its start "
                               "(engine/scenario/FORMAT.md says what a scenario is)"));
  }
  const bool recording = RecordingFile::is_recording({reinterpret_cast<const uint8_t*>(head.data()), head.size()});
  if (!recording && !scenario::is_scenario(head)) return from_trace(std::move(*file), path, options);
  std::shared_ptr<const Bytes> content = *file;
  if (packing != Packing::none) {
    auto unpacked = unpack(raw, packing, display_name(path), options.progress);
    if (!unpacked) return tl::unexpected(unpacked.error());
    content = *unpacked;
  }
  return recording ? from_recording(content->view(), path, options) : from_scenario(content->view(), path, options);
}

}  // namespace

std::string title_of(const std::filesystem::path& path) {
  if (is_standard_input(path)) return display_name(path);
  std::filesystem::path name = path.filename();
  constexpr std::array<std::string_view, 9> suffixes = {".xz",   ".gz",     ".zst", ".txt",   ".trace",
                                                         ".json", ".hmmrec", ".dat", ".hmmcap"};
  for (bool stripped = true; stripped;) {
    stripped = false;
    for (const std::string_view suffix : suffixes) {
      if (name.extension() != suffix || name.stem().empty()) continue;
      name = name.stem();
      stripped = true;
    }
  }
  return name.string();
}

Result<std::shared_ptr<const Document>> open_document(const std::filesystem::path& path, const OpenOptions& options) {
  auto opened = open_by_content(path, options);
  if (!opened) return tl::unexpected(opened.error());
  const Progress& progress = options.progress;
  if (progress.cancelled()) return fail("cancelled");

  auto document = std::make_shared<Document>();
  document->kind = opened->kind;
  document->schedule_end = std::move(opened->schedule_end);
  document->schedule_text = std::move(opened->schedule_text);
  document->schedule = std::move(opened->schedule);
  document->path = path;
  document->title = title_of(path);
  document->model = std::move(opened->model);
  document->expectations = opened->expectations;
  document->failures = std::move(opened->failures);
  document->postponed = std::move(opened->postponed);
  document->detected = std::move(opened->detected);
  document->left_out = std::move(opened->left_out);
  document->incomplete = std::move(opened->incomplete);
  document->unobserved = std::move(opened->unobserved);
  const auto recording = std::make_shared<const Recording>(std::move(opened->recording));
  document->recording = recording;
  if (!recording->events().empty()) document->gaps = gaps_of(*recording);
  const auto watched = [&](std::string_view stage, uint64_t total) {
    progress.at(stage, 0, total);
    return [&progress, stage, total](uint64_t done) {
      progress.at(stage, done, total);
      return !progress.cancelled();
    };
  };
  document->keyframes = Keyframes::build(recording, watched("keyframes", uint64_t{3} * recording->writes()));
  if (document->keyframes == nullptr || progress.cancelled()) return fail("cancelled");
  document->history = History::build(recording, watched("history", uint64_t{3} * recording->writes()));
  if (document->history == nullptr || progress.cancelled()) return fail("cancelled");
  return document;
}

}  // namespace hmmscope::traces
