#pragma once
/// One opened thing: a kernel trace replayed and checked, a scenario the engine ran, or a saved recording. The
/// window, the command line, lessons and tests all open files through open_document().
///
/// Threads: open_document may run on any thread; a finished Document is immutable.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "engine/base/result.h"
#include "engine/model/kernel_model.h"
#include "engine/recording/cursor.h"
#include "engine/recording/gaps.h"
#include "engine/recording/history.h"
#include "engine/recording/recording.h"
#include "engine/scenario/run.h"
#include "traces/progress.h"

namespace hmmscope::traces {

enum class SourceKind : uint8_t { trace, scenario, recording };

struct Document {
  SourceKind kind = SourceKind::recording;
  std::filesystem::path path;
  std::string title;                        ///< file name without directory and suffixes
  KernelModel model;                        ///< the model in force
  std::shared_ptr<const Recording> recording;
  std::shared_ptr<const Keyframes> keyframes;  ///< shared by every cursor on the recording
  std::shared_ptr<const History> history;
  // traces only
  std::string detected;                     ///< how the model was found when the trace does not name its kernel
  std::string left_out;                     ///< what of the file was not read, and why; mostly empty
  std::optional<Error> incomplete;          ///< the file is cut off, and this is what is in front (OpenOptions::accept_incomplete)
  std::string unobserved;                   ///< what the capture could not show and what it costs, a line each
  // scenarios only
  uint32_t expectations = 0;
  std::vector<scenario::Failure> failures;     ///< expectations that did not hold
  std::vector<scenario::Failure> postponed;    ///< injections that happened later than asked for
  std::string schedule_end, schedule_text, schedule;   ///< how the tasks ended, why, and their schedule
  // traces, and recordings made from them
  std::vector<Gap> gaps;                    ///< lost events
};

struct OpenOptions {
  std::string kernel;        ///< model id that overrides what the file says; empty = as the file says
  Progress progress;
  std::string schedule = {};      ///< scenarios with tasks: overrides the file's schedule
  std::optional<uint64_t> seed = {};   ///< the same, at random
  bool accept_incomplete = false;      ///< traces: see ReadOptions
};

/// The title of what is opened from `path`: the file's name without directory and suffixes.
std::string title_of(const std::filesystem::path& path);

/// Recognises the kind by content (recording magic, scenario JSON, trace.dat, ftrace text; xz, gz and zstd are unpacked on
/// the way); "-" is standard input. A trace that does not
/// say which kernel it came from is tried under every model (check/detect_model.h). Errors name file and line or offset; a
/// cancelled open fails with the message "cancelled".
Result<std::shared_ptr<const Document>> open_document(const std::filesystem::path& path, const OpenOptions& options = {});

}  // namespace hmmscope::traces
