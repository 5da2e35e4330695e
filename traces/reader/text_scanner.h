#pragma once
/// Scans ftrace text, or one piece of it, into the parts of a trace. Several pieces can be scanned at once, each by a
/// scanner of its own; the first takes the others over, in their order, and what comes out is what one scanner over the
/// whole text would give. Text that still arrives is scanned as far as its lines are whole.
///
/// Threads: a scanner is used by one at a time; scanners of different pieces are independent.

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/result.h"
#include "traces/reader/bytes.h"
#include "traces/reader/intern.h"
#include "traces/reader/read_watch.h"
#include "traces/reader/text_line.h"
#include "traces/reader/text_memo.h"
#include "traces/reader/trace.h"

namespace hmmscope::traces {

class TextScanner {
 public:
  /// `first`: scans the beginning of the text, reports progress and hands out prefixes.
  TextScanner(std::string_view name, ReadWatch& watch, bool first);

  /// Scans [from, to) of `text`: whole lines, and for another piece than the first the first of them is an event. Further
  /// calls go on where the one before ended, with the same bytes in front. `expected`: the bytes of the whole text, 0 when
  /// unknown; `pieces` of about the same size are scanned at once. An error stays in the scanner: false.
  bool scan(const std::shared_ptr<const Bytes>& text, uint64_t from, uint64_t to, uint64_t expected, size_t pieces = 1);
  /// The bytes behind `from` are no whole line, unless there are none.
  void end_at(std::string_view text, uint64_t from);
  void fail_with(Error error) { stop(std::move(error)); }
  /// Hands out what there is when a prefix is due.
  void look();

  /// Appends the piece behind this one.
  void take_over(TextScanner&& next);
  /// The trace, which says of itself when it is not complete, or the error of this or a later piece, after what was read before it was handed out. `text` is all of it.
  Result<Trace::Parts> finish(const std::shared_ptr<const Bytes>& text);

 private:
  void stop(Error error);
  bool set_error(std::string message);
  void leave_out(std::string_view rest);
  Error at_end(std::string message) const;

  const char* take_known(const char* line, const char* end);
  void remember(std::string_view line);
  bool take_line(std::string_view line, uint64_t offset);
  bool take_event(std::string_view line, uint64_t offset);
  bool take_lost(uint64_t offset);
  bool take_comment(std::string_view line);
  bool take_other(std::string_view line);
  void add(int64_t time, TraceEvent event);
  void settle_marks(int64_t time);
  void note_format(std::string_view payload);

  void take_over_info(const TextScanner& next);
  Trace::Parts prefix() const;
  std::optional<Error> missing();

  std::shared_ptr<const Bytes> bytes_;
  const char* begin_ = nullptr;   ///< of the text
  ReadWatch& watch_;              ///< used by the first piece alone, but for cancelling
  const Progress& progress_;
  Trace::Parts parts_;
  KindTable kinds_;
  TaskTable tasks_;
  FrontMemo fronts_;
  NameMemo names_;
  uint32_t task_changes_ = 0;     ///< of tasks_, that fronts_ know
  ParsedLine parsed_;
  EventName name_;
  Error error_;
  uint64_t line_ = 0;
  int64_t last_time_ = std::numeric_limits<int64_t>::min();
  std::vector<TraceEvent> marks_;   ///< of lost events, whose time is that of the next event
  PayloadForm last_form_ = PayloadForm::fields;
  std::string_view last_event_;
  bool format_known_ = false;
  bool verbose_ = false;          ///< a line in front of the events is of the verbose latency format
  bool sorted_ = true;
  const bool first_;
  bool stopped_ = false;          ///< by error_
  std::optional<std::string_view> unended_;   ///< the last line, without a newline
  uint64_t next_look_ = 0, next_report_ = 0;
  std::vector<std::pair<std::string_view, uint64_t>> comments_;   ///< of a later piece, with their lines in it
};

}  // namespace hmmscope::traces
