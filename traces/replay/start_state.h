#pragma once
/// What a capture's notes say of a process when the capture began: /proc/PID/maps and /proc/PID/pagemap
/// (sections "maps PID start" and "pagemap PID start", traces/FORMAT.md).
///
/// The notes are taken while the trace runs, between two marks in it ("hmmscope: snapshot PID start begin" and
/// "... end"). They become facts at the second mark, but for what events between the two were about: of that
/// nobody knows whether the notes are older. Notes without marks are shown as of the beginning of the trace and
/// nothing rests on them.
///
/// What pagemap does not tell (Documentation/admin-guide/mm/pagemap.rst): whether a page is writable; a mapping
/// of 2 MiB from 512 pages in a row; the zero page from a page with several mappings. The first stays unknown,
/// the other two leave the entry unknown, unless the trace shows the zero page.
///
/// Threads: one. The trace must outlive it.

#include <cstdint>
#include <map>
#include <string_view>

#include "traces/replay/event_kinds.h"
#include "traces/replay/world.h"

namespace hmmscope::traces {

class StartState {
 public:
  StartState(const Trace& trace, const EventKinds& kinds);

  /// Before the first event.
  void begin(World& world);
  /// A mark of the trace, with the event's own step open.
  void mark(std::string_view text, World& world);

 private:
  struct Snapshot {
    std::string_view maps, pagemap;
    bool marked = false;   ///< the trace has the second mark
    bool applied = false;  ///< which has been passed
  };
  using Snapshots = std::map<int32_t, Snapshot>;  ///< by pid
  void add_section(const TraceSection& section);
  Snapshots::iterator snapshot_of(std::string_view text, std::string_view when);

  Snapshots snapshots_;
};

}  // namespace hmmscope::traces
