#pragma once
/// The beginning of a large trace as a document of its own, to be on show while the rest is being read.

#include <filesystem>
#include <optional>
#include <string>

#include "app/gui/core.h"

namespace hmmscope::app {

struct FirstEvents {
  std::shared_ptr<const traces::Document> document;
  uint64_t shown = 0, total = 0;  ///< bytes of the file that it was made of, and that there are
};

/// Replays the first events of a text trace. Nothing for what opens in a moment anyway, for other formats, and
/// for a trace that does not say its kernel: its model takes all of it to be found. What cannot be read is
/// nothing, too: opening the file says why. `kernel`: model override, empty = as the file says. Takes some tens
/// of milliseconds, whatever the size of the file. Threads: any.
std::optional<FirstEvents> first_events(const std::filesystem::path& path, const std::string& kernel);

}  // namespace hmmscope::app
