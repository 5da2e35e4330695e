#include <array>

#include "traces/export/export.h"

namespace hmmscope::traces {

std::span<const ExportFormat> export_formats() {
  static constexpr std::array<ExportFormat, 5> formats = {{
      {"jsonl", ".jsonl", "every step and event, one JSON object a line (traces/FORMAT.md)", write_jsonl},
      {"chrome", ".json", "calls and events for Perfetto and chrome://tracing", write_chrome},
      {"csv", ".csv", "a table of the calls, and in a second file one of their array words", write_calls_csv},
      {"html", ".html", "a report with pictures in one file", write_html},
      {"hmmrec", ".hmmrec", "the recording, as hmmscope opens it again", nullptr},
  }};
  return formats;
}

}  // namespace hmmscope::traces
