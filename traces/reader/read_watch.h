#pragma once
/// How a reader is watched while it reads: progress, cancelling, and the finished beginning of the trace, which lets a
/// caller show the first events while the rest is read.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "traces/progress.h"
#include "traces/reader/trace.h"

namespace hmmscope::traces {

/// Takes a prefix of the trace that is being read.
///
/// What it is: a whole, immutable Trace of the events read so far; info() says what the source has said until then. It
/// may be kept and used from any thread, also after the reading has ended, failed or been cancelled.
/// What is stable: task and kind numbers, lines, and every field of an event are those of the finished trace, and each
/// prefix begins with the events of the one before. Names of tasks may still become better ("<...>" until the kernel
/// resolved one). A source whose lines are not in the order of time (no tracer writes such) is the exception: each of its
/// prefixes is in order for itself, so places may move. The model and the checks made from a prefix know nothing of what
/// follows.
/// When: on the thread that reads, one after the other, each with more events than before: after ReadOptions::first_prefix
/// events, then whenever they have doubled, and four times a second. The time a call takes is time not reading, so the
/// wait for the next grows with it (the calls take at most a tenth of the time but for the doubling). A source that fails
/// or is cancelled hands out what it has read before the error is returned; one that succeeds hands out no last prefix, as
/// the trace itself follows.
using PrefixSink = std::function<void(std::shared_ptr<const Trace> prefix)>;

/// Any part may be left out.
struct ReadOptions {
  ReadOptions(Progress watched = {}, PrefixSink sink = {}) : progress(std::move(watched)), prefix(std::move(sink)) {}

  Progress progress;
  PrefixSink prefix;
  uint64_t first_prefix = 4096;   ///< events, at least 1
  /// A text that is cut off is read up to there, and TraceInfo::incomplete says so; otherwise that is the error.
  bool accept_incomplete = false;
};

/// The same for readers of formats: they hand parts over, and say whether it is time to.
class ReadWatch {
 public:
  using Sink = std::function<void(Trace::Parts)>;
  explicit ReadWatch(const Progress& progress, Sink sink = {}, uint64_t first = 1)
      : progress_(progress), sink_(std::move(sink)), next_(first < 1 ? 1 : first) {}
  /// As `outer`, with what is handed out passed through `change` first; `outer` must outlive it.
  ReadWatch(ReadWatch& outer, std::function<void(Trace::Parts&)> change)
      : progress_(outer.progress_), next_(outer.next_) {
    if (outer.sink_)
      sink_ = [&outer, change = std::move(change)](Trace::Parts parts) {
        change(parts);
        outer.sink_(std::move(parts));
      };
  }

  const Progress& progress() const { return progress_; }
  /// Prefixes are asked for at all.
  bool wants_prefixes() const { return static_cast<bool>(sink_); }
  /// A prefix of this many events should be handed out now.
  bool due(uint64_t events) const {
    if (!sink_ || events <= handed_out_) return false;
    return events >= next_ || (handed_out_ != 0 && std::chrono::steady_clock::now() >= wait_until_);
  }
  /// More has been read than was handed out.
  bool owes(uint64_t events) const { return sink_ && events > handed_out_; }
  void hand_out(Trace::Parts parts) {
    using namespace std::chrono;
    handed_out_ = parts.events.size();
    next_ = 2 * handed_out_;
    const auto begin = steady_clock::now();
    sink_(std::move(parts));
    const auto end = steady_clock::now();
    wait_until_ = end + std::max<steady_clock::duration>(milliseconds(250), 10 * (end - begin));
  }

 private:
  const Progress& progress_;
  Sink sink_;
  uint64_t next_;
  uint64_t handed_out_ = 0;
  std::chrono::steady_clock::time_point wait_until_ = {};
};

}  // namespace hmmscope::traces
