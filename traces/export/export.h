#pragma once
/// A document in formats that other programs read. traces/FORMAT.md describes the JSON lines and the CSV
/// columns; both are stable: a reader may rely on what is there and must ignore what it does not know.
///
/// Every writer streams: memory does not grow with the document. Threads: any, a document is immutable.

#include <span>
#include <string_view>

#include "traces/document.h"
#include "traces/export/sink.h"

namespace hmmscope::traces {

inline constexpr int jsonl_version = 1;

/// One JSON object a line: header, tasks, regions, event kinds, events, calls, steps, checks, end.
void write_jsonl(const Document& document, Sink& sink);
/// The Trace Event Format of Chrome, which Perfetto reads: calls as slices, events and divergences as
/// instants, on the tracks of their tasks. A document without events (an engine run) counts steps as
/// microseconds.
void write_chrome(const Document& document, Sink& sink);
/// One row a call.
void write_calls_csv(const Document& document, Sink& sink);
/// One row a word of the array of each hmm_range_fault call: before, after, and the fields of the layout in
/// force.
void write_pfns_csv(const Document& document, Sink& sink);
/// One HTML file without references to anything outside it: what was opened, the timeline and the layout as
/// pictures (SVG), the calls, and every call that does not agree with its words.
void write_html(const Document& document, Sink& sink);

struct ExportFormat {
  std::string_view name;    ///< "jsonl"
  std::string_view suffix;  ///< ".jsonl"
  std::string_view summary;
  void (*write)(const Document&, Sink&);  ///< nullptr: the format writes files of its own (hmmrec)
};
/// jsonl, chrome, csv (the calls), html, hmmrec.
std::span<const ExportFormat> export_formats();

}  // namespace hmmscope::traces
